// Events become rows: lines with their level and the trace they belong to, and what the stream says of itself, in words.
import { json } from '../stream/wire.js';
import { Traces } from '../text/trace.js';
import * as words from '../words.js';
import { level } from './levels.js';
import { KIND } from './lines.js';

export class Intake {
  #traces = new Traces();
  #ended = new Set(); // channels whose source has ended
  #moving = new Set(); // channels whose line is being overwritten
  #isSeveral;

  // `isSeveral()`: whether the reader sees more than one channel.
  constructor(isSeveral) {
    this.#isSeveral = isSeveral;
  }

  get ended() {
    return this.#ended;
  }

  // A line of a channel is being overwritten.
  moves(channel) {
    this.#moving.add(channel);
  }

  // The rows that an event is: none, one, or a line with what is to be said before it.
  rows(id, type, data, place) {
    const at = { time: place?.time ?? 0, number: place?.number ?? 0, channel: place?.channel ?? '', level: 0, head: 0 };
    const told = CONTROL.has(type) ? json(data) : null;
    if (!told) return CONTROL.has(type) ? [] : this.#line(at, data);
    if (type === 'gap') return [{ ...at, kind: KIND.gap, text: this.#gap(told) }];
    if (type === 'end') return [this.#end(at, told)];
    if (type === 'run') return [this.#run(at, told)];
    return [];
  }

  // It says by itself that there is a new run.
  #run(at, told) {
    this.#ended.delete(told.channel);
    this.#moving.delete(told.channel);
    return { ...at, kind: KIND.run, text: words.run(told) };
  }

  #line(at, text) {
    const { channel } = at;
    const rows = [];
    if (this.#ended.delete(channel)) rows.push({ ...at, kind: KIND.run, text: words.again(channel) });
    const head = this.#traces.next(channel, text);
    rows.push({ ...at, kind: KIND.line, text, level: level(text), head, overwritten: this.#moving.delete(channel) });
    return rows;
  }

  #gap(told) {
    if (told.reason === 'restart') this.#ended.clear();
    const range = words.range(told);
    return words.gap(told, this.#isSeveral()) + (range ? ` (${range})` : '');
  }

  #end(at, told) {
    this.#ended.add(told.channel);
    this.#moving.delete(told.channel);
    return { ...at, kind: KIND.end, text: words.end(told) };
  }
}

const CONTROL = new Set(['start', 'gap', 'end', 'run', 'progress', 'busy', 'ping']);
