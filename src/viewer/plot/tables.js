// Numbers in tables with columns of white space, as vmstat, iostat, sar, mpstat, free, df and dstat print them, again and again:
// a line of words is perhaps a header; it is one when a row with as many words follows, half of them numbers at least.
// A line of `---memory---` above a header names groups by the place where they stand. Headers that had a row are kept, because
// other lines and other tables come between.
import { isEpoch, isMissing, isTime, quantity } from './quantities.js';
import { LEVELS } from './sentences.js';

const WORDS = 128; // of a line
const HEADERS = 8; // that are kept
const NAME = /^[%@\w(](?:[^\s=]{0,38}[^\s=.,;!?])?$/;
const GROUPS = /^[\s\w/:|-]+$/;
const RULE = /^[\s|+=:-]+$/; // drawn below a header by psql and others
const NUMBERED = /^(?:#?cpu|core|gpu|node|disk|dev(?:ice)?)$/i; // a first column that names the row also where it is a number

// The words of a line that are no times, with the place where each stands.
export function words(text) {
  const found = [];
  for (const { 0: word, index } of text.matchAll(/[^\s|]+/g)) {
    if (found.length >= WORDS) break;
    if (!isTime(word) && !(found.length === 0 && /^[AP]M$/.test(word))) found.push({ word, at: index });
  }
  return found;
}

export class Tables {
  #spans = []; // of the last line of groups
  #fresh = null; // the last line that may be a header
  #headers = []; // those that had a row, the newest sighting first

  // Reads a row if one of the headers fits; tells whether the line belongs to a table. `texts` gets the columns that are text.
  read(text, found, texts) {
    if (RULE.test(text)) return false;
    if (/^(?:Average:|Linux \d)/.test(text)) return true; // the end of sar, the beginning of iostat
    if (this.#isGroups(text) || this.#isHeader(text)) return false;
    const row = words(text);
    if (row.length === 0) return false;
    const cells = row.map(({ word }) => (isMissing(word) ? undefined : quantity(word)));
    const header = this.#fitting(row, cells);
    this.#fresh = null;
    if (header === undefined) return false;
    this.#keep(header);
    if (!header.isProcesses) fill(header, row, cells, found, texts);
    return true;
  }

  #fitting(row, cells) {
    const numbers = cells.filter((cell) => cell).length;
    const texts = cells.filter((cell) => cell === null).length;
    if (numbers === 0) return undefined;
    if (this.#fresh !== null && numbers >= texts && shift(this.#fresh, row, cells) !== null) return this.#fresh;
    return this.#headers.find((header) => (numbers >= texts || header.isProcesses) && shift(header, row, cells) !== null);
  }

  #keep(header) {
    this.#headers = [header, ...this.#headers.filter((kept) => kept.text !== header.text)].slice(0, HEADERS);
  }

  #isGroups(text) {
    if (!text.includes('--') || !GROUPS.test(text)) return false;
    this.#spans = words(text).map(({ word, at }) => ({
      name: word.split('-').filter(Boolean).join(' '),
      from: at,
      to: at + word.length,
    }));
    return true;
  }

  #isHeader(text) {
    const known = this.#headers.find((header) => header.text === text);
    if (known !== undefined) {
      this.#fresh = known;
      this.#keep(known);
      return true;
    }
    if (text[0] === '#' && this.#fresh?.text[0] === '#') return true; // units below the names, as nvidia-smi has them
    const columns = words(text.replace(/^(\s*)#/, '$1 ').replace('Mounted on', 'Mounted_on'));
    if (columns.length < 2 || !columns.every(({ word }) => NAME.test(word) && /[a-z%]/i.test(word) && quantity(word) === null))
      return false;
    const names = new Set(columns.map(({ word }) => word));
    if (names.size === columns.length) this.#fresh = this.#header(text, columns, names);
    return true;
  }

  #header(text, columns, names) {
    const spans = this.#spans;
    this.#spans = [];
    const overlap = ({ word, at }) => spans.find(({ from, to }) => at < to && at + word.length > from)?.name ?? '';
    return {
      text,
      columns: columns.map((column) => ({ name: column.word, group: overlap(column) })),
      isProcesses: names.has('PID') && (names.has('COMMAND') || names.has('CMD')), // top and ps: rows come by rank, not by name
    };
  }
}

// By how many columns the row stands left of its header; null where the two do not belong together. `free` has no name above its
// first column, `avg-cpu:` in iostat none below.
function shift({ columns }, row, cells) {
  const more = row.length - columns.length;
  if (columns[0].name.endsWith(':') && more === -1) return -1;
  if (cells[0] === null && row[0].word.endsWith(':') && more <= 1 && row.length > 1) return 1;
  if (more === 0) return 0;
  if (more === 1 && cells[0] === null && cells.every((cell, at) => at === 0 || cell !== null)) return 1;
  // `vmstat -t` has the zone above the time.
  return more === -1 && row.length > 2 && cells.every((cell) => cell !== null) ? 0 : null;
}

function fill(header, row, cells, found, texts) {
  const left = shift(header, row, cells);
  cells.forEach((cell, at) => {
    const column = header.columns[at - left];
    if (cell === null || (cell && at === 0 && column && NUMBERED.test(column.name))) {
      if (row.length > 1) texts.push([column?.name.replace(/:$/, '') ?? 'name', label(column, row[at].word)]);
    } else if (cell && column) {
      found.add(column.name, cell.value, cell.unit, column.group);
    }
  });
}

const label = (column, word) => (/^\d/.test(word) && column ? `${column.name} ${word}` : word.replace(/:$/, ''));

// Rows of numbers that nothing names: `col 1`, `col 2` as awk counts them, and `value` where there is but one.
export function readBare(text, found, texts) {
  const row = text.match(/[^\s|]+/g)?.slice(0, WORDS) ?? [];
  let cells = row.map((word) => (isTime(word) || isMissing(word) ? undefined : quantity(word)));
  if (cells.filter((cell) => cell).length > 1) cells = cells.map((cell) => (cell && isEpoch(cell.value) ? undefined : cell));
  const numbers = cells.filter((cell) => cell).length;
  const others = cells.filter((cell) => cell === null).length;
  if (numbers === 0 || others > numbers || others > 2) return false;
  if (numbers === 1 && others === 1) return named(row, cells, found);
  cells.forEach((cell, at) => {
    if (cell) found.number(numbers === 1 ? 'value' : `col ${at + 1}`, cell.value, cell.unit);
    else if (cell === null) texts.push([`col ${at + 1}`, row[at]]);
  });
  return found.values.length > 0;
}

// `cpu 12.5` as graphite has it, `12 /tmp` as du and uniq count.
function named(row, cells, found) {
  const name = row[cells.indexOf(null)];
  const cell = cells.find((each) => each);
  if (!/^[/.]{0,2}[A-Za-z_][\w.\-/%:()[\]{}"=,]{0,80}$/.test(name) || LEVELS.test(name.replace(/:$/, ''))) return false;
  found.add(name.replace(/[:=]$/, ''), cell.value, cell.unit);
  return true;
}
