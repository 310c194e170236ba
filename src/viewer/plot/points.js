// The held points of one series, oldest first, in arrays of numbers: when each came, in which row, and its value.
// Their number is bounded. A full store is thinned: of every four points the lowest and the highest stay, so that a flood costs
// detail and never a peak. New points of a store that was thinned are taken together in the same way, as many rows and as long
// a time as make up one of the held ones. What is older than the longest window by far is let go instead.

const FIRST = 256; // points that room is made for at first
const SPAN = 6 * 3_600_000; // ms that are held for sure
const FEWEST = 64; // points that thinning needs

export class Points {
  times = new Float64Array(FIRST);
  rows = new Float64Array(FIRST);
  values = new Float64Array(FIRST);
  size = 0;
  #most;
  #together = 1; // rows that become two points
  #during = 0; // ms of them
  #open = 0; // where the points that are being taken together begin
  #taken = 0;

  constructor(most) {
    this.#most = Math.max(FEWEST, most);
  }

  set most(most) {
    this.#most = Math.max(FEWEST, most);
    while (this.size >= this.#most) this.#makeRoom();
  }

  // Times do not go backwards: a line that claims so came when the one before it did.
  add(time, row, value) {
    const last = this.size - 1;
    const at = last >= 0 && time < this.times[last] ? this.times[last] : time;
    if (this.#joins(at)) this.#merge(at, row, value);
    else this.#append(at, row, value);
  }

  #joins(time) {
    if (this.#together === 1 || this.#taken === 0 || this.#taken >= this.#together) return false;
    return time - this.times[this.#open] <= this.#during;
  }

  #append(time, row, value) {
    this.#push(time, row, value);
    this.#open = this.size - 1;
    this.#taken = 1;
  }

  #push(time, row, value) {
    if (this.size >= this.#most) this.#makeRoom();
    if (this.size >= this.times.length) this.#grow();
    this.times[this.size] = time;
    this.rows[this.size] = row;
    this.values[this.size] = value;
    this.size += 1;
  }

  // The open points are one or two: the lowest and the highest so far.
  #merge(time, row, value) {
    this.#taken += 1;
    const first = this.#open;
    if (this.size - first < 2) return this.#push(time, row, value);
    const [low, high] = this.values[first] <= this.values[first + 1] ? [first, first + 1] : [first + 1, first];
    const isLower = value < this.values[low];
    if (!isLower && !(value > this.values[high])) return undefined;
    this.#move(isLower ? high : low, first); // the other extreme comes before
    this.times[first + 1] = time;
    this.rows[first + 1] = row;
    this.values[first + 1] = value;
    return undefined;
  }

  #move(from, to) {
    this.times[to] = this.times[from];
    this.rows[to] = this.rows[from];
    this.values[to] = this.values[from];
  }

  #grow() {
    const length = Math.min(this.times.length * 2, Math.max(this.#most, this.times.length + 1));
    for (const column of ['times', 'rows', 'values']) {
      const longer = new Float64Array(length);
      longer.set(this[column]);
      this[column] = longer;
    }
  }

  #makeRoom() {
    const span = this.times[this.size - 1] - this.times[0];
    if (span > SPAN) this.#letGo(this.size >> 2);
    else this.#thin(span);
    this.#open = this.size - 1;
    this.#taken = this.#together; // the next point stands alone
  }

  #letGo(count) {
    for (const column of ['times', 'rows', 'values']) this[column].copyWithin(0, count, this.size);
    this.size -= count;
  }

  #thin(span) {
    let kept = 0;
    for (let at = 0; at < this.size; at += 4) {
      const [low, high] = this.#extremes(at, Math.min(at + 4, this.size));
      this.#move(Math.min(low, high), kept++);
      if (low !== high) this.#move(Math.max(low, high), kept++);
    }
    this.size = kept;
    this.#together = this.#together === 1 ? 4 : this.#together * 2;
    this.#during = (2 * span) / this.#most;
  }

  // Where the lowest and the highest of some points stand.
  #extremes(from, to) {
    let low = from;
    let high = from;
    for (let at = from + 1; at < to; at += 1) {
      if (this.values[at] < this.values[low]) low = at;
      if (this.values[at] > this.values[high]) high = at;
    }
    return [low, high];
  }

  // The place of the first point at or after `x` on an axis, which is 'times' or 'rows'.
  from(axis, x) {
    const column = this[axis];
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (column[middle] < x) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // The place of the point nearest to `x`, or -1.
  nearest(axis, x) {
    const after = this.from(axis, x);
    if (after === 0) return this.size > 0 ? 0 : -1;
    if (after === this.size) return after - 1;
    const column = this[axis];
    return column[after] - x < x - column[after - 1] ? after : after - 1;
  }
}
