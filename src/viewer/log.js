// The rows: the newest 10,000. In each frame as many are built as fit into it; what comes faster waits, and of what waits
// the oldest is let go unseen. Rows live in blocks, which the browser skips as a whole while they are out of sight, and
// which leave as a whole. What is let go is always the oldest of all, and its number stays on the page.
import { arrival, count, lastOf, number, plain } from './words.js';

const ROWS = 10_000;
const CHARS = 16 << 20; // a bound for rows of enormous lines
const BLOCK = 100;
const FRAME = 8; // ms in each frame for building rows
const LONG = 2_000; // characters of a line that are shown at first
const UPDATES = 5; // line breaks in one line from which on it was a progress line
const HUES = 6;

export class Log {
  shown = () => {};
  #root;
  #letGo;
  #follow;
  #blocks = []; // { element, rows, lines, chars }, oldest first
  #rows = 0;
  #chars = 0;
  #queue = []; // came, and waits for its frame
  #queueChars = 0;
  #gone = 0; // lines let go
  #jumped = false; // whether lines were let go that were never shown
  #frame = 0;
  #widest = 0;
  #hues = new Map();

  constructor(root, letGo, follow) {
    this.#root = root;
    this.#letGo = letGo;
    this.#follow = follow;
  }

  // entry: { kind: line | gap | end, id, text, channel?, overwritten?, note? }
  add(entry) {
    this.#queue.push(entry);
    this.#queueChars += entry.text.length;
    if (this.#queue.length > 2 * ROWS || this.#queueChars > 2 * CHARS) this.#shorten();
    this.#schedule();
  }

  // The column of channel names is as wide as the longest of them, within reason.
  widen(length) {
    this.#widest = Math.max(this.#widest, Math.min(length, 28));
    this.#root.style.setProperty('--channel', `${this.#widest}ch`);
  }

  flush() {
    this.#frame = 0;
    if (this.#follow.on && this.#jumped) {
      this.#trim(0, 0);
      this.#jumped = false;
    }
    this.#build(performance.now() + FRAME);
    this.#letGo.hidden = this.#gone === 0;
    this.#letGo.textContent = `${count(this.#gone, 'older line')} no longer shown`;
    this.#follow.stick();
    this.#follow.tell();
    this.shown();
  }

  #build(until) {
    for (;;) {
      const room = this.#room();
      if (room === 0 || this.#queue.length === 0) return;
      if (performance.now() > until) return this.#schedule();
      for (const entry of this.#queue.splice(0, room)) {
        this.#queueChars -= entry.text.length;
        this.#append(entry);
      }
    }
  }

  // For how many rows there is room. While the reader looks back nothing is taken from under their eyes to make some.
  #room() {
    if (this.#follow.on) this.#trim(ROWS - BLOCK, CHARS);
    return Math.min(BLOCK, Math.max(0, ROWS - this.#rows));
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => this.flush());
  }

  #shorten() {
    let from = this.#queue.length;
    let chars = 0;
    while (from > 0 && this.#queue.length - from < ROWS && chars <= CHARS) chars += this.#queue[--from].text.length;
    if (from === 0) return;
    // A gap that goes takes what it told with it.
    for (const entry of this.#queue.splice(0, from)) this.#gone += entry.lines ?? 0;
    this.#queueChars = chars;
    this.#jumped = true;
  }

  #append(entry) {
    let block = this.#blocks.at(-1);
    if (!block || block.rows === BLOCK) {
      block = { element: make('div', 'block'), rows: 0, lines: 0, chars: 0 };
      this.#blocks.push(block);
      this.#root.append(block.element);
    }
    block.element.append(this.#row(entry));
    block.rows += 1;
    block.lines += entry.lines ?? 0;
    block.chars += entry.text.length;
    this.#rows += 1;
    this.#chars += entry.text.length;
  }

  #trim(rows, chars) {
    while (this.#blocks.length && (this.#rows > rows || this.#chars > chars)) {
      const block = this.#blocks.shift();
      block.element.remove();
      this.#rows -= block.rows;
      this.#chars -= block.chars;
      this.#gone += block.lines;
    }
  }

  #row(entry) {
    const row = make('div', `row ${entry.kind}`);
    row.dataset.id = entry.id;
    if (entry.channel) {
      row.dataset.channel = entry.channel;
      row.classList.add(this.hue(entry.channel));
    }
    const { time, full } = arrival(entry.id);
    const when = make('time', '', time);
    when.title = full;
    row.append(when, entry.kind === 'line' ? cell(entry) : make('span', 'text', entry.text));
    if (entry.note) row.title = entry.note;
    return row;
  }

  // The colour of a channel: a class, so that the page needs no inline style.
  hue(channel) {
    if (!this.#hues.has(channel)) this.#hues.set(channel, `hue${this.#hues.size % HUES}`);
    return this.#hues.get(channel);
  }
}

export function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

// A line as it is; a progress line by its last state; an enormous line by its beginning. All of it is one click away.
function cell({ text, overwritten }) {
  const whole = plain(text);
  const breaks = whole.includes('\n') ? whole.split('\n').length - 1 : 0;
  if (breaks && (overwritten || breaks >= UPDATES)) {
    const { last, updates } = lastOf(whole);
    return folded(last.slice(0, LONG), count(updates, 'update'), whole);
  }
  if (whole.length > LONG) return folded(`${whole.slice(0, LONG)}…`, `${number(whole.length)} characters`, whole);
  return make('span', 'text', whole);
}

function folded(brief, note, whole) {
  const details = make('details', 'text');
  const summary = make('summary', '', brief);
  summary.append(' ', make('small', '', note));
  details.append(summary);
  details.addEventListener('toggle', () => details.append(make('div', '', whole)), { once: true });
  return details;
}
