// One stream for many tabs.
//
// A hub holds the only connection to a URL, and posts what comes to its ports, one for each tab. A tab says how much it has taken;
// one that takes nothing (it is frozen, or gone) is sent nothing more beyond a bound, and finds out by the `after` of what it gets
// next that there is a hole, which it fills by itself. So no tab costs the others anything, and nothing is queued without a bound.
//
//   tab ▸ hub   { hello } { took: n } { wake } { lend } { bye }
//   hub ▸ tab   { state, at } { text, after, last, anew, size }: whole events, and behind which id they follow; or where the hub is
import { Connection } from './connection.js';
import { lastId } from './wire.js';

const MOST_UNTAKEN = 8 << 20; // characters on their way to one tab
const PIECE = 256 << 10; // characters of one message: what a tab reads in one go, without a pause that is felt
const GONE = 600_000; // ms without a word from a tab that has been sent all that it may be sent

export class Hub {
  #connection;
  #ports = new Map(); // port -> { untaken, heard }
  #isClosed = false;

  constructor(url, lastId = '') {
    const on = { text: (text, about) => this.#text(text, about), state: (state) => this.#post({ state }) };
    this.#connection = new Connection(url, on, { lastId });
  }

  get lastId() {
    return this.#connection.lastId;
  }

  // `port.postMessage` reaches the tab; what the tab says is given to `hear`.
  add(port) {
    if (this.#isClosed) return;
    const isFirst = this.#ports.size === 0;
    this.#ports.set(port, { untaken: 0, heard: Date.now() });
    port.postMessage({ state: this.#connection.state, at: this.lastId });
    if (isFirst) this.#connection.start();
  }

  wake() {
    this.#connection.wake();
  }

  hear(port, { hello, took, wake, lend, bye }) {
    const tab = this.#ports.get(port);
    if (bye) return this.#remove(port);
    if (hello || !tab) this.add(port);
    else if (took) tab.untaken = Math.max(0, tab.untaken - took);
    if (tab) tab.heard = Date.now();
    if (wake) this.wake();
    if (lend) this.#connection.lend();
  }

  close() {
    this.#isClosed = true;
    this.#connection.close();
    this.#ports.clear();
  }

  #remove(port) {
    this.#ports.delete(port);
    if (this.#ports.size === 0) this.#connection.close();
  }

  // A long text is cut between events, so that no message is long to read, and each piece says where it follows.
  #text(text, { after, anew }) {
    for (let at = 0; at < text.length; ) {
      let end = text.length;
      if (end - at > PIECE) {
        end = text.lastIndexOf('\n\n', at + PIECE - 2) + 2;
        if (end <= at + 2) end = text.indexOf('\n\n', at) + 2; // one event that is larger
      }
      const piece = text.slice(at, end);
      const last = lastId(piece) || after;
      this.#post({ text: piece, after, last, anew: anew && at === 0, size: piece.length });
      after = last;
      at = end;
    }
  }

  #post(message) {
    for (const [port, tab] of this.#ports) {
      if (message.size && tab.untaken > MOST_UNTAKEN) {
        if (Date.now() - tab.heard > GONE) this.#remove(port);
        continue;
      }
      tab.untaken += message.size ?? 0;
      port.postMessage(message);
    }
  }
}
