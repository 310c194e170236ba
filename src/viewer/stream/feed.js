// What one tab gets of a stream: every event once, in order, from where it begins to the live edge.
//
// The live edge comes from a hub that all tabs share (share.js). What lies before it, or was missed, the tab asks for itself, in a
// request that ends. Its *place* is the last event that it has dispatched, or a position behind it; whatever comes again is known by
// that, and whatever follows behind a later one than that is a hole:
//
//   place ─────── after │ text from the hub          after ≤ place: dispatch what is behind the place
//         └ a hole ┘                                 after > place: ask for what is behind the place first; the text waits
//
// The wait is bounded: beyond it what waits is let go, and asked for as well.
import { Full, ask } from './ask.js';
import { compare, later, parse as parseId, position } from './ids.js';
import { share } from './share.js';
import { json, parse } from './wire.js';

const MOST_WAITING = 32 << 20; // characters of texts that wait for a hole to be filled
const FIRST_PAUSE = 500; // ms before a request is made again that has failed
const LONGEST_PAUSE = 10_000;
const LATE = 2_000; // ms behind the time for which the hub has announced something
const DEAF = 120_000; // ms without a word from the hub, whatever its state is: it has died
const BEGINNINGS = ['tail', 'since', 'lastEventId', 'before', 'follow'];

export class Feed {
  #base;
  #on;
  #ways;
  #link = null;
  #heard = 0;
  #due = 0; // when the hub tries again
  #watch = 0;
  #isLive = false;
  #place = null;
  #edge = null; // the place of the hub
  #isAhead = false; // the place is of a request of its own, and the hub has not reached it
  #waiting = [];
  #waitingSize = 0;
  #filling = null; // the AbortController of the request that is going on
  #params = [];
  #pause = FIRST_PAUSE;

  // `on.event(id, type, data, place, origin)` for each event, `on.flush()` behind some; the origin is 'edge', 'missed' (and asked for), or
  // 'begin' (what a beginning asked for). `on.edge(text)`: what comes from the hub while this tab looks at something older.
  // `on.state(state)` of the connection, `on.filling(is)`: whether something is being asked for.
  constructor(base, on, ways) {
    this.#base = base;
    this.#on = on;
    this.#ways = ways;
  }

  get isLive() {
    return this.#isLive;
  }

  get place() {
    return this.#place;
  }

  get sharing() {
    return this.#link?.kind;
  }

