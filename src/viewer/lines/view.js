// Which of the held lines are shown, and which of them match what is looked for.
//
// Each row is judged once for a filter. What has been judged is one unbroken range of rows, [from, to): it grows at the end as lines come,
// and towards the beginning as older ones are got at, a slice at a time, so that the newest lines of a new filter are there at once and the
// page answers meanwhile. Context around matches is decided inside a slice with a margin on both sides, so it does not depend on slices.
//
// Rows of a stack trace are shown once its head has been opened, or when they match themselves.
import { KIND, KINDS } from './lines.js';
import { Matcher } from './matcher.js';
import { RowList } from './rowlist.js';

const SLICE = 2_000; // rows
const FARTHEST = 0xffff; // rows between the head of a trace and one of its lines, with those of other channels

// What passes if nothing is asked for.
export const EVERYTHING = { text: '', isRegex: false, isCase: false, only: false, context: 0, level: 0 };

export class View {
  onchange = () => {};
  ontrace = () => {}; // (head): its trace has grown
  #lines;
  #filter = EVERYTHING;
  #matcher = null;
  #wrong = '';
  #shown = new RowList();
  #hits = new RowList();
  #from = 0;
  #to = 0;
  #opened = new Set(); // heads of traces
  #sizes = new Map(); // head -> rows of its trace
  #round = 0; // of the filter: answers for an earlier one are none
  #isAsking = false;

  constructor(lines) {
    this.#lines = lines;
  }

  get filter() {
    return this.#filter;
  }

  get matcher() {
    return this.#matcher;
  }

  // What is wrong with the expression, if anything: then what is shown is what was shown before, or everything.
  get error() {
    return this.#wrong;
  }

  get count() {
    return this.#shown.length;
  }

  get hits() {
    return this.#hits;
  }

