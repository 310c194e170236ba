// Numbers in JSON: `{"cpu":{"user":1.5}}` is `cpu.user`. An own walk over the text instead of JSON.parse: it makes no objects of
// hostile keys, it stops after the numbers that count, and a line that was cut still gives what stood before the cut.

const DEEPEST = 16; // levels that are walked
const NAMED = 6; // levels that are part of a name
const ITEMS = 16; // items of an array that become series
const NUMBER = /-?\d{1,30}(?:\.\d{1,60})?(?:[eE][+-]?\d{1,4})?/y;
const WORD = /true|false|null/y;

class Walk {
  constructor(text, at, found, texts) {
    this.text = text;
    this.at = at;
    this.found = found;
    this.texts = texts;
  }

  // Every reader tells whether the text went on as JSON does. At the end of a cut text it does not, and what was found stays.
  value(name, depth) {
    this.space();
    const first = this.text[this.at];
    if (first === '{') return depth < DEEPEST && this.members(name, depth);
    if (first === '[') return depth < DEEPEST && this.items(name, depth);
    if (first === '"') return this.string(name);
    return this.take(WORD) !== null || this.number(name);
  }

  members(name, depth) {
    this.at += 1;
    if (this.next('}')) return true;
    do {
      this.space();
      const key = this.quoted();
      if (key === null || !this.next(':') || !this.value(join(name, key, depth), depth + 1)) return false;
    } while (this.next(','));
    return this.next('}');
  }

  items(name, depth) {
    this.at += 1;
    if (this.next(']')) return true;
    let item = 0;
    do {
      item += 1;
      const rest = item > ITEMS;
      if (!this.value(rest ? null : join(name, String(item), depth), depth + 1)) return false;
    } while (this.next(','));
    return this.next(']');
  }

  string(name) {
    const text = this.quoted();
    if (text === null) return false;
    if (name !== null && !this.found.word(name, text) && this.texts.length < 64) this.texts.push([name, text]);
    return true;
  }

  number(name) {
    const digits = this.take(NUMBER);
    if (digits === null || this.at >= this.text.length) return false;
    if (name !== null) this.found.word(name, digits) || this.exact(name, Number(digits));
    return true;
  }

  // In JSON a number is a number, also with more digits than a word may have; integers that no double holds are identifiers.
  exact(name, value) {
    if (!Number.isInteger(value) || Number.isSafeInteger(value)) this.found.number(name, value);
  }

  quoted() {
    if (this.text[this.at] !== '"') return null;
    let end = this.at;
    do end = this.text.indexOf('"', end + 1);
    while (end > 0 && isEscaped(this.text, end));
    if (end < 0) {
      this.at = this.text.length;
      return null;
    }
    const text = this.text.slice(this.at + 1, end);
    this.at = end + 1;
    return text.includes('\\') ? unescaped(text) : text;
  }

  take(form) {
    form.lastIndex = this.at;
    const match = form.exec(this.text);
    if (match === null) return null;
    this.at = form.lastIndex;
    return match[0];
  }

  next(sign) {
    this.space();
    if (this.text[this.at] !== sign) return false;
    this.at += 1;
    return true;
  }

  space() {
    while (this.text.charCodeAt(this.at) <= 32) this.at += 1;
  }
}

// A name of null: too deep or too far to be a series.
function join(name, key, depth) {
  if (name === null || depth > NAMED) return null;
  return name === '' ? key : `${name}.${key}`;
}

function isEscaped(text, at) {
  let slashes = 0;
  while (text[at - 1 - slashes] === '\\') slashes += 1;
  return slashes % 2 === 1;
}

function unescaped(text) {
  try {
    return JSON.parse(`"${text}"`);
  } catch {
    return text;
  }
}

// Reads the JSON that begins at `at`; texts beside the numbers go to `texts`. Tells whether it was JSON, or the beginning of it.
export function readObject(text, at, found, texts) {
  const walk = new Walk(text, at, found, texts);
  return walk.value('', 0) || walk.at >= text.length;
}

// Where JSON begins in a line: at its first sign, or behind a prefix.
export function objectAt(text) {
  const at = text.indexOf('{"');
  if (at >= 0) return at;
  return /^\s*(?:\{\s|\[\s*[[{"\d-])/.test(text.slice(0, 64)) && /[\]}]\s*$/.test(text.slice(-16)) ? text.search(/[[{]/) : -1;
}
