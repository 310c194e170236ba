// Marked lines: what is copied, linked to, and opened by the keyboard.
import { KIND } from './lines/lines.js';
import { plain } from './text/ansi.js';

const MOST_COPIED = 100_000; // lines

export class Marks {
  #lines;
  #view;
  #list;
  #rows;
  #from = null; // the row that was marked first
  #to = null;

  constructor({ lines, view }, list, rows) {
    this.#lines = lines;
    this.#view = view;
    this.#list = list;
    this.#rows = rows;
  }

  get row() {
    return this.#to;
  }

  clear() {
    this.#from = this.#to = null;
    this.#show();
  }

  // Marks a row; `isMore`: and all between it and the first.
  set(row, isMore = false) {
    this.#to = row;
    if (!isMore || this.#from === null) this.#from = row;
    this.#show();
  }

  // Marks the next row (1) or the one before (-1), and brings it into sight.
  step(direction, isMore) {
    const { count } = this.#view;
    if (!count) return;
    const from = this.#to ?? (this.#list.isFollowing ? this.#view.at(count - 1) : this.#list.anchor);
    const index = this.#view.indexOf(from) + (this.#to === null ? 0 : direction);
    const row = this.#view.at(Math.max(0, Math.min(count - 1, index)));
    this.set(row, isMore);
    this.#list.pause();
    this.#list.reveal(row);
  }

  #show() {
    const rows = this.#rows.marked;
    rows.clear();
    // These two, though it may not be known yet whether they are shown.
    if (this.#from !== null) rows.add(this.#from).add(this.#to);
    if (this.#from !== null) this.#each((row) => rows.add(row));
    for (const row of this.#list.drawn) this.#list.element(row)?.classList.toggle('marked', rows.has(row));
  }

  #each(visit) {
    const [from, to] = [Math.min(this.#from, this.#to), Math.max(this.#from, this.#to)];
    for (let row = this.#view.taken(from), left = MOST_COPIED; row <= to && left > 0; row = this.#view.taken(row + 1), left--) visit(row);
  }

  // The marked lines, without what the page adds to them; '' if there are none.
  get text() {
    if (this.#from === null) return '';
    const texts = [];
    this.#each((row) => {
      const line = this.#lines.get(row);
      if (line?.kind === KIND.line) texts.push(plain(line.text));
    });
    return texts.join('\n');
  }
}
