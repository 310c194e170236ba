// What one word says: a number with its unit, a time, nothing, or text. Pure.
// A quantity is a number that is worth a line in a chart. Times, dates, addresses, versions, hashes, hexadecimal and long
// identifiers look like numbers and are none. Times are kept in milliseconds and sizes in bytes, so that `950us` and `1.2ms`
// of one program land on one axis.

const LONGEST = 40; // characters of a word that can still be a number
const EXACT = 15; // digits up to which a double is exact: what is longer is an identifier

const FORM = /^[([<]?([$€£¥]?)([+\-−]?)(\d+(?:,\d+)*|)(?:\.(\d+))?([eE][+-]?\d{1,3})?([%°µμa-zA-Z/]{0,12})[\])>]?[,;:.]{0,2}$/;
const GO_DURATION = /^(?:(\d{1,6})h)?(?:(\d{1,6})m)(\d{1,6}(?:\.\d{1,9})?)s,?$/;

// suffix → [factor, unit]
const UNITS = new Map([
  ['', [1, '']],
  ['x', [1, 'x']],
  ['X', [1, 'x']],
  ['i', [1, '']],
]);

function teach(unit, factor, words) {
  for (const word of words.split(' ')) UNITS.set(word, [factor, unit]);
}

teach('ms', 1e-6, 'ns nsec nanoseconds');
teach('ms', 1e-3, 'us µs μs usec usecs microseconds');
teach('ms', 1, 'ms msec msecs millis milliseconds');
teach('ms', 1e3, 's sec secs second seconds');
teach('ms', 6e4, 'min mins minute minutes');
teach('ms', 3.6e6, 'h hr hrs hour hours');
teach('m', 1, 'm');
teach('%', 1, '% pct percent');
teach('°C', 1, '°C C degC');
teach('°F', 1, '°F F degF');
teach('B', 1, 'B byte bytes Bytes');
teach('/s', 1, '/s rps qps req/s reqs/s op/s ops/s ops it/s msg/s pkt/s pps iops IOPS');
teach('fps', 1, 'fps FPS');
teach('rpm', 1, 'rpm RPM');
for (const unit of ['dB', 'dBm', 'ppm', 'hPa', 'px', 'lux']) teach(unit, 1, unit);

const STEPS = [
  ['k', 1e3],
  ['K', 1e3],
  ['M', 1e6],
  ['G', 1e9],
  ['T', 1e12],
  ['P', 1e15],
];
for (const [prefix, factor] of STEPS) {
  const binary = 1024 ** 'KMGTP'.indexOf(prefix.toUpperCase()) * 1024;
  teach('', prefix === 'k' ? factor : binary, prefix);
  teach('B', factor, `${prefix}B`);
  teach('B', binary, `${prefix}i ${prefix}iB`);
  teach('B/s', factor, `${prefix}B/s ${prefix}Bps`);
  teach('B/s', binary, `${prefix}iB/s`);
  teach('bit/s', factor, `${prefix}bit/s ${prefix}bits/s ${prefix}b/s ${prefix}bps`);
  if (prefix !== 'K' && prefix !== 'P') for (const unit of ['Hz', 'W', 'V']) teach(unit, factor, `${prefix}${unit}`);
}
teach('B/s', 1, 'B/s Bps bytes/s');
teach('bit/s', 1, 'bit/s bits/s b/s bps');
for (const unit of ['Hz', 'W', 'V', 'A']) teach(unit, 1, unit);
for (const unit of ['W', 'V', 'A']) teach(unit, 1e-3, `m${unit}`);

export class Quantity {
  constructor(value, unit) {
    this.value = value;
    this.unit = unit;
  }
}

// The quantity that a word is, or null.
export function quantity(word) {
  if (word.length === 0 || word.length > LONGEST) return null;
  if (isInteger(word)) return new Quantity(Number(word), ''); // most are
  const match = FORM.exec(word);
  if (match === null) return goDuration(word);
  const [, currency, sign, whole, part, power, suffix] = match;
  if (whole === '' && part === undefined) return null;
  const known = UNITS.get(suffix);
  if (known === undefined) return null;
  const plain = digits(whole, part, suffix !== '' || currency !== '');
  if (plain === null || (power && part === undefined && plain.length > 3)) return null;
  const value = Number(`${plain}${power ?? ''}`) * known[0];
  if (!Number.isFinite(value)) return null;
  return new Quantity(sign === '' || sign === '+' ? value : -value, known[1]);
}

// Digits and nothing else, not too many, and none that lead with zero.
function isInteger(word) {
  if (word.length > EXACT || (word.length > 1 && word.charCodeAt(0) === 48)) return false;
  for (let at = 0; at < word.length; at += 1) if (!isDigit(word.charCodeAt(at))) return false;
  return true;
}

