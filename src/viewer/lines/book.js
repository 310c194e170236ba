// What the reader has before them: one unbroken part of the stream, which is held, and whether its end is the live edge.
//
//   older ◂── before ──│ held: up to a million lines │── behind ──▸ newer
//                                                    └── live edge, while it is followed
//
// - Live: what comes is added. Beyond the bound the oldest is let go, but never under the eyes of a reader who looks back: then the edge is
//   left, new lines are only counted, and the reader comes to them page by page, or leaps to the newest.
// - A line that is not held, by a link or beyond the bound, is gone to: what is held then is what surrounds it.
import { before, behind, page } from '../stream/ask.js';
import { Feed } from '../stream/feed.js';
import { parse as parseId } from '../stream/ids.js';
import { parse } from '../stream/wire.js';
import { Intake } from './intake.js';
import { level } from './levels.js';
import { KIND, Lines } from './lines.js';
import { View } from './view.js';

export const MOST_LINES = 1_000_000;
export const MOST_CHARS = 192 << 20;
const NEWEST = 1_000; // lines that a page begins with
const PAGE = 1_000; // lines that are asked for at once
const AROUND = 400; // lines on both sides of one that is gone to

export class Book {
  lines = new Lines();
  view = new View(this.lines);
  letGo = 0; // lines that were held and are not any more
  count = 0; // lines that the reader could see since something else was begun
  isAtStart = false; // nothing older is retained
  #base;
  #on;
  #intake;
  #heads = new Heads();
  #feed;
  #params = [];
  #asking = null;
  #bounds;