  // Opens the link to the hub.
  open() {
    if (this.#link) return;
    this.#heard = Date.now();
    this.#watch = setInterval(() => this.#look(), 10_000);
    const url = new URL(this.#base);
    BEGINNINGS.forEach((name) => url.searchParams.delete(name));
    url.searchParams.set('tail', '0');
    url.searchParams.set('ping', '1');
    this.#link = share(url.href, (message) => this.#hear(message), () => position(this.#place), this.#ways);
  }

  close() {
    this.#unlink();
    this.#stop();
  }

  wake() {
    this.#link?.say({ wake: true });
  }

  // Follows the edge: from what a request asks for ({ tail: '1000' }, { since: '10m' }, { lastEventId: ID }), or behind a place.
  // `params` narrow what is asked for: [['channel', 'a'], ...]; what comes at the edge is not narrowed.
  follow({ behind = null, ...asked }, params = []) {
    this.#stop();
    this.#isLive = true;
    this.#params = params;
    this.#place = behind;
    this.#fill(behind ? null : Object.entries(asked));
  }

  // What comes at the edge is dispatched no more.
  leave() {
    this.#stop();
    this.#isLive = false;
  }

  #unlink() {
    clearInterval(this.#watch);
    this.#link?.close();
    this.#link = null;
  }

  // Nobody tells when a worker is gone; and a hub in a tab that nobody looks at is held back by the browser, but it hears.
  #look() {
    const now = Date.now();
    if (this.#due && now - this.#due > LATE) this.wake();
    if (now - this.#heard < DEAF) return;
    this.#unlink();
    this.open();
  }

  #stop() {
    if (this.#filling) this.#on.filling?.(false);
    this.#filling?.abort();
    this.#filling = null;
    this.#isAhead = false;
    this.#forgetWaiting();
  }

  #forgetWaiting() {
    this.#waiting = [];
    this.#waitingSize = 0;
  }

  #hear(message) {
    const { state, text, last, at, size } = message;
    this.#heard = Date.now();
    if (state) {
      this.#due = state.at;
      this.#on.state(state);
    }
    if (at) this.#edge = parseId(at);
    if (text) {
      if (last) this.#edge = parseId(last);
      this.#link.say({ took: size });
    }
    if (!this.#isLive) return void (text && this.#on.edge?.(text));
    if (this.#filling) this.#wait(message);
    else this.#take(message);
  }

  #wait(message) {
    if (!message.text) return;
    this.#waiting.push(message);
    this.#waitingSize += message.size;
    // What is let go is found missing by what comes behind it.
    if (this.#waitingSize > MOST_WAITING) this.#forgetWaiting();
  }

  #take(message) {
    const { text, at } = message;
    // What this tab has asked for by itself may have brought it to the other life before the hub.
    const anew = message.anew && !(this.#isAhead && compare(gapOf(text), this.#place) <= 0);
    const after = parseId(message.after || at || (text ? firstId(text) : ''));
    if (!anew && compare(after, this.#place) > 0) {
      this.#wait(message);
      return this.#fill(null);
    }
    if (!text) return;
    this.#dispatch(text, anew, 'edge');
    this.#isAhead = false;
  }

  // `anew`: whether another life may begin in the text. Its numbers and, where the clock went back, its times say nothing in that before.
  #dispatch(text, anew, origin) {
    parse(text, (id, type, data) => {
      const place = id ? parseId(id) : null;
      if (place) {
        const order = anew && isRestart(type, data) ? 1 : compare(place, this.#place);
        // A position stands just below the event behind it.
        if (place.channel ? order <= 0 : order < 0) return;
        this.#place = place;
      }
      this.#on.event(id, type, data, place, origin);
    });
    this.#on.flush?.();
  }

  // Asks for what is behind the place, or for a beginning.
  async #fill(beginning) {
    const filling = new AbortController();
    this.#filling = filling;
    this.#on.filling?.(true);
    const from = beginning && !this.#place ? beginning : [['lastEventId', position(this.#place)]];
    const covers = this.#edge; // known before it is asked, so all up to it is in the answer
    const take = (text) => this.#dispatch(text, true, beginning ? 'begin' : 'missed');
    const asked = ask(this.#base, [...from, ['follow', '0'], ...this.#params], take, filling.signal);
    const failed = await asked.then(() => null, (error) => error);
    if (filling !== this.#filling) return;
    if (failed) return this.#fillLater(filling, beginning, failed);
    this.#pause = FIRST_PAUSE;
    this.#filling = null;
    this.#isAhead = true;
    this.#place = later(this.#place, covers);
    this.#on.filling?.(false);
    this.#drain();
  }

  #fillLater(filling, beginning, failed) {
    if (failed instanceof Full) this.#link?.say({ lend: true });
    const pause = this.#pause;
    this.#pause = Math.min(2 * pause, LONGEST_PAUSE);
    setTimeout(() => filling === this.#filling && this.#fill(beginning), pause);
  }

  // What has waited comes in its turn, as far as there is no hole in it.
  #drain() {
    const waiting = this.#waiting;
    this.#forgetWaiting();
    for (const message of waiting) {
      if (this.#filling) this.#wait(message);
      else this.#take(message);
    }
  }
}

// The id with which a text begins. A stream that begins at the edge says first where that is.
function firstId(text) {
  let found = '';
  parse(text, (id) => (found ||= id));
  return found;
}

const isRestart = (type, data) => type === 'gap' && json(data)?.reason === 'restart';

// The position behind which another life begins in a text.
function gapOf(text) {
  let found = null;
  parse(text, (id, type, data) => {
    if (isRestart(type, data)) found ??= parseId(id);
  });
  return found;
}
