// A list of any number of rows of any heights, of which those in sight are elements.
//
// What is true is the *anchor*: the first row in sight, and how many pixels of it are above the edge. The browser's own scrolling moves it
// by pixels, as far as they lead; a leap of the scroll bar sets it by proportion. So rows need no known heights, and a million of them need
// no element of twenty million pixels, which no browser has. The height of the whole is an estimate: it is put right when the list rests.
//
//   scroller  ┌──────────────┐
//   (spacer)  │   rows ▒▒▒▒▒ │  rows are moved to where the anchor is at the upper edge, plus some out of sight on both sides
//             └──────────────┘
//
// While it *follows*, the last row stands at the lower edge. The reader's intention ends that, not a position: at full speed each frame
// scrolls to the end, which would cancel a slow wheel.
const TALLEST = 8_000_000; // px; less than what any browser has
const LEAST_HEIGHT = 20; // px of a row
const BEYOND = 12; // rows out of sight on each side
const NEAR = 2; // px from the end that still are the end, at any zoom
const CLOSE = 2 * LEAST_HEIGHT; // px from the end for somebody who comes down
const REST = 160; // ms without scrolling
const BACK = new Set(['ArrowUp', 'PageUp', 'Home']);

export class List {
  onfollow = () => {}; // (isFollowing)
  ontop = () => {}; // the beginning is near
  onend = () => {}; // the end is near, and is not followed
  #scroller;
  #spacer;
  #body;
  #rows; // { count, at(index), indexOf(row), isJudged(row) }
  #draw; // (row) -> element
  #nodes = new Map(); // row -> element, those that are in the list
  #stale = new Set(); // rows whose elements are to be drawn anew
  #row = 0; // the anchor
  #above = 0;
  #top = 0; // where the scroller was
  #shift = 0; // where the rows begin
  #height = 0; // of the scroller
  #average = LEAST_HEIGHT;
  #first = 0; // index of the first element
  #whole = 0; // of the spacer
  #isFollowing = true;
  #isHeld = false; // the anchor waits to be judged
  #isDown = false; // it was scrolled down since it was laid out last
  #rest = 0;
  #frame = 0;

