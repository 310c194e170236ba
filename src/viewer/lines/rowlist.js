// Row numbers in growing order, a million of them in four megabytes: added at both ends, and now and then in between.
const LEAST = 1024;

export class RowList {
  #rows = new Int32Array(LEAST);
  #from = LEAST >> 1;
  #to = LEAST >> 1;

  get length() {
    return this.#to - this.#from;
  }

  at(index) {
    return this.#rows[this.#from + index];
  }

  last() {
    return this.#to > this.#from ? this.#rows[this.#to - 1] : -Infinity;
  }

  clear() {
    this.#from = this.#to = this.#rows.length >> 1;
  }

  push(row) {
    if (this.#to === this.#rows.length) this.#makeRoom(1);
    this.#rows[this.#to++] = row;
  }

  // In front of all others, in their order.
  unshift(rows) {
    if (this.#from < rows.length) this.#makeRoom(rows.length);
    this.#from -= rows.length;
    this.#rows.set(rows, this.#from);
  }

  // Lets those below `first` go.
  shift(first) {
    this.#from += this.indexOf(first);
  }

  // The index of a row, or of the first one behind it.
  indexOf(row) {
    let low = this.#from;
    let high = this.#to;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#rows[middle] < row) low = middle + 1;
      else high = middle;
    }
    return low - this.#from;
  }

  has(row) {
    const index = this.indexOf(row);
    return index < this.length && this.at(index) === row;
  }

  // Puts rows where they belong, all of them between two that are there.
  insert(rows) {
    if (!rows.length) return;
    if (this.#rows.length - this.#to < rows.length) this.#makeRoom(rows.length);
    const at = this.#from + this.indexOf(rows[0]);
    this.#rows.copyWithin(at + rows.length, at, this.#to);
    this.#rows.set(rows, at);
    this.#to += rows.length;
  }

  // Takes out those that are in [from, to) and are not wanted.
  remove(from, to, isWanted) {
    let at = this.#from + this.indexOf(from);
    const end = this.#from + this.indexOf(to);
    for (let read = at; read < end; read++) if (isWanted(this.#rows[read])) this.#rows[at++] = this.#rows[read];
    this.#rows.copyWithin(at, end, this.#to);
    this.#to -= end - at;
  }

  // Makes room for so many at both ends: what has been let go in front is room as well.
  #makeRoom(count) {
    let size = this.#rows.length;
    while (size - this.length < 2 * Math.max(count, this.length >> 2)) size *= 2;
    const rows = new Int32Array(size);
    const from = (size - this.length) >> 1;
    rows.set(this.#rows.subarray(this.#from, this.#to), from);
    this.#to = from + this.length;
    this.#from = from;
    this.#rows = rows;
  }
}
