// One stream of the daemon, kept alive: whatever ends it, it comes back behind the last event that it has brought.
//
// It is what EventSource is, and what that leaves out: it comes back where EventSource gives up (any answer but 200), where a
// socket died without a word, and after the end, to notice a new run. And it knows why it waits, and until when.
//
//   connecting ▸ catching up ▸ live            events come: what was missed first
//        ▲            │          │
//   reconnecting ◂────┴──────────┤            no answer, or one that time can cure (5xx): soon again, then later and later
//   busy         ◂───────────────┤            the house is full: when it says
//   refused      ◂───────────────┤            an answer that time does not cure (4xx): now and then
//   ended        ◂───────────────┘            nothing more will come (204): looks for a new run every few seconds
//
// A state is `{ name, reason?, at? }`: why, and when it is tried again, in Unix milliseconds.
import { Cutter, first, has, lastId } from './wire.js';
import { parse } from './ids.js';

const SILENCE = 40_000; // ms; a ping comes every 15 s, so this long without one means that nobody is there
const UNANSWERED = 10_000; // the same: an answer begins at once
const FRESH = 20_000; // a stream heard so recently is not doubted when the page wakes up
const KNOCK = 4_000; // between two looks for a new run, once all has ended
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 20_000;
const REFUSED = 30_000;
const FULL = 60_000; // a full house names its own time, up to this
const OWN = 1_000; // at first: the last place may be taken by a request of a tab, which ends
const LENT = 2_000; // for a request of a tab, while there is no other place
const SECOND = 1_000; // what the time of an answer is cut down to
const QUIET = 300; // a stream that has caught up falls silent, if it is not a flood
const LINE = 200; // characters of an answer that are shown

export class Connection {
  #url;
  #on;
  #lastId;
  #state = { name: 'connecting' };
  #abort = null;
  #timer = 0;
  #quiet = 0;
  #watch = 0;
  #pause = FIRST_PAUSE;
  #heard = 0;
  #isAnswered = false;
  #began = 0; // until when the server may have answered, by its own clock
  #fresh = false; // whether this answer has brought anything

  // `on.text(text, { after, last, anew })` is given whole events: `after` is the id behind which they follow, `last` their last
  // one, `anew` says that another life of the daemon begins in them. `on.state(state)` is told every change.
  constructor(url, on, { lastId: id = '' } = {}) {
    this.#url = url;
    this.#on = on;
    this.#lastId = id;
  }

  get state() {
    return this.#state;
  }

  get lastId() {
    return this.#lastId;
  }