  constructor(scroller, rows, draw) {
    this.#scroller = scroller;
    this.#rows = rows;
    this.#draw = draw;
    this.#spacer = scroller.appendChild(document.createElement('div'));
    this.#body = scroller.appendChild(document.createElement('div'));
    this.#spacer.className = 'spacer';
    this.#body.className = 'rows';
    scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    scroller.addEventListener('wheel', (event) => event.deltaY < 0 && this.pause(), { passive: true });
    scroller.addEventListener('keydown', (event) => BACK.has(event.key) && this.pause());
    document.addEventListener('selectionchange', () => this.#selected());
    new ResizeObserver(() => this.refresh()).observe(scroller);
  }

  get isFollowing() {
    return this.#isFollowing;
  }

  // The first row in sight.
  get anchor() {
    return this.#row;
  }

  element(row) {
    return this.#nodes.get(row);
  }

  // The rows that are in sight or near.
  get drawn() {
    return [...this.#nodes.keys()];
  }

  pause() {
    if (!this.#isFollowing || this.#scroller.scrollHeight - this.#height <= NEAR) return;
    this.#isFollowing = false;
    this.#hold();
    this.onfollow(false);
  }

  follow() {
    if (!this.#isFollowing) {
      this.#isFollowing = true;
      this.onfollow(true);
    }
    this.refresh();
  }

  // Shows a row, at a share of the height from the upper edge.
  show(row, share = 0.35) {
    this.#isFollowing = false;
    this.#row = row;
    this.#above = -Math.round(this.#height * share);
    this.onfollow(false);
    this.refresh();
  }

  // Scrolls as little as brings a row into sight.
  reveal(row) {
    const node = this.#nodes.get(row);
    if (!node) return this.show(row);
    const edge = this.#top - this.#shift;
    if (node.offsetTop < edge) this.move(node.offsetTop - edge - LEAST_HEIGHT);
    const under = node.offsetTop + node.offsetHeight - edge - this.#height;
    if (under > 0) this.move(under + LEAST_HEIGHT);
  }

  showStart() {
    if (this.#rows.count) this.show(this.#rows.at(0), 0);
  }

  move(pixels) {
    if (pixels < 0) this.pause();
    this.#scroller.scrollBy({ top: pixels });
  }

  page(pages) {
    this.move(pages * (this.#height - 2 * LEAST_HEIGHT));
  }

  // Rows came, went or look different: `anew` says that all must be drawn again.
  refresh(anew = false) {
    if (anew) this.#nodes.forEach((_, row) => this.#stale.add(row));
    this.#frame ||= requestAnimationFrame(() => this.#update());
  }

  // The same for who is in a frame already: it is not put off to the next.
  draw() {
    cancelAnimationFrame(this.#frame);
    this.#update();
  }

  // One row looks different.
  redraw(row) {
    if (!this.#nodes.has(row)) return;
    this.#stale.add(row);
    this.refresh();
  }

  #update() {
    this.#frame = 0;
    this.#height = this.#scroller.clientHeight;
    if (this.#height === 0) return;
    if (this.#isFollowing) this.#layEnd();
    else this.#layAnchor();
    if (this.#isDown && !this.#isFollowing && this.#isAtEnd()) this.#reachEnd();
    this.#isDown = false;
    this.#tellEdges();
  }

  // How many rows surely fill the height.
  get #most() {
    return Math.ceil(this.#height / LEAST_HEIGHT) + 1;
  }

  #layEnd() {
    const { count } = this.#rows;
    this.#fill(Math.max(0, count - this.#most - BEYOND), count);
    const height = this.#body.offsetHeight;
    this.#setHeight(Math.max(this.#estimate(count), height));
    this.#setShift(this.#whole - height);
    this.#setTop(Math.max(0, this.#whole - this.#height));
    this.#hold();
  }

  #layAnchor() {
    const { count } = this.#rows;
    // A row that is not shown any more gives its place to the one behind it.
    const index = Math.min(this.#rows.indexOf(this.#row), Math.max(0, count - 1));
    const before = BEYOND + Math.max(0, Math.ceil(-this.#above / LEAST_HEIGHT));
    const to = Math.min(count, index + this.#most + BEYOND);
    const from = Math.max(0, Math.min(index - before, to - this.#most - BEYOND));
    this.#fill(from, to);
    if (count === 0) return this.#place(0, 0, 0, 0, 0);
    const row = this.#rows.at(index);
    // A row of which it is not known yet whether it is shown keeps its place until that is known.
    this.#isHeld = row !== this.#row && !this.#rows.isJudged(this.#row);
    if (!this.#isHeld) this.#row = row;
    // How much of the rows is above the edge.
    const { offsetTop, offsetHeight } = this.#nodes.get(row);
    const over = offsetTop + Math.min(this.#above, offsetHeight - 1);
    this.#place(from, to, count, this.#body.offsetHeight, over);
  }

  // Moves the rows to where they belong, and the scroller where there is no room for them there.
  #place(from, to, count, height, over) {
    const isEnd = to === count;
    // Who has scrolled down as far as it went is at the end, though a line or two may have come since.
    if (isEnd && this.#isDown && this.#top + this.#height >= this.#whole - CLOSE) over = height - this.#height;
    if (isEnd) over = Math.min(over, height - this.#height); // nothing is below the last row
    if (from === 0) over = Math.max(over, 0); // nor above the first
    let top = from === 0 ? over : this.#top;
    if (from > 0 && top - over < 1) top = Math.max(over + 1, this.#proportion(from, count));
    const shift = top - over;
    this.#setHeight(isEnd ? shift + height : Math.max(this.#estimate(count), shift + height + this.#height));
    this.#setShift(shift);
    this.#setTop(top);
    this.#hold();
  }

  // Fills the list with the rows [from, to), using the elements that are there.
  #fill(from, to) {
    const wanted = new Map();
    const focused = this.#body.contains(document.activeElement) ? document.activeElement : null;
    for (let index = from; index < to; index++) {
      const row = this.#rows.at(index);
      wanted.set(row, (!this.#stale.has(row) && this.#nodes.get(row)) || this.#draw(row));
    }
    for (const [row, node] of this.#nodes) if (wanted.get(row) !== node) node.remove();
    this.#stale.clear();
    let next = this.#body.firstChild;
    for (const node of wanted.values()) {
      if (node === next) next = next.nextSibling;
      else this.#body.insertBefore(node, next);
    }
    this.#nodes = wanted;
    this.#first = from;
    if (focused && !focused.isConnected) this.#focus(focused);
    if (wanted.size) this.#average = Math.max(LEAST_HEIGHT, this.#average * 0.9 + (this.#body.offsetHeight / wanted.size) * 0.1);
  }

  // What had the focus was drawn anew: its successor has it, else the list.
  #focus({ className, parentNode }) {
    const row = Number(parentNode?.closest('.row')?.dataset.row);
    const same = [...(this.#nodes.get(row)?.querySelectorAll('button, a') ?? [])].find((element) => element.className === className);
    (same ?? this.#scroller).focus({ preventScroll: true });
  }

  // The anchor is what is at the upper edge now.
  #hold() {
    if (this.#isHeld) return;
    const edge = this.#top - this.#shift;
    for (const [row, node] of this.#nodes) {
      const { offsetTop, offsetHeight } = node;
      if (offsetTop + offsetHeight > edge) {
        this.#row = row;
        this.#above = edge - offsetTop;
        return;
      }
    }
  }

  #scrolled() {
    const { scrollTop } = this.#scroller;
    const moved = scrollTop - this.#top;
    if (Math.abs(moved) < 1) return;
    this.#top = scrollTop;
    this.#isHeld = false;
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#settle(), REST);
    if (this.#isFollowing) {
      // The browser moves it as well, when there is less room or less to see.
      if (moved > 0 || this.#isAtEnd() || this.#scroller.clientHeight !== this.#height) return this.refresh();
      this.#isFollowing = false;
      this.onfollow(false);
    }
    if (Math.abs(moved) > 2 * this.#height) this.#leap();
    else this.#glide(moved);
    this.#isDown = moved > 0;
    this.refresh();
  }

  #isAtEnd() {
    return this.#top + this.#height >= this.#whole - NEAR && this.#first + this.#nodes.size >= this.#rows.count;
  }

  #reachEnd() {
    if (this.onend() !== false) this.follow();
  }

  // By pixels, as far as the rows that are there lead.
  #glide(moved) {
    const edge = this.#top - this.#shift;
    if (edge >= 0 && edge < this.#body.offsetHeight) return this.#hold();
    this.#moveBy(Math.round(moved / this.#average));
  }

  #moveBy(rows) {
    const index = Math.min(Math.max(0, this.#rows.indexOf(this.#row) + rows), this.#rows.count - 1);
    if (index >= 0) this.#row = this.#rows.at(index);
    this.#above = 0;
  }

  // By proportion.
  #leap() {
    const room = this.#whole - this.#height;
    const last = Math.max(0, this.#rows.count - Math.floor(this.#height / this.#average));
    // At its end stands the last row, whatever the estimate says.
    const index = this.#top >= room - NEAR ? this.#rows.count - 1 : Math.round((this.#top / room) * last);
    if (this.#rows.count) this.#row = this.#rows.at(Math.min(index, this.#rows.count - 1));
    this.#above = 0;
  }

  // Where the scroller would be, by proportion, if this row were at the upper edge.
  #proportion(index, count) {
    const last = Math.max(1, count - Math.floor(this.#height / this.#average));
    return Math.round(Math.min(1, index / last) * Math.max(0, this.#whole - this.#height));
  }

  // The list rests: what the estimate was wrong by is put right, without a row moving.
  #settle() {
    if (this.#isFollowing || !this.#rows.count) return;
    const index = this.#rows.indexOf(this.#row);
    const wanted = this.#proportion(index, this.#rows.count);
    if (this.#first === 0 || Math.abs(wanted - this.#top) < this.#height) return;
    this.#setTop(wanted);
    this.refresh();
  }

  #tellEdges() {
    if (this.#first < this.#most) this.ontop();
  }

  #selected() {
    const selection = getSelection();
    if (!selection.isCollapsed && this.#body.contains(selection.anchorNode)) this.pause();
  }

  #estimate(count) {
    return Math.min(TALLEST, Math.round(count * this.#average));
  }

  #setHeight(height) {
    if (height === this.#whole) return;
    this.#whole = height;
    this.#spacer.style.height = `${height}px`;
  }

  #setShift(shift) {
    if (shift === this.#shift) return;
    this.#shift = shift;
    this.#body.style.transform = `translateY(${shift}px)`;
  }

  #setTop(top) {
    // The browser may have moved it, if there is less to see.
    if (Math.abs(top - this.#scroller.scrollTop) >= 1) this.#scroller.scrollTop = top;
    this.#top = this.#scroller.scrollTop;
  }
}
