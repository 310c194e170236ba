// A row of the list: when, from where, and what; with what it can be asked for.
//
// A row keeps what the reader has opened in it: the whole of a long line, the document of a JSON line, the states of a progress line, and
// the rows of the trace that it is the head of.
import { KIND } from '../lines/lines.js';
import { LEVELS } from '../lines/levels.js';
import { looksLikeJson, pretty } from '../text/json.js';
import { plain } from '../text/ansi.js';
import { statesOf } from '../text/states.js';
import { ago, clock } from '../text/times.js';
import { write } from '../address.js';
import { count, number } from '../words.js';
import { make, paint } from './paint.js';

const LONG = 2_000; // characters of a line that are shown at first
const HIGH = 40; // line breaks inside a line up to which it is shown at first
const MORE = 20_000; // and more at each click
const LONG_JSON = 1 << 20; // characters; longer ones would take too long to look into
const MOST_FOUND = 5_000; // rows whose matches are kept
const KINDS = ['line', 'gap', 'end', 'run'];

export class Rows {
  times = 'absolute';
  #lines;
  #view;
  #channels;
  #changed;
  #opened = new Map(); // row -> { chars, json, states }
  #found = new Map(); // row -> ranges, of a regular expression
  #asked = new Set();
  marked = new Set();
  current = null; // the match that the reader is at

  // `channels.hue(name)` gives the class of its colour; `changed(row)` is told when a row looks different.
  constructor(lines, view, channels, changed) {
    this.#lines = lines;
    this.#view = view;
    this.#channels = channels;
    this.#changed = changed;
  }

  // What was opened belongs to lines that are not held any more.
  clear() {
    this.#opened.clear();
    this.forgetFound();
    this.marked.clear();
    this.current = null;
  }

  // Another expression is looked for.
  forgetFound() {
    this.#found.clear();
    this.#asked.clear();
  }

  draw(row) {
    const line = this.#lines.get(row);
    if (!line) return make('div', 'row');
    const element = make('div', `row ${KINDS[line.kind]}`);
    element.dataset.row = row;
    if (this.marked.has(row)) element.classList.add('marked');
    if (row === this.current) element.classList.add('current');
    if (line.level) element.classList.add(`level-${LEVELS[line.level]}`);
    element.append(this.#time(row, line));
    if (line.channel) this.#from(element, line.channel);
    element.append(line.kind === KIND.line ? this.#text(row, line) : make('span', 'text', line.text));
    return element;
  }

  // The times that tell how long ago a line came go on.
  tick(elements) {
    if (this.times !== 'relative') return;
    const now = Date.now();
    for (const element of elements) {
      const time = element.querySelector('time');
      if (time) time.textContent = ago(Number(time.dataset.at), now);
    }
  }

  #time(row, { time, kind }) {
    const link = make('a', 'when');
    link.href = write({ channels: [], at: this.#lines.id(row) });
    link.tabIndex = -1;
    if (!time || kind === KIND.gap) return link;
    const { time: exact, full } = clock(time);
    const element = make('time', '', this.times === 'relative' ? ago(time, Date.now()) : exact);
    element.dataset.at = time;
    element.title = full;
    link.append(element);
    return link;
  }

  #from(element, channel) {
    element.dataset.channel = channel;
    const label = make('span', `channel ${this.#channels.hue(channel)}`, channel);
    label.title = channel;
    if (channel.endsWith('/stderr')) element.classList.add('stderr');
    element.append(label);
  }

  #text(row, line) {
    const opened = this.#opened.get(row) ?? {};
    const cell = make('span', 'text');
    const states = statesOf(line);
    const text = states ? states.at(-1) : line.text;
    const chars = opened.chars ?? foldAt(text);
    paint(cell, text.slice(0, chars * 4), chars, states ? [] : this.#ranges(row, line.text));
    if (text.length > chars) this.#button(cell, row, 'more', `${number(text.length - chars)} more characters`, { chars: chars + MORE });
    if (states) this.#states(cell, row, line, states, opened);
    this.#trace(cell, row);
    this.#json(cell, row, text, opened);
    return cell;
  }

  #states(cell, row, line, states, opened) {
    this.#button(cell, row, 'states', count(states.length, 'update'), { states: !opened.states });
    if (opened.states) paint(cell.appendChild(make('div', 'opened')), line.text, MORE);
  }

  #trace(cell, row) {
    const size = this.#view.traceSize(row);
    if (!size) return;
    const isOpen = this.#view.isOpen(row);
    const button = cell.appendChild(make('button', 'fold trace', isOpen ? '▾ fold' : `▸ ${count(size, 'more line')}`));
    button.type = 'button';
    button.ariaExpanded = String(isOpen);
    button.addEventListener('click', () => {
      this.#view.toggle(row);
      this.#changed(row);
    });
  }

  #json(cell, row, text, opened) {
    if (text.length > LONG_JSON) return;
    const shown = plain(text);
    const begin = looksLikeJson(shown);
    if (begin < 0) return;
    cell.classList.add('json');
    const button = this.#button(cell, row, 'json', opened.json ? '▾ {}' : '▸ {}', { json: !opened.json }, Boolean(opened.json));
    button.ariaLabel = 'JSON';
    if (!opened.json) return;
    const block = cell.appendChild(make('pre', 'opened'));
    for (const { text: part, kind } of pretty(shown.slice(begin)) ?? [{ text: 'not quite JSON', kind: 'word' }]) {
      const span = block.appendChild(make('span', `json-${kind}`));
      paint(span, part, MORE);
    }
  }

  #button(cell, row, name, text, change, isOpen) {
    const button = cell.appendChild(make('button', `fold ${name}`, text));
    button.type = 'button';
    if (isOpen !== undefined) button.ariaExpanded = String(isOpen);
    button.addEventListener('click', () => this.#open(row, change));
    return button;
  }

  #open(row, change) {
    this.#opened.set(row, { ...this.#opened.get(row), ...change });
    this.#changed(row);
  }

  // Opens what a row has to open, or closes it; whether there was anything.
  toggle(element) {
    const names = ['json', 'trace', 'states', 'more'];
    const button = names.map((name) => element.querySelector(`.fold.${name}`)).find(Boolean);
    button?.click();
    return Boolean(button);
  }

  #ranges(row, text) {
    const { matcher } = this.#view;
    if (!matcher || this.#view.error) return [];
    if (matcher.isPlain) return matcher.ranges(text);
    const found = this.#found.get(row);
    if (found || this.#asked.has(row)) return found ?? [];
    if (this.#asked.size > MOST_FOUND) this.forgetFound();
    this.#asked.add(row);
    matcher.rangesAll([text]).then(([ranges]) => {
      if (this.#view.matcher !== matcher || !this.#asked.has(row)) return;
      this.#found.set(row, ranges);
      if (ranges.length) this.#changed(row);
    });
    return [];
  }
}

// How many characters of a line are shown at first.
function foldAt(text) {
  let at = -1;
  for (let breaks = 0; breaks < HIGH; breaks++) {
    at = text.indexOf('\n', at + 1);
    if (at < 0 || at > LONG) return LONG;
  }
  return at;
}
