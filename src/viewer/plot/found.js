// The numbers found in one line: for each its field (the bare name), its unit and the group that a header puts it in; the label
// says which thing all of them are about (a host, a symbol, a device). All of it is bounded, names are made harmless here.
import { own } from './own.js';
import { isEpoch, namesTime, quantity, unitOfName } from './quantities.js';

const MOST = 64; // numbers of one line
const LONGEST = 40; // characters of a name
const REMEMBERED = 1_000; // names whose clean form is kept

// What draws nothing or turns text around: controls, joiners, the marks and overrides of direction, lone surrogates.
const HARMFUL = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

// A name as it is shown: one line, of bounded length, with the middle let go because names differ at their ends.
export function clean(name) {
  const cut = name.length > 4 * LONGEST ? `${name.slice(0, 2 * LONGEST)}${name.slice(-2 * LONGEST)}` : name;
  const shown = cut.replace(HARMFUL, '\ufffd').replace(/\s+/g, ' ').trim();
  const points = [...shown];
  return points.length <= LONGEST ? shown : `${points.slice(0, LONGEST - 16).join('')}…${points.slice(-15).join('')}`;
}

const fields = new Map(); // name → { text, factor, unit }

// A field's name in its clean form, with the unit that it tells.
function field(name) {
  let known = fields.get(name);
  if (known === undefined) {
    if (fields.size >= REMEMBERED) fields.clear();
    const text = own(clean(name)) || '?';
    const [factor, unit] = unitOfName(text);
    known = { text, factor, unit };
    if (name.length <= 4 * LONGEST) fields.set(own(name), known);
  }
  return known;
}

export class Found {
  names = [];
  values = [];
  fields = [];
  units = [];
  groups = [];
  label = '';
  fresh = false; // the channel's names mean something else from this line on

  get isFull() {
    return this.values.length >= MOST;
  }

  // `unit` is what stood behind the number; where there is none the field's name may tell one, but not in a group: vmstat's `us`.
  add(name, value, unit = '', group = '') {
    if (this.isFull || !Number.isFinite(value)) return;
    const known = field(name);
    const isTold = unit === '' && group === '';
    this.fields.push(known.text);
    this.values.push(isTold ? value * known.factor : value);
    this.units.push(isTold ? known.unit : unit);
    this.groups.push(group);
  }

  // A field and the word that is its value. Tells whether the word was a number, also one that is no series: a moment.
  word(name, word, group) {
    const found = quantity(word);
    if (found !== null) this.number(name, found.value, found.unit, group);
    return found !== null;
  }

  number(name, value, unit, group) {
    if (!(isEpoch(value) && namesTime(name))) this.add(name, value, unit, group);
  }

  // The names in full, once the label is known; null where the line had no number.
  done() {
    if (this.values.length === 0) return null;
    const label = this.label === '' ? '' : clean(this.label);
    this.label = label;
    this.names = label === '' ? this.fields : this.fields.map((name) => `${label} ${name}`);
    return this;
  }
}
