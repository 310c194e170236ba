// JSON in a line: whether and where it looks like some, and the document laid out in pieces for colouring.
//
// The text is cut into tokens and checked against the grammar, never parsed into values: numbers, escapes and doubled keys stay
// as they were written. There is no recursion, so depth costs nothing but indentation; what is shown is bounded, what is checked
// is all.

const MOST_CHARS = 100_000;
const MOST_LINES = 2_000;

// Where JSON seems to begin, or -1: at the start of the line, or behind a prefix such as a time or a name. It reaches to the end.
export function looksLikeJson(text) {
  const last = text[text.trimEnd().length - 1];
  if (last !== '}' && last !== ']') return -1;
  const first = text.length - text.trimStart().length;
  WHOLE.lastIndex = first;
  if (WHOLE.test(text) && (text[first] === '{') === (last === '}')) return first;
  const begin = last === '}' ? OBJECT : ARRAY;
  begin.lastIndex = first;
  return begin.exec(text)?.index ?? -1;
}

const WHOLE = /\{\s*["}]|\[\s*(?:[\]{["]|true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\s*(?:,|\]\s*$))/y;
const OBJECT = /(?<=[\s:=|,>\]}-])\{(?=\s*["}])/g;
const ARRAY = /(?<=[\s:=|,>)\]}-])\[(?=\s*[{["])/g;

// [{ text, kind }], or null for what is no JSON. Kinds: key, string, number, word, mark, space, and last perhaps more: what is
// left out.
export function pretty(text) {
  const layout = new Layout();
  const reader = new Reader(text, layout);
  return reader.readDocument() ? layout.finish(text.length) : null;
}

class Layout {
  #pieces = [];
  #chars = 0;
  #lines = 1;
  #shownTo = -1; // up to where in the document, once no more is shown

  // A piece of the text that stands at `at` in the document.
  add(text, kind, at) {
    if (this.#shownTo >= 0) return;
    let room = MOST_CHARS - this.#chars;
    if (text.length > room) {
      if (/[\ud800-\udbff]/.test(text[room - 1])) room -= 1;
      this.#shownTo = at + room;
      text = text.slice(0, room);
    }
    this.#chars += text.length;
    if (text) this.#pieces.push({ text, kind });
  }

  breakLine(depth, at) {
    if (this.#shownTo >= 0) return;
    if (this.#lines >= MOST_LINES) {
      this.#shownTo = at;
      return;
    }
    this.#lines += 1;
    const room = MOST_CHARS - this.#chars;
    if (2 * depth + 1 > room) this.#shownTo = at;
    else this.add(`\n${'  '.repeat(depth)}`, 'space', at);
  }

  finish(length) {
    const left = this.#shownTo < 0 ? 0 : length - this.#shownTo;
    if (left > 0) this.#pieces.push({ text: `… ${left.toLocaleString('en')} more characters`, kind: 'more' });
    return this.#pieces;
  }
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
const IN_STRING = /["\\\0-\x1f]/g;
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;

// Reads a document and hands its tokens to a layout. `#at` is where it is, -1 once it has met what is no JSON.
class Reader {
  #text;
  #layout;
  #at = 0;
  #open = []; // how the containers around will be closed

  constructor(text, layout) {
    this.#text = text;
    this.#layout = layout;
  }

  readDocument() {
    this.#skip();
    while (this.#at >= 0) {
      if (!this.#readValue()) continue;
      while (this.#at >= 0 && this.#open.length && !this.#readNext());
      if (this.#at >= 0 && !this.#open.length) {
        this.#skip();
        return this.#at === this.#text.length;
      }
    }
    return false;
  }

  // Reads a whole value, or opens a container and says no.
  #readValue() {
    const sign = this.#text[this.#at];
    if (sign === '{' || sign === '[') return this.#openContainer(sign === '{' ? '}' : ']');
    if (sign === '"') this.#readString('string');
    else if (sign === 't' || sign === 'f' || sign === 'n') this.#take(this.#endOf(WORD), 'word');
    else this.#take(this.#endOf(NUMBER), 'number');
    return true;
  }

  #openContainer(close) {
    const from = this.#at;
    this.#at += 1;
    this.#skip();
    if (this.#text[this.#at] === close) {
      this.#layout.add(this.#text[from] + close, 'mark', from);
      this.#at += 1;
      return true;
    }
    this.#layout.add(this.#text[from], 'mark', from);
    this.#open.push(close);
    this.#layout.breakLine(this.#open.length, this.#at);
    if (close === '}') this.#readKey();
    return false;
  }

  // What follows a value in a container: its end, or a comma, and then another value is due.
  #readNext() {
    this.#skip();
    const close = this.#open.at(-1);
    const sign = this.#text[this.#at];
    if (sign === close) {
      this.#open.pop();
      this.#layout.breakLine(this.#open.length, this.#at);
      this.#take(this.#at + 1, 'mark');
      return false;
    }
    if (sign !== ',') return this.#take(-1);
    this.#take(this.#at + 1, 'mark');
    this.#skip();
    this.#layout.breakLine(this.#open.length, this.#at);
    if (close === '}') this.#readKey();
    return true;
  }

  #readKey() {
    if (this.#text[this.#at] !== '"') return this.#take(-1);
    this.#readString('key');
    this.#skip();
    if (this.#text[this.#at] !== ':') return this.#take(-1);
    this.#layout.add(': ', 'mark', this.#at);
    this.#at += 1;
    this.#skip();
    return true;
  }

  #readString(kind) {
    let end = this.#at + 1;
    for (;;) {
      IN_STRING.lastIndex = end;
      const found = IN_STRING.exec(this.#text);
      if (found?.[0] === '"') return this.#take(found.index + 1, kind);
      ESCAPE.lastIndex = found?.index ?? 0;
      if (!found || !ESCAPE.test(this.#text)) return this.#take(-1);
      end = ESCAPE.lastIndex;
    }
  }

  #endOf(token) {
    token.lastIndex = this.#at;
    return token.test(this.#text) ? token.lastIndex : -1;
  }

  // Takes the text up to `end` as a token; -1 means that here is no JSON.
  #take(end, kind) {
    if (end >= 0 && this.#at >= 0) this.#layout.add(this.#text.slice(this.#at, end), kind, this.#at);
    this.#at = this.#at < 0 ? -1 : end;
    return end >= 0;
  }

  #skip() {
    if (this.#at < 0) return;
    SPACE.lastIndex = this.#at;
    SPACE.test(this.#text);
    this.#at = SPACE.lastIndex;
  }
}
