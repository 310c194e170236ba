// Which part of the x axis is shown. The axis is the arrival time, or the row where lines came all at once (a file that was read
// in one go has one arrival time for all of it). It follows the newest lines unless it is paused, zoomed or held by the mouse.
// Pure.

const YOUNG = [15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3, 1800e3, 3600e3, 7200e3, 14400e3, 28800e3, 86400e3]; // ms

export const WINDOWS = [60e3, 300e3, 900e3, 3600e3, Infinity]; // ms

export class Span {
  window = WINDOWS[1];
  axis = 'times';
  zoom = null; // [from, to]
  isPaused = false;
  isHeld = false; // while the mouse draws a selection
  #shown = [0, 15e3];

  get isStill() {
    return this.isPaused || this.zoom !== null;
  }

  get shown() {
    return this.zoom ?? this.#shown;
  }

  // `held`: [first, last] of what is held on this axis; `now` only matters for times.
  range(held, now) {
    const follows = this.zoom === null && !this.isPaused && !this.isHeld && held !== null;
    if (follows) this.#shown = this.axis === 'rows' ? rows(held) : this.#times(held, now);
    return this.shown;
  }

  // A picture with little in it grows to the right in few steps; a full one moves. It stops moving before it would be empty.
  #times([first, last], now) {
    const to = Math.round(Math.max(last, Math.min(now, last + Math.min(this.window, 3600e3) / 2)));
    const age = to - first;
    if (age >= this.window) return [to - this.window, to];
    const room = YOUNG.find((each) => each >= age) ?? age;
    return [first, first + Math.min(room, this.window)];
  }

  show(window, axis = 'times') {
    this.window = window;
    this.axis = axis;
    this.zoom = null;
  }

  zoomTo(from, to) {
    const least = this.axis === 'rows' ? 2 : 20;
    if (to - from >= least) this.zoom = [Math.round(from), Math.round(to)];
  }

  // By hand: nearer or farther around the middle, or aside by a part of what is shown.
  scaleBy(factor) {
    const [from, to] = this.shown;
    const half = ((to - from) * factor) / 2;
    this.zoomTo((from + to) / 2 - half, (from + to) / 2 + half);
  }

  moveBy(part) {
    const [from, to] = this.shown;
    this.zoomTo(from + (to - from) * part, to + (to - from) * part);
  }
}

const rows = ([first, last]) => [first, Math.max(last, first + 10)];

// Whether half of the points came in an instant of the time that all of them span: then rows tell more than times.
export function isBurst({ times, size }) {
  if (size < 20) return false;
  const half = size >> 1;
  let shortest = Infinity;
  for (let at = 0; at + half < size; at += 1) shortest = Math.min(shortest, times[at + half] - times[at]);
  return shortest <= Math.max(0.002 * (times[size - 1] - times[0]), half * 0.2);
}

// The first and the last place of what some series hold, or null.
export function heldRange(curves, axis) {
  let first = Infinity;
  let last = -Infinity;
  for (const { points } of curves) {
    if (points.size === 0) continue;
    first = Math.min(first, points[axis][0]);
    last = Math.max(last, points[axis][points.size - 1]);
  }
  return first <= last ? [first, last] : null;
}
