// Numbers in text for people, where it is plain what they count: `load average: 0.42, 0.51, 0.60`, `Tasks: 84 total, 1 running`,
// `request took 12 ms`, `Temp: 45.2 C`. A number without a unit, a colon or a list around it is left alone: most of those are
// ports, sizes of pools and numbers of lines.
import { isTime, quantity, withUnit } from './quantities.js';

const PARTS = 64; // of a line
const WORDS = 64; // of a part
const BETWEEN = /(?<!\d),|,(?!\d)|[;|]|\.\s/; // a comma between digits belongs to the number
const KEY = /^[A-Za-z%_(][\w %()/.\-[\]+]{0,39}$/;
export const LEVELS = /\b(?:trace|debug|info|notice|warn|warning|error|err|fatal|critical|crit|panic|line|port|pid)\s*$/i;
const PREPOSITIONS = new Set('in at of to for by from with after within about is was are took = - a an the and'.split(' '));

export function readSentence(text, found) {
  let prefix = '';
  let place = 0; // in the list behind the prefix
  const tally = { counted: 0 }; // numbers that had only words behind them
  for (const part of text.split(BETWEEN, PARTS)) {
    const { key, rest } = keyed(part);
    if (key !== '') [prefix, place] = [key, 0];
    const words = rest.trim().split(/\s+/, WORDS);
    const first = quantity(words[0]);
    if (first === null) measured(words, found);
    else count(first, words.slice(1), { prefix, place: ++place }, found, tally);
  }
  return found.values.length > tally.counted || tally.counted > 1;
}

// The number that a line begins with behind its name: `Core 0:  +45.0°C  (high = +80.0°C)`.
export function readLeading(text, found) {
  const { key, rest } = keyed(text.slice(0, 80));
  const words = rest.trim().split(/\s+/, 3);
  const first = quantity(words[0]);
  if (key !== '' && first !== null)
    count(
      first,
      words.slice(1, 2).filter((word) => /^\w+$/.test(word)),
      { prefix: key, place: 1 },
      found,
      {},
    );
}

function keyed(part) {
  const colon = part.search(/:\s|(?<=\)):/);
  const key = colon < 0 ? '' : part.slice(0, colon).trim();
  const legal = key !== '' && KEY.test(key) && !LEVELS.test(key);
  return { key: legal ? key : '', rest: colon < 0 ? part : part.slice(colon + 1) };
}

// A part that begins with its number: the words behind it are a unit, or what is counted. One count alone may be anything.
function count(first, rest, { prefix, place }, found, tally) {
  const isShare = prefix.startsWith('%'); // `%Cpu(s):  0.0 us`: no microseconds
  const { value, unit } = (!isShare && rest.length > 0 && withUnit(first, rest[0])) || first;
  const counted = (value === first.value && unit === first.unit ? rest : rest.slice(1)).join(' ');
  if (counted === '' && prefix !== '') {
    found.add(place === 1 ? prefix : `${prefix} ${place}`, value, isShare ? '%' : unit);
  } else if (counted !== '' && rest.length <= 4 && !/\d/.test(counted)) {
    found.add(`${prefix} ${counted}`, value, isShare ? '%' : unit);
    tally.counted += 1;
  }
}

// Numbers with a unit inside a text, named by the word before them.
function measured(words, found) {
  words.forEach((word, at) => {
    if (at === 0 || isTime(word)) return;
    const bare = quantity(word);
    if (bare === null) return;
    const exact = bare.unit !== '' ? bare : withUnit(bare, words[at + 1] ?? '');
    if (exact !== null) found.add(nameBefore(words, at), exact.value, exact.unit);
  });
}

function nameBefore(words, at) {
  const before = words[at - 1].replace(/[:=,(\[]+$/, '');
  const isWeak = PREPOSITIONS.has(before.toLowerCase()) && at > 1 && !/\d/.test(words[at - 2]);
  return isWeak ? `${words[at - 2]} ${before}` : before;
}
