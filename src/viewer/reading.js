// What the reader does with the stream: follows it, looks back, goes to a line, chooses channels, looks for something.
import * as address from './address.js';
import { MOST_LINES } from './lines/book.js';
import { LEVELS } from './lines/levels.js';
import { historyOf } from './take.js';
import * as words from './words.js';

const FRAME = 8; // ms in each frame for judging lines
const AT_ONCE = 50; // ms for lines that the reader waits for
const MOST_LOOKING = 20; // pages of older lines that are looked through without showing one
const AWAY = 3_000; // ms, after there was no answer
const HIDDEN = 200; // ms between two looks at what has come, while nobody sees it: a hidden tab has no frames

export class Reading {
  #parts;
  #searched = 0; // pages of older lines in a row that showed nothing
  #isWorking = false;
  #notBefore = 0; // when older lines may be asked for again
  #pending = ''; // the id of a line that is being gone to

  // { base, book, channels, find, list, marks, moving, plot(), rows, status }
  constructor(parts) {
    this.#parts = parts;
  }

  // Has what came judged and drawn, in the next frame.
  wake() {
    if (this.#isWorking) return;
    this.#isWorking = true;
    if (document.hidden) setTimeout(() => this.#work(), HIDDEN);
    else requestAnimationFrame(() => this.#work());
  }

  #work() {
    const { book, find, list, status } = this.#parts;
    this.#isWorking = false;
    const isMore = book.view.work(FRAME);
    const isAway = !list.isFollowing || !book.isLive;
    const isTired = this.#searched >= MOST_LOOKING;
    status.seen = book.count;
    status.tellNumbers(isAway, words.older(book, isTired), isTired && !book.isAsking);
    if (find.isOpen) find.tell();
    if (document.hidden) list.refresh();
    else list.draw();
    if (isMore) this.wake();
  }

  // Other lines are held now.
  begin() {
    const { list, marks, plot, rows, status } = this.#parts;
    plot()?.clear();
    status.missed = 0;
    this.#searched = 0;
    rows.clear();
    marks.clear();
    list.refresh(true);
  }

  // To the newest line, and on with what comes.
  follow() {
    const { book, channels, list, marks, status } = this.#parts;
    marks.clear();
    if (!book.isLive) book.follow();
    status.missed = 0;
    list.follow();
    channels.see();
    this.keep();
    status.notice('');
    this.wake();
  }

  // Older lines, as the reader comes near the first one.
  async older() {
    const { book, status } = this.#parts;
    if (book.isAsking || book.isAtStart || status.isFilling || !book.lines.count || this.#searched >= MOST_LOOKING) return;
    // As long as some of what is held is not drawn, its first row is nearer than it will be.
    if (book.view.pending) return;
    // More than may be held: only who asks for it is led away from what is.
    if (this.#isFull) return void (this.#searched = MOST_LOOKING);
    if (Date.now() < this.#notBefore) return;
    const before = book.view.count;
    const came = await book.older();
    if (came < 0) this.#notBefore = Date.now() + AWAY;
    while (came > 0 && book.view.work(AT_ONCE));
    if (came > 0) this.#searched = book.view.count > before ? 0 : this.#searched + 1;
    this.wake();
  }

  lookFurther() {
    const { lines } = this.#parts.book;
    this.#searched = 0;
    if (this.#isFull) this.goTo(lines.id(lines.first), 'start');
    else this.older();
  }

  get #isFull() {
    return this.#parts.book.lines.count + 1_000 > MOST_LINES;
  }

  // The reader has come to the end of what is held; whether that is followed from now on.
  reachEnd() {
    const { book } = this.#parts;
    if (book.isLive) return true;
    book.newer().then(() => this.wake());
    return false;
  }

  // To a line, wherever it is in history.
  async goTo(id, where = 'middle') {
    const { book, list, marks, status } = this.#parts;
    this.#pending = id;
    try {
      const row = await book.goTo(id);
      if (row === null) return;
      while (book.view.work(AT_ONCE));
      if (where === 'middle') marks.set(row);
      list.show(row, where === 'middle' ? 0.35 : 0);
      const isThere = book.lines.id(row) === id;
      status.notice(isThere ? (book.view.pending || book.view.has(row) ? '' : words.filteredOut) : words.notHere);
    } catch (error) {
      status.notice(`The line could not be asked for: ${error.message}.`);
      if (!book.lines.count) book.follow();
    }
    this.#pending = '';
    this.keep();
    this.wake();
  }

  choose(names) {
    const { base, book, channels, list, moving, plot, status } = this.#parts;
    channels.choose(names);
    book.select(names);
    document.getElementById('history').href = historyOf(base, names);
    status.lines = 0;
    moving.clear();
    list.follow();
    book.follow();
    this.keep();
    this.wake();
  }

  // Something else is looked for.
  look(filter) {
    const { book, list, rows } = this.#parts;
    book.view.setFilter({ ...filter, level: Math.max(0, LEVELS.indexOf(filter.level || 'none')) });
    this.#searched = 0;
    rows.forgetFound();
    list.refresh(true);
    this.keep();
    this.wake();
  }

  // Keeps what is shown in the address.
  keep() {
    const { book, channels, find, marks } = this.#parts;
    const at = marks.row === null ? this.#pending : book.lines.id(marks.row);
    address.keep({ ...find.filter, channels: channels.chosen, at });
  }

  // Shows what the address says.
  show() {
    const { base, book, channels, find, marks } = this.#parts;
    const { channels: names, at, ...filter } = address.read();
    find.set(filter);
    const isOther = names.join() !== channels.chosen.join();
    channels.choose(names);
    book.select(names);
    document.getElementById('history').href = historyOf(base, names);
    const isMarked = at && marks.row !== null && at === book.lines.id(marks.row);
    if (at && !isMarked) this.goTo(at);
    else if (isOther || !book.lines.count) book.follow();
    this.look(find.filter);
  }
}
