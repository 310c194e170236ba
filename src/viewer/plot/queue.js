// Lines that wait to be read: the newest ones, at most so many and so many characters. What is let go is counted.

const LINES = 20_000;
const CHARACTERS = 8_000_000;

export class Queue {
  #lines = new Array(LINES);
  #first = 0;
  #characters = 0;
  size = 0;
  lost = 0;

  push(line) {
    if (this.size === LINES) this.#drop();
    this.#lines[(this.#first + this.size) % LINES] = line;
    this.size += 1;
    this.#characters += line.text.length;
    while (this.#characters > CHARACTERS) this.#drop();
  }

  shift() {
    const line = this.#lines[this.#first];
    this.#lines[this.#first] = undefined;
    this.#first = (this.#first + 1) % LINES;
    this.size -= 1;
    this.#characters -= line.text.length;
    return line;
  }

  #drop() {
    this.shift();
    this.lost += 1;
  }

  clear() {
    while (this.size > 0) this.shift();
    this.lost = 0;
  }
}
