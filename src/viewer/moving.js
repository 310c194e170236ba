// Lines that are still being overwritten: one moving line for each channel, below the others.
import { make, paint } from './list/paint.js';
import { number } from './words.js';

const MOST = 8;
const LONG = 500; // characters

export class Moving {
  #root;
  #channels;
  #rows = new Map(); // channel -> element
  #texts = new Map();
  #frame = 0;

  constructor(root, channels) {
    this.#root = root;
    this.#channels = channels;
  }

  move(channel, text) {
    this.#texts.set(channel, text);
    this.#frame ||= requestAnimationFrame(() => this.#show());
  }

  // The line of a channel is whole.
  settle(channel) {
    if (!this.#texts.delete(channel)) return;
    this.#frame ||= requestAnimationFrame(() => this.#show());
  }

  clear() {
    [...this.#texts.keys()].forEach((channel) => this.settle(channel));
  }

  #show() {
    this.#frame = 0;
    for (const [channel, row] of this.#rows) {
      if (this.#texts.has(channel)) continue;
      row.remove();
      this.#rows.delete(channel);
    }
    for (const [channel, text] of this.#texts) this.#showOne(channel, text);
    this.#root.dataset.more = this.#texts.size > MOST ? `and ${number(this.#texts.size - MOST)} more` : '';
  }

  #showOne(channel, text) {
    let row = this.#rows.get(channel);
    if (!row && this.#rows.size >= MOST) return;
    if (!row) {
      row = make('div', 'moving');
      row.dataset.channel = channel;
      row.append(make('span', `name ${this.#channels.hue(channel)}`, channel), make('span', 'text'));
      this.#rows.set(channel, row);
      this.#root.append(row);
    }
    row.lastChild.replaceChildren();
    paint(row.lastChild, text.slice(0, LONG * 4), LONG);
  }
}
