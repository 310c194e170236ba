// The lines that the page holds: one unbroken part of the stream, bounded.
//
// A line is known by its *row number*: the first one that came has 0, what comes behind counts up, older ones that are loaded in front
// count down. So a number stays what it is, whatever is added or let go at either end.
//
// They lie in blocks of up to 512, in columns: one text for the lines of a block and where each ends, times, numbers, channels. A million
// lines of 100 characters cost about 130 MB so, a third of what an object for each would.
import { Deque } from './deque.js';

const BLOCK = 512; // lines
const BLOCK_CHARS = 256 << 10; // a block may have fewer lines, not more characters, but for one line that has

// What a row is.
export const KIND = { line: 0, gap: 1, end: 2, run: 3 };
export const KINDS = 7; // the bits of a mark that say it
const OVERWRITTEN = 8; // the line has moved as a progress line before it was whole

class Block {
  constructor(first) {
    this.first = first; // row number
    this.texts = []; // while it grows; then one text
    this.text = null;
    this.ends = null;
    this.chars = 0;
    this.times = [];
    this.numbers = [];
    this.channels = [];
    this.marks = []; // kind, whether overwritten, level
    this.heads = []; // how many rows back the head of the trace is
  }

  get count() {
    return this.times.length;
  }

  get isFull() {
    return this.count >= BLOCK || this.chars >= BLOCK_CHARS;
  }

  push({ text, time, number, channel, kind, level, head, overwritten }) {
    this.texts.push(text);
    this.chars += text.length;
    this.times.push(time);
    this.numbers.push(number);
    this.channels.push(channel);
    this.marks.push(kind | (overwritten ? OVERWRITTEN : 0) | (level << 4));
    this.heads.push(head);
  }

  // A full block does not grow any more, and takes less room.
  seal() {
    this.ends = new Uint32Array(this.texts.length);
    let end = 0;
    this.texts.forEach((text, at) => (this.ends[at] = end += text.length));
    this.text = this.texts.join('');
    this.texts = null;
    this.times = Float64Array.from(this.times);
    this.numbers = Float64Array.from(this.numbers);
    this.channels = Uint16Array.from(this.channels);
    this.marks = Uint8Array.from(this.marks);
    this.heads = this.heads.some(Boolean) ? Uint16Array.from(this.heads) : null;
  }

  textAt(at) {
    if (this.texts) return this.texts[at];
    return this.text.slice(at ? this.ends[at - 1] : 0, this.ends[at]);
  }
}

export class Lines {
  #blocks = new Deque();
  #open = null; // the last block, while it grows
  #count = 0;
  #chars = 0;
  #channels = []; // names
  #indices = new Map();

  get first() {
    return this.#blocks.length ? this.#blocks.at(0).first : 0;
  }

  // The row number behind the last.
  get end() {
    return this.first + this.#count;
  }

  get count() {
    return this.#count;
  }

  get chars() {
    return this.#chars;
  }

  clear() {
    this.#blocks = new Deque();
    this.#open = null;
    this.#count = 0;
    this.#chars = 0;
  }

  // Adds a row { text, time, number, channel, kind, level, head, overwritten } behind the others; gives its number.
  push(row) {
    if (!this.#open) {
      this.#open = new Block(this.end);
      this.#blocks.push(this.#open);
    }
    const block = this.#open;
    this.#put(block, row);
    if (block.isFull) {
      block.seal();
      this.#open = null;
    }
    return this.end - 1;
  }

  // Adds rows in front of the others, in their order.
  unshift(rows) {
    for (let end = rows.length; end > 0; ) {
      let from = end;
      for (let chars = 0; from > 0 && end - from < BLOCK && chars < BLOCK_CHARS; ) chars += rows[--from].text.length;
      const block = new Block(this.first - (end - from));
      rows.slice(from, end).forEach((row) => this.#put(block, row));
      block.seal();
      this.#blocks.unshift(block);
      end = from;
    }
  }

  #put(block, row) {
    block.push({ ...row, channel: this.#index(row.channel) });
    this.#count += 1;
    this.#chars += row.text.length;
  }

  // Lets the oldest go, by whole blocks, until no more than this is held; gives how many rows.
  shorten(count, chars) {
    const before = this.#count;
    while (this.#blocks.length > 1 && (this.#count > count || this.#chars > chars)) {
      const block = this.#blocks.shift();
      this.#count -= block.count;
      this.#chars -= block.chars;
    }
    return before - this.#count;
  }

  #index(channel) {
    let index = this.#indices.get(channel);
    if (index === undefined) {
      // Names beyond the width of a column are lines of a channel without a name.
      index = Math.min(this.#channels.length, 0xffff);
      if (index < 0xffff) this.#channels.push(channel);
      this.#indices.set(channel, index);
    }
    return index;
  }

  #find(row) {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#blocks.at(middle).first <= row) low = middle;
      else high = middle - 1;
    }
    return this.#blocks.at(low);
  }

  has(row) {
    return row >= this.first && row < this.end;
  }

  // A row as it was added; null where it is not held.
  get(row) {
    if (!this.has(row)) return null;
    const block = this.#find(row);
    const at = row - block.first;
    const mark = block.marks[at];
    return {
      text: block.textAt(at),
      time: block.times[at],
      number: block.numbers[at],
      channel: this.#channels[block.channels[at]] ?? '',
      kind: mark & KINDS,
      overwritten: Boolean(mark & OVERWRITTEN),
      level: mark >> 4,
      head: block.heads?.[at] ?? 0,
    };
  }

  // The rows [from, to) in turn, without an object for each: `visit(row, text, mark, channel, head)`; ends early if that gives false.
  each(from, to, visit) {
    for (let row = Math.max(from, this.first); row < Math.min(to, this.end); ) {
      const block = this.#find(row);
      const until = Math.min(to, block.first + block.count);
      for (; row < until; row++) {
        const at = row - block.first;
        const channel = this.#channels[block.channels[at]] ?? '';
        if (visit(row, block.textAt(at), block.marks[at], channel, block.heads?.[at] ?? 0) === false) return;
      }
    }
  }

  // The row with this place, or the first one behind it; `end` if none is.
  rowOf({ time, number }) {
    let low = this.first;
    let high = this.end;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const block = this.#find(middle);
      const at = middle - block.first;
      const isBefore = block.times[at] - time || block.numbers[at] - number;
      if (isBefore < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // The id of a row.
  id(row) {
    const found = this.get(row);
    if (!found) return '';
    const position = `${found.time}-${found.number}`;
    return found.channel ? `${position}/${found.channel}` : position;
  }
}