const isDigit = (code) => code >= 48 && code <= 57;

// The digits without separators of thousands, with a decimal point; null where they are an identifier.
function digits(whole, part, marked) {
  if (whole.length > 1 && whole[0] === '0' && part === undefined && !marked && !whole.includes(',')) return null;
  let plain = whole;
  if (whole.includes(',')) {
    const groups = whole.split(',');
    const thousands =
      groups[0].length <= 3 && groups[0][0] !== '0' && groups.every((group, at) => at === 0 || group.length === 3);
    if (!thousands && (groups.length !== 2 || part !== undefined)) return null;
    plain = groups.join(thousands ? '' : '.');
  }
  if (plain.length > EXACT && !plain.includes('.')) return null;
  return part === undefined ? plain : `${plain || '0'}.${part}`;
}

function goDuration(word) {
  const match = GO_DURATION.exec(word);
  if (match === null) return null;
  return new Quantity(Number(match[1] ?? 0) * 3.6e6 + Number(match[2]) * 6e4 + Number(match[3]) * 1e3, 'ms');
}

// `12.4 ms`: a unit that stands alone behind its number. One letter is too often a word.
export function withUnit(found, word) {
  if (found.unit !== '' || word.length > 16) return null;
  const bare = word.replace(/[,;:.)\]]+$/, '');
  if (bare === '' || bare === 'i' || bare === 'm' || bare === 'x' || bare === 'X') return null;
  const known = UNITS.get(bare);
  return known === undefined ? null : new Quantity(found.value * known[0], known[1]);
}

// With a decimal comma, as tables that are separated by semicolons have it: `1.234,5`.
export function commaQuantity(word) {
  return /^[+-]?\d[\d.]{0,20},\d{1,12}$/.test(word) ? quantity(word.replaceAll('.', '').replace(',', '.')) : quantity(word);
}

const DATE = String.raw`\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{2,4}`;
const CLOCK = String.raw`\d\d?:\d\d(?::\d\d)?(?:[.,]\d+)?(?:[-+]\d\d:?\d\d|Z)?`;
const TIME = new RegExp(String.raw`^[[(]?(?:${DATE}|${CLOCK})(?:[T_ ].*)?[\]),;:]*$`);
const TIME_SIGN = /\d[-:/.]\d/;

// Clock times, dates and both in one.
export function isTime(word) {
  return word.length >= 4 && word.length <= LONGEST && TIME_SIGN.test(word) && TIME.test(word);
}

// What programs write where a number would be if there were one.
export function isMissing(word) {
  return !isDigit(word.charCodeAt(0)) && word.length <= 4 && /^(?:-{1,3}|n\/a|na|nan|null|none|nil|-?inf|\?|\*|\/)$/i.test(word);
}

// Seconds, milliseconds, microseconds or nanoseconds since 1970, of this century.
export function isEpoch(value) {
  return [1e9, 1e12, 1e15, 1e18].some((unit) => value >= 0.94 * unit && value < 4.2 * unit);
}

const MOMENTS = new Set('ts t day epoch asctime when at utc created updated createdat updatedat eventtime datetime'.split(' '));
const MOMENT = /^@?(?:(?:unix_?|epoch_?)?time(?:_?stamp)?|(?:time|date)_?(?:[mnu]s|utc)?|[a-z]{1,20}_(?:at|time|date))$/i;

// Whether a name says that its numbers are moments.
export function namesTime(name) {
  return name.length <= LONGEST && (MOMENTS.has(name.toLowerCase()) || MOMENT.test(name));
}

const NAMED_UNITS = [
  [/(?:^|[^a-zA-Z])(?:ms|msec|millis(?:econds)?)[)\]]?$|[a-z]M(?:s|illis)$/, 'ms', 1],
  [/[^a-zA-Z](?:us|µs|usec|micros(?:econds)?)[)\]]?$/, 'ms', 1e-3],
  [/[^a-zA-Z](?:ns|nanos(?:econds)?)[)\]]?$/, 'ms', 1e-6],
  [/(?:[_.-]s|\(s\)|(?:^|[^a-zA-Z])sec(?:ond)?s?[)\]]?|[a-z]Seconds)$/, 'ms', 1e3],
  [/(?:^|[^a-zA-Z])bytes[)\]]?$|[a-z]Bytes$/i, 'B', 1],
  [/^%|%$|%[)\]]$|(?:^|[^a-zA-Z])(?:percent|pct)[)\]]?$|[a-z]P(?:ercent|ct)$/, '%', 1],
];

// The unit that a name tells for its bare numbers, as [factor, unit]: `latency_ms`, `%iowait`, `size (bytes)`.
export function unitOfName(name) {
  const rule = NAMED_UNITS.find(([form]) => form.test(name));
  return rule === undefined ? UNITS.get('') : [rule[2], rule[1]];
}
