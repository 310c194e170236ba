// Lines in, series out. A line that comes is only put in a queue; the queue is read in slices of time, so that a flood of lines
// never holds up the page. Nothing is read before somebody looks.
import { READ, Reader } from './numbers.js';
import { own } from './own.js';
import { Queue } from './queue.js';
import { Series } from './series.js';

const CHANNELS = 200; // that are read
const SLICE = 64; // lines between two looks at the clock

export class Intake {
  series = new Series();
  #queue = new Queue();
  #readers = new Map();
  #newest = NaN; // arrival of the newest line
  #newestAt = 0; // when that was, on this machine's clock
  read = 0; // lines that were read

  add(channel, time, text) {
    this.#queue.push({ channel, time, text: text.length > READ ? own(text.slice(0, READ)) : text });
    if (time < this.#newest) return;
    this.#newest = time;
    this.#newestAt = performance.now();
  }

  // Reads for at most so many milliseconds. Tells whether there was anything to read.
  readFor(budget) {
    if (this.#queue.size === 0) return false;
    const until = performance.now() + budget;
    do {
      for (let count = Math.min(SLICE, this.#queue.size); count > 0; count -= 1) this.#readOne(this.#queue.shift());
    } while (this.#queue.size > 0 && performance.now() < until);
    return true;
  }

  #readOne({ channel, time, text }) {
    this.read += 1;
    const found = this.#reader(channel)?.read(text);
    if (found) this.series.add(channel, time, found);
  }

  #reader(channel) {
    let reader = this.#readers.get(channel);
    if (reader === undefined && this.#readers.size < CHANNELS) {
      reader = new Reader();
      this.#readers.set(channel, reader);
    }
    return reader;
  }

  get waiting() {
    return this.#queue.size;
  }

  get lost() {
    return this.#queue.lost;
  }

  // The time by the clock that stamps the lines.
  now() {
    return this.#newest + (performance.now() - this.#newestAt);
  }

  clear() {
    this.#queue.clear();
    this.#readers.clear();
    this.series.clear();
    this.read = 0;
  }
}