  // Rows that have not been judged yet.
  get pending() {
    return Math.max(0, this.#from - this.#lines.first) + Math.max(0, this.#lines.end - this.#to);
  }

  at(index) {
    return this.#shown.at(index);
  }

  indexOf(row) {
    return this.#shown.indexOf(row);
  }

  has(row) {
    return this.#shown.has(row);
  }

  // Whether it is known if a row is shown.
  isJudged(row) {
    return row >= this.#from && row < this.#to;
  }

  // The row that is taken along next, this one or one behind it: what is shown; if nothing else is left out, what is folded as well.
  taken(row) {
    const { text, only, level } = this.#filter;
    if (!(text && only) && !level) return row;
    const index = this.#shown.indexOf(row);
    return index < this.#shown.length ? this.#shown.at(index) : Infinity;
  }

  setFilter(filter) {
    const wanted = { ...EVERYTHING, ...filter };
    const matcher = wanted.text ? new Matcher(wanted, () => this.#giveUp(matcher)) : null;
    this.#wrong = matcher?.error ?? '';
    if (this.#wrong) return this.onchange();
    this.#matcher?.close();
    this.#matcher = matcher;
    this.#filter = wanted;
    this.#judgeAnew();
  }

  // The expression takes too long: everything is shown instead.
  #giveUp(matcher) {
    if (matcher !== this.#matcher) return;
    this.#wrong = matcher.error;
    this.#matcher = null;
    this.#filter = { ...this.#filter, text: '', only: false };
    this.#judgeAnew();
  }

  // The lines are others now.
  clear() {
    this.#opened.clear();
    this.#sizes.clear();
    this.#judgeAnew();
  }

  #judgeAnew() {
    this.#round += 1;
    this.#isAsking = false;
    this.#shown.clear();
    this.#hits.clear();
    this.#from = this.#to = this.#lines.end;
    this.onchange();
  }

  // The oldest rows have been let go.
  dropped() {
    const { first } = this.#lines;
    this.#from = Math.max(this.#from, first);
    this.#to = Math.max(this.#to, this.#from);
    this.#shown.shift(first);
    this.#hits.shift(first);
    if (this.#opened.size) this.#opened.forEach((head) => head < first && this.#opened.delete(head));
    if (this.#sizes.size > 1_000) this.#sizes.forEach((_, head) => head < first && this.#sizes.delete(head));
  }

  // A row belongs to the trace that begins at `head`.
  trace(head) {
    this.#sizes.set(head, (this.#sizes.get(head) ?? 0) + 1);
    this.ontrace(head);
  }

  traceSize(row) {
    return this.#sizes.get(row) ?? 0;
  }

  isOpen(head) {
    return this.#opened.has(head);
  }

  // Opens a trace, or closes it.
  toggle(head) {
    const isOpen = !this.#opened.delete(head);
    if (isOpen) this.#opened.add(head);
    const rows = [];
    const end = Math.min(head + FARTHEST, this.#to);
    let left = this.traceSize(head);
    this.#lines.each(head + 1, end, (row, text, mark, channel, back) => {
      if (!back || row - back !== head) return true;
      if (!this.#shown.has(row)) rows.push(row);
      left -= 1;
      return left > 0;
    });
    if (isOpen) rows.forEach((row) => this.#shown.insert([row]));
    else this.#lines.each(head + 1, end, (row, text, mark, channel, back) => this.#hide(row, back, head));
    this.onchange();
  }

  #hide(row, back, head) {
    if (back && row - back === head && !this.#hits.has(row)) this.#shown.remove(row, row + 1, () => false);
  }

  // Judges what is pending for so many ms; whether something is left that it need not wait for.
  work(budget) {
    const until = performance.now() + budget;
    while (this.pending && !this.#isAsking) {
      if (performance.now() > until) return true;
      this.#slice();
    }
    return false;
  }

  #slice() {
    const { first, end } = this.#lines;
    const isForward = this.#to < end;
    const from = isForward ? this.#to : Math.max(first, this.#from - SLICE);
    const to = isForward ? Math.min(end, from + SLICE) : this.#from;
    if (!this.#matcher) return this.#judge(from, to, isForward, null);
    const { context, only } = this.#filter;
    const margin = only ? context : 0;
    const begin = Math.max(first, from - margin);
    // In front of the newest row nothing is known of what follows; that is judged when it comes.
    const texts = [];
    this.#lines.each(begin, Math.min(end, to + margin), (row, text, mark) => {
      texts.push((mark & KINDS) === KIND.line ? text : '');
    });
    if (this.#matcher.isPlain) {
      const isHit = texts.map((text) => this.#matcher.test(text));
      return this.#judge(from, to, isForward, (row) => isHit[row - begin]);
    }
    const round = this.#round;
    this.#isAsking = true;
    this.#matcher.testAll(texts).then((isHit) => {
      if (round !== this.#round) return;
      this.#isAsking = false;
      // Rows may have been let go meanwhile.
      if (from >= this.#lines.first || isForward) this.#judge(Math.max(from, this.#lines.first), to, isForward, (row) => isHit[row - begin]);
      this.onchange();
    });
  }

  #judge(from, to, isForward, isHit) {
    const rows = [];
    const hits = [];
    const { only, context, level } = this.#filter;
    this.#lines.each(from, to, (row, text, mark, channel, back) => {
      const isLine = (mark & KINDS) === KIND.line;
      const hit = Boolean(isHit?.(row)) && isLine && mark >> 4 >= level;
      if (hit) hits.push(row);
      // A trace that was opened is shown whatever its lines are.
      if (!isLine || (back && this.#opened.has(row - back))) rows.push(row);
      else if (mark >> 4 < level) return;
      else if (only && isHit ? hit || this.#isNear(row, context, isHit) : hit || !back || row - back < this.#lines.first) rows.push(row);
    });
    if (isForward) this.#append(rows, hits, isHit, from);
    else {
      this.#shown.unshift(rows);
      this.#hits.unshift(hits);
      this.#from = from;
    }
    if (isForward) this.#to = to;
  }

  #isNear(row, context, isHit) {
    for (let near = 1; near <= context; near++) if (isHit(row - near) || isHit(row + near)) return true;
    return false;
  }

  #append(rows, hits, isHit, from) {
    const { only, context, level } = this.#filter;
    // The first matches of a slice have context in what was judged before.
    if (only && context && isHit) {
      for (let row = from - context; row < from; row++) {
        const isNew = row > this.#shown.last() && this.#lines.get(row)?.level >= level;
        if (isNew && this.#isNear(row, context, isHit)) this.#shown.push(row);
      }
    }
    rows.forEach((row) => this.#shown.push(row));
    hits.forEach((row) => this.#hits.push(row));
  }
}