  start() {
    this.#watch ||= setInterval(() => this.#look(), 5_000);
    globalThis.document?.addEventListener('resume', this.#thaw);
    this.#open();
  }

  close() {
    globalThis.document?.removeEventListener('resume', this.#thaw);
    clearInterval(this.#watch);
    this.#watch = 0;
    this.#stop();
  }

  // The page was away, the machine asleep or the network gone: a stream not heard of lately is not trusted.
  wake() {
    if (!this.#watch) return;
    if (!this.#abort || Date.now() - this.#heard > FRESH) this.#open();
  }

  // A stream of a page that was frozen may have ended without a word, or never go on.
  #thaw = () => this.#open();

  // The house is full but for this stream: it gives its place to a request that ends soon.
  lend() {
    const hasPlace = this.#abort && ['live', 'catching up'].includes(this.#state.name);
    if (!hasPlace) return;
    this.#stop();
    this.#say({ name: 'catching up' });
    this.#timer = setTimeout(() => this.#open(), LENT);
  }

  #stop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#quiet);
    this.#abort?.abort();
    this.#abort = null;
  }

  async #open() {
    this.#stop();
    const abort = new AbortController();
    this.#abort = abort;
    this.#heard = Date.now();
    this.#isAnswered = false;
    this.#fresh = false;
    const outcome = await this.#try(abort.signal).catch((error) => ({ lost: error }));
    if (abort.signal.aborted) return;
    this.#abort = null;
    this.#settle(outcome);
  }

  // What became of one attempt: { ended }, { busy }, { refused }, { over } or { lost }.
  async #try(signal) {
    const response = await this.#ask(signal).catch((error) => this.#askAgain(error, signal));
    this.#heard = Date.now();
    if (!response) return { refused: `pages of ${globalThis.origin} may not read it (--cors-origin ${globalThis.origin})` };
    this.#isAnswered = true;
    if (response.status === 204) return { ended: true };
    const kind = response.headers.get('content-type') ?? '';
    if (response.status === 200 && kind.startsWith('text/event-stream')) return this.#read(response);
    const { status } = response;
    if (status === 200) return { lost: 'the answer is no event stream' };
    if (status >= 500 || status === 408 || status === 429) return { lost: `the answer is ${status}` };
    const text = await response.text().catch(() => '');
    return { refused: `${status} ${text.split('\n')[0].slice(0, LINE)}`.trim() };
  }

  #ask(signal) {
    return fetch(this.#target(), { signal, headers: { accept: 'text/event-stream' }, cache: 'no-store' });
  }

  // A page of another origin that is refused may not read that it is. But every page may read this file: if that can be had, the
  // daemon is there. Then it is asked once more, since it may just have come back; null: it gives no answer to this page.
  async #askAgain(error, signal) {
    const { origin } = new URL(this.#url);
    if (origin === globalThis.origin || origin !== new URL(import.meta.url).origin) throw error;
    await fetch(import.meta.url, { method: 'HEAD', signal, cache: 'no-store' });
    return this.#ask(signal).catch(() => null);
  }

  #target() {
    if (!this.#lastId) return this.#url;
    const url = new URL(this.#url);
    url.searchParams.set('lastEventId', this.#lastId);
    return url.href;
  }

  async #read(response) {
    this.#began = (Date.parse(response.headers.get('date') ?? '') || Date.now()) + SECOND;
    const cutter = new Cutter();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let isFirst = true; ; isFirst = false) {
      const { done, value } = await reader.read();
      if (done) return { over: true };
      this.#heard = Date.now();
      const text = cutter.push(value);
      if (text && has(text, 'busy')) return { busy: first(text, 'busy')?.retry };
      // The first bytes come with the head; whether they let this page in is known by them.
      if (isFirst && this.#lastId) this.#catchUp();
      else if (isFirst) this.#say({ name: 'live' });
      if (text) this.#take(text);
    }
  }

  #take(text) {
    const last = lastId(text);
    const anew = has(text, 'gap') && /"reason":"restart"/.test(text);
    const after = this.#lastId;
    this.#fresh = true;
    this.#pause = FIRST_PAUSE;
    if (last) this.#lastId = last;
    if (this.#state.name === 'catching up') this.#catchUp(last);
    this.#on.text(text, { after, last, anew });
  }

  // What comes now was missed, until something arrives that is younger than the answer, or nothing comes.
  #catchUp(last) {
    clearTimeout(this.#quiet);
    if (last && (parse(last)?.time ?? 0) >= this.#began) return this.#say({ name: 'live' });
    this.#say({ name: 'catching up' });
    this.#quiet = setTimeout(() => this.#say({ name: 'live' }), QUIET);
  }

  #settle({ ended, over, busy, refused, lost }) {
    clearTimeout(this.#quiet);
    if (ended) return this.#wait('ended', KNOCK);
    if (refused) return this.#wait('refused', REFUSED, refused);
    if (busy !== undefined || this.#isBusy(lost)) {
      return this.#wait('busy', this.#state.name === 'busy' ? Math.min(busy ?? FULL, FULL) : OWN);
    }
    // A stream that ends well has sent everything; asked once more, the server says whether more will come.
    if (over && this.#fresh) return void this.#open();
    const name = this.#state.name === 'connecting' ? 'connecting' : 'reconnecting';
    return this.#wait(name, this.#grow(), over ? 'the stream was closed' : reason(lost));
  }

  #isBusy(lost) {
    return lost === 'the answer is 503' && this.#state.name === 'busy';
  }

  #wait(name, pause, reason) {
    this.#say({ name, reason, at: Date.now() + pause });
    this.#timer = setTimeout(() => this.#open(), pause);
  }

  #grow() {
    const pause = this.#pause * (0.75 + Math.random() / 2);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    return pause;
  }

  #look() {
    if (!this.#abort || Date.now() - this.#heard <= (this.#isAnswered ? SILENCE : UNANSWERED)) return;
    const reason = 'nothing was heard for long';
    if (this.#state.name !== 'connecting') this.#say({ name: 'reconnecting', reason, at: Date.now() });
    this.#open();
  }

  #say(state) {
    const { name, at, reason: why } = this.#state;
    if (state.name === name && state.at === at && state.reason === why) return;
    this.#state = state;
    this.#on.state(state);
  }
}

const reason = (lost) => (typeof lost === 'string' ? lost : 'there is no answer');