  // `on`: rows(from, to, origin), changed(), state(state), filling(is), met(names), counted(channel, level), progress(told), busy(told)
  constructor(base, on, { lines = MOST_LINES, chars = MOST_CHARS } = {}) {
    this.#base = base;
    this.#on = on;
    this.#bounds = { lines, chars };
    this.#intake = new Intake(on.isSeveral);
    this.#feed = new Feed(base, {
      event: (...event) => this.#take(...event),
      flush: () => on.changed(),
      edge: (text) => this.#pass(text),
      state: on.state,
      filling: on.filling,
    });
  }

  get feed() {
    return this.#feed;
  }

  get isLive() {
    return this.#feed.isLive;
  }

  get ended() {
    return this.#intake.ended;
  }

  get isAsking() {
    return Boolean(this.#asking);
  }

  // Asks for these channels and all below them; for all, if there are none.
  select(channels) {
    this.#params = channels.map((name) => ['channel', name]);
  }

  // The newest lines, and what comes.
  follow() {
    this.#clear();
    this.#feed.follow({ tail: String(NEWEST) }, this.#params);
  }

  // What surrounds a line; gives its row, or where it would be. Throws where there is no answer.
  async goTo(id) {
    const asking = this.#begin();
    const around = await this.#around(id, asking.signal).catch((error) => ({ error }));
    if (asking !== this.#asking) return null;
    this.#asking = null;
    if (around.error) throw around.error;
    this.#feed.leave();
    this.#clear();
    around.events.forEach((event) => this.#add(event, 'begin'));
    this.isAtStart = around.isStart;
    this.#on.changed();
    const place = parseId(id);
    if (around.isAll) this.#join();
    return place ? this.lines.rowOf(place) : this.lines.first;
  }

  async #around(id, signal) {
    const older = await before(this.#base, id, AROUND, this.#params, signal);
    const from = older.events.at(-1)?.id;
    const newer = from
      ? await behind(this.#base, from, AROUND, this.#params, signal)
      : await page(this.#base, [['tail', 'all'], ['follow', '0'], ...this.#params], AROUND, signal);
    return { events: [...older.events, ...newer.events], isAll: newer.isAll, isStart: older.isAll };
  }

  // A page of older lines is put in front; how many rows came, or -1 where there is no answer.
  async older() {
    if (this.#asking || this.isAtStart || !this.lines.count) return 0;
    const first = this.lines.first;
    const asking = this.#begin();
    const found = await before(this.#base, this.lines.id(first), PAGE, this.#params, asking.signal).catch(() => null);
    if (asking !== this.#asking) return 0;
    this.#asking = null;
    if (!found) return -1;
    // What was let go meanwhile would leave a hole.
    if (this.lines.first !== first) return 0;
    this.isAtStart = found.isAll;
    const intake = new Intake(this.#on.isSeveral);
    const heads = new Heads();
    const rows = found.events.flatMap(({ id, type, data, place }) => intake.rows(id, type, data, place));
    rows.forEach((row, at) => (row.head = heads.back(row, at)));
    this.lines.unshift(rows);
    rows.forEach(({ head }, at) => head && this.view.trace(first - rows.length + at - head));
    this.letGo = Math.max(0, this.letGo - rows.length);
    this.count += rows.filter(({ kind }) => kind === KIND.line).length;
    this.#on.changed();
    return rows.length;
  }

  // The next page behind what is held, while the edge is not followed.
  async newer() {
    if (this.#asking || this.isLive) return;
    const asking = this.#begin();
    const last = this.lines.count ? this.lines.id(this.lines.end - 1) : '';
    const found = await behind(this.#base, last, PAGE, this.#params, asking.signal).catch(() => null);
    if (asking !== this.#asking) return;
    this.#asking = null;
    if (!found) return;
    found.events.forEach((event) => this.#add(event, 'begin'));
    this.#shorten();
    this.#on.changed();
    if (found.isAll) this.#join();
  }

  // The page was put aside, and is shown again.
  goOn() {
    this.#feed.open();
    if (this.isLive && this.#feed.place) this.#feed.follow({ behind: this.#feed.place }, this.#params);
    else if (this.isLive) this.follow();
  }

  // All up to the edge is held: it is followed again.
  #join() {
    if (!this.lines.count) return this.follow();
    this.#feed.follow({ behind: parseId(this.lines.id(this.lines.end - 1)) }, this.#params);
  }

  #begin() {
    this.#asking?.abort();
    this.#asking = new AbortController();
    return this.#asking;
  }

  #clear() {
    this.#asking?.abort();
    this.#asking = null;
    this.lines.clear();
    this.view.clear();
    this.#heads = new Heads();
    this.letGo = 0;
    this.count = 0;
    this.isAtStart = false;
    this.#on.cleared();
  }

  #take(id, type, data, place, origin) {
    if (!place) return this.#tell(type, data);
    if (type === 'start') return this.#on.told(type, data);
    this.#add({ id, type, data, place }, origin);
  }

  // What has no place in the stream.
  #tell(type, data) {
    this.#on.told(type, data);
  }

  #add({ id, type, data, place }, origin) {
    if (type === 'gap' || type === 'end') this.#on.told(type, data);
    const rows = this.#intake.rows(id, type, data, place);
    for (const row of rows) {
      if (row.kind === KIND.line && !this.#on.line(row, origin)) continue; // of a channel that is not looked at
      row.head = this.#heads.back(row, this.lines.end);
      const at = this.lines.push(row);
      if (row.kind === KIND.line) this.count += 1;
      if (row.head) this.view.trace(at - row.head);
    }
    if (this.lines.count > this.#bounds.lines || this.lines.chars > this.#bounds.chars) this.#crowd();
  }

  // More is held than may be.
  #crowd() {
    if (this.#on.isFollowing()) this.#shorten();
    else if (this.isLive) this.#feed.leave();
  }

  #shorten() {
    const gone = this.lines.shorten(this.#bounds.lines, this.#bounds.chars);
    if (!gone) return;
    this.letGo += gone;
    this.isAtStart = false;
    this.view.dropped();
  }

  moves(channel) {
    this.#intake.moves(channel);
  }

  // What comes while something older is looked at is counted.
  #pass(text) {
    parse(text, (id, type, data) => {
      const place = parseId(id);
      if (!place?.channel || CONTROL.has(type)) return this.#on.told(type, data);
      this.#on.passed(place.channel, level(data));
    });
    this.#on.changed();
  }
}

// Where the heads of traces are: in their channel, which others may stand between.
class Heads {
  #last = new Map(); // channel -> { row, head } of its last line

  // How many rows back the head of a row is, whose `head` says how many lines of its channel back it is.
  back({ channel, head }, row) {
    const last = this.#last.get(channel);
    const at = head && last ? (head === 1 ? last.row : last.head) : row;
    this.#last.set(channel, { row, head: at });
    return row - at > 0xffff ? 0 : row - at;
  }
}

const CONTROL = new Set(['start', 'gap', 'end', 'run', 'progress', 'busy', 'ping']);
