// Numbers in tables whose fields are separated by a sign: comma, semicolon or tab, with quotes as CSV has them. A line of texts
// is perhaps the header; it is one when a row with as many fields follows. Without a header the fields are `col 1`, `col 2`.
import { commaQuantity, isEpoch, isMissing, isTime, namesTime, quantity } from './quantities.js';

const FIELDS = 256; // of a line
const LONGEST = 60; // characters of a header's field
const THOUSANDS = /^\s*[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?\s*$/;

export class Separated {
  #header = null; // { sign, names }
  #fresh = null; // a line that may be the next header
  #rows = 0; // in succession, without a header, with as many fields
  #fields = 0;

  // Reads a row: 2 where it surely is one, 1 where it may be. `texts` gets the fields that are text.
  read(text, found, texts) {
    const sign = ['\t', ';', ','].find((each) => text.includes(each));
    if (sign === undefined || (THOUSANDS.test(text) && this.#header?.sign !== ',')) return 0;
    const fields = split(text, sign);
    if (fields.length < 2) return 0;
    const read = sign === ',' ? quantity : commaQuantity;
    const cells = fields.map((field) => (field === '' || isMissing(field) || isTime(field) ? undefined : read(field)));
    if (!cells.some((cell) => cell)) return this.#expect(sign, fields, cells);
    const header = this.#fitting(sign, fields.length);
    this.#fresh = null;
    if (header === null && !this.#isRow(fields, cells)) return 0;
    fill(header?.names ?? [], fields, cells, found, texts);
    return header !== null || this.#rows > 2 ? 2 : 1;
  }

  // A line without a number: the header, if a row follows. One that fits already is not replaced by a row that is all text.
  #expect(sign, fields, cells) {
    const isHeader = cells.every((cell) => cell === null) && fields.every((field) => field.length <= LONGEST);
    if (isHeader && !(this.#header?.sign === sign && this.#header.names.length === fields.length)) {
      this.#fresh = { sign, names: fields };
    }
    return 0;
  }

  #fitting(sign, count) {
    const fits = (header) => header !== null && header.sign === sign && header.names.length === count;
    if (fits(this.#fresh)) this.#header = this.#fresh;
    return fits(this.#header) ? this.#header : null;
  }

  // Prose has commas, too: a row without a header has mostly numbers, and its texts are short.
  #isRow(fields, cells) {
    const texts = fields.filter((_, at) => cells[at] === null);
    const numbers = cells.filter((cell) => cell).length;
    if (texts.length > numbers || texts.some((text) => text.length > 24 || text.includes(': '))) return false;
    this.#rows = this.#fields === fields.length ? this.#rows + 1 : 1;
    this.#fields = fields.length;
    return true;
  }
}

function fill(names, fields, cells, found, texts) {
  cells.forEach((cell, at) => {
    const name = names[at] || `col ${at + 1}`;
    if (cell === null) texts.push([name, fields[at]]);
    else if (cell && !isMoment(name, cell.value, at, names.length > 0)) found.add(name, cell.value, cell.unit);
  });
}

// The first column that is named for time is one, whatever it counts.
function isMoment(name, value, at, isNamed) {
  if (at === 0) return isNamed ? namesTime(name) : isEpoch(value);
  return isEpoch(value) && namesTime(name);
}

function split(text, sign) {
  if (!text.includes('"')) return text.split(sign, FIELDS).map((field) => field.trim());
  const fields = [];
  let at = 0;
  while (at <= text.length && fields.length < FIELDS) {
    const [field, end] = text[at] === '"' ? quoted(text, at, sign) : bare(text, at, sign);
    fields.push(field.trim());
    at = end + 1;
  }
  return fields;
}

function bare(text, at, sign) {
  const end = text.indexOf(sign, at);
  return end < 0 ? [text.slice(at), text.length] : [text.slice(at, end), end];
}

// Up to the closing quote; two quotes are one inside.
function quoted(text, begin, sign) {
  let end = text.indexOf('"', begin + 1);
  while (end >= 0 && text[end + 1] === '"') end = text.indexOf('"', end + 2);
  if (end < 0) return bare(text, begin, sign);
  const next = text.indexOf(sign, end + 1);
  return [text.slice(begin + 1, end).replaceAll('""', '"'), next < 0 ? text.length : next];
}
