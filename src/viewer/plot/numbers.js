// The numbers of a channel's lines, without configuration. One Reader for each channel: what a line means depends on the header
// that came before it. The surest form is tried first: JSON, `key=value`, fields with separators, columns below a header; what
// only may be numbers of interest (rows that nothing names, sentences) counts as long as the channel has nothing surer. Lines are
// hostile: the work is bounded for each line, and so are the names; expressions run over bounded text in linear time.
import { Found } from './found.js';
import { Labels } from './labels.js';
import { objectAt, readObject } from './objects.js';
import { readPairs } from './pairs.js';
import { readLeading, readSentence } from './sentences.js';
import { Separated } from './separated.js';
import { Tables, readBare } from './tables.js';

export const READ = 4096; // characters of a line that are looked at
const SURE = 3; // lines after which a channel is known to have sure numbers
const SYSLOG = /^\s{0,8}(?:<\d{1,3}>)?(?:[A-Z][a-z]{2},? )?[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d(?:\.\d{1,9})? /;

export class Reader {
  #labels = new Labels();
  #tables = new Tables();
  #separated = new Separated();
  #sure = 0; // lines so far
  #perhaps = 0;

  // What the line carries as { names, values, fields, label, units, groups, fresh }, or null. `fresh`: what was held of the
  // channel before has other names for the same things, and is best forgotten.
  read(text) {
    if (!/\d/.test(text.length > READ ? text.slice(0, READ) : text)) return this.#header(text);
    const line = lastLine(text.slice(0, READ));
    return this.#object(line) ?? this.#rest(line.replace(SYSLOG, ''));
  }

  // A line without a digit is at most a header.
  #header(text) {
    if (text.length > READ) return null;
    const line = lastLine(text);
    if (this.#separated.read(line, new Found(), []) === 0) this.#tables.read(line, new Found(), []);
    return null;
  }

  #object(line) {
    const at = objectAt(line);
    if (at < 0) return null;
    const found = new Found();
    const texts = [];
    return readObject(line, at, found, texts) ? this.#done(found, texts, true) : null;
  }

  #rest(line) {
    return this.#pairs(line) ?? this.#fields(line) ?? this.#columns(line);
  }

  #pairs(line) {
    if (!line.includes('=')) return null;
    const found = new Found();
    const texts = [];
    if (!readPairs(line, found, texts) || found.values.length === 0) return null;
    readLeading(line, found);
    return this.#done(found, texts, true);
  }

  #fields(line) {
    const found = new Found();
    const texts = [];
    const sureness = this.#separated.read(line, found, texts);
    return sureness > 0 && this.#counts(sureness > 1) ? this.#done(found, texts, sureness > 1) : null;
  }

  // A line that belongs to a table is nothing else, also where it gives no numbers.
  #columns(line) {
    const found = new Found();
    const texts = [];
    return this.#tables.read(line, found, texts) ? this.#done(found, texts, true) : this.#loose(line);
  }

  #loose(line) {
    if (!this.#counts(false)) return null;
    const found = new Found();
    const texts = [];
    if (readBare(line, found, texts)) return this.#done(found, texts, false);
    const said = new Found();
    return readSentence(line, said) ? this.#done(said, [], false) : null;
  }

  #counts(isSure) {
    return isSure || this.#sure <= SURE || this.#perhaps > this.#sure;
  }

  #done(found, texts, isSure) {
    if (found.values.length === 0) return null;
    this.#labels.put(found, texts);
    if (isSure) this.#sure += 1;
    else this.#perhaps += 1;
    return found.done();
  }
}

// A line that was overwritten on a terminal comes in parts: the last one counts. A file may begin with a mark of its encoding.
function lastLine(marked) {
  const text = marked.charCodeAt(0) === 0xfeff ? marked.slice(1) : marked;
  if (!text.includes('\n')) return text;
  return text.split('\n').findLast((part) => part.trim() !== '') ?? '';
}
