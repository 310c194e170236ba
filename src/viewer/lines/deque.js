// A list that grows and shrinks at both ends. What is taken from the front leaves its place until there are as many as remain.
export class Deque {
  #items = [];
  #from = 0;

  get length() {
    return this.#items.length - this.#from;
  }

  at(index) {
    return this.#items[this.#from + index];
  }

  push(item) {
    this.#items.push(item);
  }

  unshift(...items) {
    this.#items.splice(0, this.#from, ...items);
    this.#from = 0;
  }

  shift() {
    const item = this.#items[this.#from];
    this.#items[this.#from++] = undefined;
    if (this.#from > 64 && this.#from * 2 > this.#items.length) {
      this.#items.splice(0, this.#from);
      this.#from = 0;
    }
    return item;
  }
}
