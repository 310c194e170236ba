// Which lines match what the reader looks for, and where.
//
// Plain text is looked for here: that takes time that grows with the length of the line, and no more. A regular expression may take for
// ever, so it runs in a worker, is given lines by the thousand, and is ended if it does not answer in time.
import { plain } from '../text/ansi.js';

const PATIENCE = 1_500; // ms for one batch of lines
const LONG = 64 << 10; // characters of a line that are looked at
const MOST_RANGES = 200; // highlights in one line

// What is matched: a line as it is read, without its colours.
export const matched = (text) => plain(text.length > LONG ? text.slice(0, LONG) : text);

export class Matcher {
  error = '';
  #literal = null;
  #worker = null;
  #isReady = false; // the worker has begun; how long that takes says nothing of the expression
  #asked = new Map(); // number -> answer
  #next = 0;
  #timer = 0;
  #expression;
  #flags;
  #failed;

  // `query`: { text, isRegex, isCase }; `failed()` is told when it turns out that the expression takes too long.
  constructor({ text, isRegex, isCase }, failed) {
    this.#failed = failed;
    const flags = isCase ? 'g' : 'gi';
    if (!isRegex) {
      this.#literal = new RegExp(text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'), `${flags}u`);
      return;
    }
    this.#expression = text;
    // With Unicode, or as people wrote expressions before there was that.
    this.error = wrong(text, `${flags}u`) && wrong(text, flags);
    this.#flags = wrong(text, `${flags}u`) ? flags : `${flags}u`;
  }

  // Whether it answers at once.
  get isPlain() {
    return Boolean(this.#literal);
  }

  test(text) {
    this.#literal.lastIndex = 0;
    return this.#literal.test(matched(text));
  }

  // Where a line matches: [[from, to], ...] in its text without colours.
  ranges(text) {
    return rangesOf(this.#literal, matched(text));
  }

  // Of many lines at once: for each whether it matches.
  testAll(texts) {
    return this.#ask({ texts });
  }

  rangesAll(texts) {
    return this.#ask({ texts, where: true });
  }

  close() {
    clearTimeout(this.#timer);
    this.#worker?.terminate();
    this.#worker = null;
    this.#asked.clear();
  }

  #ask(question) {
    if (this.error) return new Promise(() => {});
    if (!this.#worker) this.#start();
    const number = this.#next++;
    this.#worker.postMessage({ number, ...question, texts: question.texts.map(matched) });
    const asked = new Promise((answer) => this.#asked.set(number, answer));
    this.#expect();
    return asked;
  }

  #start() {
    this.#worker = new Worker(new URL('./matcher-worker.js', import.meta.url), { type: 'module' });
    this.#worker.postMessage({ expression: this.#expression, flags: this.#flags });
    this.#worker.onmessage = ({ data: { isReady, number, found } }) => {
      this.#isReady ||= isReady;
      const answer = this.#asked.get(number);
      this.#asked.delete(number);
      this.#expect();
      answer?.(found);
    };
  }

  // The next answer is due.
  #expect() {
    clearTimeout(this.#timer);
    if (this.#isReady && this.#asked.size) this.#timer = setTimeout(() => this.#giveUp(), PATIENCE);
  }

  #giveUp() {
    this.close();
    this.error = 'it takes too long on these lines';
    this.#failed();
  }
}

// What is wrong with an expression; '' if nothing is.
function wrong(text, flags) {
  try {
    new RegExp(text, flags);
    return '';
  } catch (error) {
    // '/(a/gu: Unterminated group': what stands in front of the reason is what was typed.
    return String(error.message).split(': ').at(-1).toLowerCase();
  }
}

// Where an expression matches in a text.
export function rangesOf(expression, text) {
  const ranges = [];
  expression.lastIndex = 0;
  for (let found; ranges.length < MOST_RANGES && (found = expression.exec(text)); ) {
    if (found[0]) ranges.push([found.index, found.index + found[0].length]);
    else expression.lastIndex += 1;
  }
  return ranges;
}
