// What the reader does with the stream: follows it, looks back, goes to a line, chooses channels, looks for something.
import * as address from './address.js';
import { MOST_LINES } from './lines/book.js';
import { LEVELS } from './lines/levels.js';
import { historyOf } from './take.js';
import * as words from './words.js';

const FRAME = 8; // ms in each frame for judging lines
const AT_ONCE = 50; // ms for lines that the reader waits for
const MOST_LOOKING = 20; // pages of older lines that are looked through without showing one
const HIDDEN = 200; // ms between two looks at what has come, while nobody sees it: a hidden tab has no frames

export class Reading {
  #parts;
  #searched = 0; // pages of older lines in a row that showed nothing
  #isWorking = false;

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
    list.refresh();
    const isAway = !list.isFollowing || !book.isLive;
    status.tellNumbers(isAway, words.older(book, this.#searched >= MOST_LOOKING));
    if (find.isOpen) find.tell();
    if (isMore) this.wake();
  }

  // Other lines are held now.
  begin() {
    const { list, marks, rows, status } = this.#parts;
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
    // More than may be held: what surrounds the oldest is gone to instead.
    if (book.lines.count + 1_000 > MOST_LINES) return void this.goTo(book.lines.id(book.lines.first), 'start');
    const before = book.view.count;
    const came = await book.older();
    while (came && book.view.work(AT_ONCE));
    this.#searched = book.view.count > before ? 0 : this.#searched + 1;
    this.wake();
  }

  lookFurther() {
    this.#searched = 0;
    this.older();
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
    try {
      const row = await book.goTo(id);
      if (row === null) return;
      while (book.view.work(AT_ONCE));
      if (where === 'middle') marks.set(row);
      list.show(row, where === 'middle' ? 0.35 : 0);
      status.notice(book.lines.id(row) === id ? '' : words.notHere);
    } catch (error) {
      status.notice(`The line could not be asked for: ${error.message}.`);
    }
    this.wake();
  }

  choose(names) {
    const { base, book, channels, list, moving, plot, status } = this.#parts;
    channels.choose(names);
    book.select(names);
    document.getElementById('history').href = historyOf(base, names);
    status.lines = 0;
    moving.clear();
    plot()?.clear();
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
    const at = marks.row === null ? '' : book.lines.id(marks.row);
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
