// Numbers as people read them: `21.43M`, `12.4 ms`, `3.2 MiB/s`; on an axis all with one prefix and as many digits as tell them
// apart.

const SI = [
  [1e-6, 'µ'],
  [1e-3, 'm'],
  [1, ''],
  [1e3, 'k'],
  [1e6, 'M'],
  [1e9, 'G'],
  [1e12, 'T'],
  [1e15, 'P'],
];
const SCALES = new Map([
  [
    '',
    [
      [1, ''],
      [1e6, 'M'],
      [1e9, 'G'],
      [1e12, 'T'],
      [1e15, 'P'],
    ],
  ],
  [
    'ms',
    [
      [1e-6, ' ns'],
      [1e-3, ' µs'],
      [1, ' ms'],
      [1e3, ' s'],
      [6e4, ' min'],
      [3.6e6, ' h'],
    ],
  ],
  ...['B', 'B/s'].map((unit) => [
    unit,
    ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'].map((prefix, power) => [1024 ** power, ` ${prefix}${unit}`]),
  ]),
  ...['bit/s', 'Hz', 'W', 'V', 'A'].map((unit) => [unit, SI.map(([factor, prefix]) => [factor, ` ${prefix}${unit}`])]),
  ['%', [[1, '%']]],
]);
const AXIS = [
  [1, ''],
  [1e3, 'k'],
  [1e6, 'M'],
  [1e9, 'G'],
  [1e12, 'T'],
  [1e15, 'P'],
];

// The largest step that the number reaches; thousands and minutes only from ten of them on.
function stepOf(size, steps) {
  let best = steps.find(([factor]) => factor === 1) ?? steps[0];
  if (size > 0 && size < best[0]) best = steps[0];
  for (const step of steps) if (size >= step[0] * (step[1] === ' min' || step[1] === 'k' ? 10 : 1)) best = step;
  return best;
}

const stepsOf = (unit) => SCALES.get(unit) ?? [[1, ` ${unit}`]];

const plain = new Intl.NumberFormat('en', { maximumSignificantDigits: 6 });
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 4 });

// One number with its unit.
export function value(number, unit) {
  if (!Number.isFinite(number)) return '–';
  const size = Math.abs(number);
  if (size >= 1e18 || (size > 0 && size < 1e-4 && unit === '')) return number.toExponential(2);
  const [factor, suffix] = stepOf(size, stepsOf(unit));
  return `${(factor === 1 ? plain : short).format(number / factor)}${suffix}`;
}

// The marks of a y axis.
export function ticks(splits, unit) {
  const size = Math.max(...splits.map(Math.abs));
  const [factor, suffix] = stepOf(size, unit === '' ? AXIS : stepsOf(unit));
  if (size >= 1e18 || (size > 0 && size < 1e-4 && factor === 1)) return splits.map((split) => split.toExponential(1));
  const scaled = splits.map((split) => split / factor);
  const digits = digitsOf(scaled);
  return scaled.map((split) => (split === 0 ? '0' : `${grouped(split.toFixed(digits))}${suffix}`));
}

const grouped = (digits) => digits.replace(/^(-?\d)(?=\d{3}(?:\.|$))/, '$1,');

function digitsOf(numbers) {
  for (let digits = 0; digits < 6; digits += 1) {
    const power = 10 ** digits;
    if (numbers.every((number) => Math.abs(number * power - Math.round(number * power)) < 1e-6 * power)) return digits;
  }
  return 6;
}

// Steps of an axis of sizes: powers of two, so that its marks are round in KiB.
export const BINARY_STEPS = Array.from({ length: 60 }, (_, power) => 2 ** power);

export const isBinary = (unit) => unit === 'B' || unit === 'B/s';

const two = (number) => String(number).padStart(2, '0');

// The marks of the x axis: as exact as they are apart, with the date where it changes.
export function times(splits, apart) {
  return splits.map((split, at) => {
    const date = new Date(split);
    const isNewDay = at > 0 && date.getDate() !== new Date(splits[at - 1]).getDate();
    if (isNewDay || apart >= 86_400_000) return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    return time(split, apart);
  });
}

export function time(at, apart = 1) {
  const date = new Date(at);
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (apart >= 60_000) return minutes;
  const seconds = `${minutes}:${two(date.getSeconds())}`;
  return apart >= 1_000 ? seconds : `${seconds}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
