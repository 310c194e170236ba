// The connection. EventSource returns by itself after a broken one, with its last id; this adds what it leaves out:
// it comes back where EventSource gives up (any answer but 200), where a socket died silently, and after the end.

const SILENCE = 40_000; // a ping comes every 15 s, so this long without one means that nobody is there
const FRESH = 20_000; // a stream heard so recently is not doubted when the page wakes up
const FULL = 120_000; // a full house names its own time, up to a minute
const KNOCK = 4_000; // between two looks for a new run, once all has ended
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 20_000;
const CONTROL = ['start', 'gap', 'end', 'progress', 'busy'];

export class Stream {
  #path;
  #types;
  #on;
  #source = null;
  #state = 'connecting';
  #lastId = '';
  #heard = Date.now();
  #fresh = false; // whether this connection has brought anything
  #pause = FIRST_PAUSE;
  #timer = 0;

  // Lines are events without a type, or of the one that the daemon gives them.
  constructor(path, type, on) {
    this.#path = path;
    this.#types = new Set(['message', type || 'message']);
    this.#on = on;
    setInterval(() => this.#watch(), 5_000);
    addEventListener('pagehide', () => this.#close());
    addEventListener('pageshow', (event) => event.persisted && this.#wake());
    addEventListener('online', () => this.#wake());
    document.addEventListener('visibilitychange', () => document.hidden || this.#wake());
  }

  open() {
    this.#close();
    this.#heard = Date.now();
    this.#fresh = false;
    const source = new EventSource(this.#url());
    this.#source = source;
    source.onopen = () => {
      this.#heard = Date.now();
      this.#say('live');
    };
    source.onerror = () => this.#failed();
    for (const type of this.#types) source.addEventListener(type, (event) => this.#line(event));
    source.addEventListener('ping', () => (this.#heard = Date.now()));
    for (const type of CONTROL) source.addEventListener(type, (event) => this.#told(type, event));
  }

  #line(event) {
    this.#hear(event);
    this.#on.line(event);
  }

  // How long, in ms, the page has waited for an answer.
  connectingFor() {
    return this.#state.endsWith('connecting') && this.#source?.readyState === 0 ? Date.now() - this.#heard : 0;
  }

  #url() {
    return this.#lastId ? `${this.#path}&lastEventId=${encodeURIComponent(this.#lastId)}` : this.#path;
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #say(state) {
    this.#state = state;
    this.#on.state(state);
  }

  #hear(event) {
    this.#heard = Date.now();
    this.#fresh = true;
    this.#pause = FIRST_PAUSE;
    if (event.lastEventId) this.#lastId = event.lastEventId;
  }

  #told(type, event) {
    if (type === 'busy') this.#say('busy');
    else this.#hear(event);
    let told;
    try {
      told = JSON.parse(event.data);
    } catch {
      return; // not one of ours
    }
    if (told && typeof told === 'object') this.#on[type](told, event.lastEventId);
  }

  #failed() {
    this.#heard = Date.now(); // a failure is an answer, too
    if (this.#on.finished()) return this.#over();
    const gaveUp = this.#source.readyState === EventSource.CLOSED;
    const everLive = this.#state !== 'connecting';
    if (this.#state !== 'busy') this.#say(everLive ? 'reconnecting' : 'connecting');
    if (gaveUp) this.#again(this.#grow());
  }

  // All has ended. Asked once more, the server says so (204); from then on the page looks for a new run now and then.
  #over() {
    if (this.#fresh) return this.open();
    this.#say('ended');
    this.#again(KNOCK);
  }

  #again(pause) {
    this.#close();
    this.#timer = setTimeout(() => this.open(), pause);
  }

  #grow() {
    const pause = this.#pause * (0.75 + Math.random() / 2);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    return pause;
  }

  #watch() {
    const silent = Date.now() - this.#heard;
    if (this.#source && silent > (this.#state === 'busy' ? FULL : SILENCE)) this.#lost();
  }

  // The page was away, the machine asleep or the network gone: a stream not heard of lately is not trusted.
  #wake() {
    if (!this.#source || Date.now() - this.#heard > FRESH) this.#lost();
  }

  #lost() {
    if (this.#state === 'live') this.#say('reconnecting');
    this.open();
  }
}
