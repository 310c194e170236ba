// What the plot holds, how much of it, and what of it is drawn.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrange, choose } from '../../src/viewer/plot/arrange.js';
import { ticks, time, times, value } from '../../src/viewer/plot/format.js';
import { Intake } from '../../src/viewer/plot/intake.js';
import { Points } from '../../src/viewer/plot/points.js';
import { Queue } from '../../src/viewer/plot/queue.js';
import { Series } from '../../src/viewer/plot/series.js';
import { Span, heldRange, isBurst } from '../../src/viewer/plot/span.js';

// What a Reader would have found: { name: value }.
function found(numbers, { label = '', unit = '', group = '', fresh = false } = {}) {
  const fields = Object.keys(numbers);
  const values = Object.values(numbers);
  const names = fields.map((field) => (label ? `${label} ${field}` : field));
  return { names, fields, values, label, fresh, units: values.map(() => unit), groups: values.map(() => group) };
}

function filled(numbers) {
  const series = new Series();
  numbers.forEach((each, at) => series.add('stdin', 1_000 * at, found(each)));
  return series;
}

// Lines read as the page does it, one a second.
function readAll(lines, channel = 'stdin', intake = new Intake()) {
  lines.forEach((line, at) => intake.add(channel, 1e12 + 1_000 * at, line));
  while (intake.readFor(50));
  return intake;
}

const drawn = (curves) => {
  const charts = arrange(curves);
  choose(charts);
  return charts
    .map(({ title, curves: members }) => [title, members.filter((curve) => curve.isOn).map((curve) => curve.short)])
    .filter(([, on]) => on.length > 0);
};

test('numbers are held by channel and name', () => {
  const series = new Series();
  series.add('a', 1, found({ x: 1, y: 2 }));
  series.add('b', 2, found({ x: 3 }));
  series.add('a', 3, found({ x: 5 }));
  assert.equal(series.all().length, 3);
  const { points, last, seen } = series.get('a', 'x');
  assert.deepEqual(
    [[...points.times.slice(0, 2)], [...points.values.slice(0, 2)], [...points.rows.slice(0, 2)], last, seen],
    [[1, 3], [1, 5], [1, 3], 5, 2],
  );
  series.add('a', 4, found({ z: 1 }, { fresh: true }));
  assert.deepEqual(
    series.all().map((curve) => curve.name),
    ['x', 'z'],
  );
  series.clear();
  assert.deepEqual([series.all(), series.values], [[], 0]);
});

test('the number of series is bounded', () => {
  const series = new Series({ series: 5 });
  for (let at = 0; at < 9; at += 1) series.add(`c${at}`, at, found({ [`__proto__${at}`]: at, x: at }));
  assert.equal(series.all().length, 5);
  assert.equal(series.refused, 2 * 9 - 5);
});

test('the points of all series are bounded: the more series, the fewer points each', () => {
  const series = new Series({ points: 1_000, all: 4_000 });
  for (let at = 0; at < 2_000; at += 1) series.add('a', at * 60_000, found({ x: at }));
  assert.ok(series.get('a', 'x').points.size <= 1_000);
  for (let at = 0; at < 2_000; at += 1)
    series.add('b', at * 60_000, found(Object.fromEntries(Array.from({ length: 30 }, (_, name) => [name, at]))));
  assert.ok(series.all().reduce((sum, { points }) => sum + points.size, 0) <= 4_000);
  assert.equal(series.get('a', 'x').points.values[series.get('a', 'x').points.size - 1], 1_999, 'the newest stay');
});

test('times do not go backwards', () => {
  const points = new Points(100);
  [5, 3, 7].forEach((at, row) => points.add(at, row, row));
  assert.deepEqual([...points.times.slice(0, 3)], [5, 5, 7]);
});

test('a flood costs detail, never a peak', () => {
  const points = new Points(1_000);
  for (let row = 0; row < 1_000_000; row += 1)
    points.add(row / 50, row, row === 333_333 ? 1e6 : row === 777_777 ? -1e6 : Math.sin(row / 1e5));
  const values = [...points.values.slice(0, points.size)];
  assert.ok(points.size <= 1_000 && points.size > 200, `${points.size} points`);
  assert.ok(values.includes(1e6) && values.includes(-1e6));
  const ordered = (column) => column.slice(0, points.size).every((each, at, all) => at === 0 || all[at - 1] <= each);
  assert.ok(ordered(points.times) && ordered(points.rows));
  const tenths = Array.from(
    { length: 10 },
    (_, part) => points.from('times', (part + 1) * 2_000) - points.from('times', part * 2_000),
  );
  assert.ok(Math.min(...tenths) > 5, `every part of the time has points: ${tenths}`);
});

test('slow lines after a flood are not taken together', () => {
  const points = new Points(1_000);
  for (let row = 0; row < 5_000; row += 1) points.add(0, row, row % 7);
  const before = points.size;
  for (let row = 0; row < 50; row += 1) points.add(1_000 * (row + 1), 5_000 + row, row);
  assert.equal(points.size - before, 50);
});

test('what is older than any window is let go', () => {
  const points = new Points(1_000);
  for (let row = 0; row < 3_000; row += 1) points.add(row * 60_000, row, row);
  assert.ok(points.size <= 1_000 && points.times[0] > 1_000 * 60_000);
  assert.equal(points.times[1] - points.times[0], 60_000, 'in full detail');
});

test('few points are drawn where they are', () => {
  const series = filled([{ x: 1, y: 10 }, { x: 2 }, { x: 3, y: 30 }]);
  assert.deepEqual(series.frame(series.all(), 'times', 0, 2_000, 100), [
    [0, 1_000, 2_000],
    [1, 2, 3],
    [10, undefined, 30],
  ]);
  assert.deepEqual(series.frame([series.get('stdin', 'y')], 'rows', 0, 9, 100), [
    [1, 3],
    [10, 30],
  ]);
  assert.deepEqual(series.frame([], 'times', 0, 9, 100), [[]]);
});

test('one point beyond each edge is there, so that lines reach it', () => {
  const series = filled(Array.from({ length: 10 }, (_, x) => ({ x })));
  assert.deepEqual(series.frame(series.all(), 'times', 3_500, 5_500, 100)[0], [3_000, 4_000, 5_000, 6_000]);
});

test('a hole in the points is a hole in the line', () => {
  const series = new Series();
  [0, 1, 2, 3, 60, 61, 62].forEach((at) => series.add('stdin', at * 1_000, found({ x: at })));
  const [xs, ys] = series.frame(series.all(), 'times', 0, 62_000, 100);
  assert.deepEqual(ys, [0, 1, 2, 3, null, 60, 61, 62]);
  assert.equal(xs[4], 3_001);
});

test('many points: each column has its lowest and its highest, in their order', () => {
  const series = new Series();
  for (let at = 0; at < 10_000; at += 1) series.add('stdin', at, found({ x: at === 5_000 ? 99 : at % 10, y: 1 }));
  const [xs, x, y] = series.frame(series.all(), 'times', 0, 10_000, 100);
  assert.ok(xs.length <= 2 * 103 && xs.every((each, at) => at === 0 || xs[at - 1] < each));
  assert.ok(x.length === xs.length && y.length === xs.length);
  assert.ok(x.includes(99) && x.filter((each) => each === 0).length > 50 && !x.includes(null));
  const moved = series.frame(series.all(), 'times', 40, 10_040, 100);
  const places = new Set(xs);
  assert.ok(moved[0].filter((each) => places.has(each)).length > xs.length - 8, 'columns stay where they are');
});

test('many points with a hole', () => {
  const series = new Series();
  for (let at = 0; at < 4_000; at += 1) series.add('stdin', at < 2_000 ? at * 10 : 60_000 + at * 10, found({ x: at }));
  const [, ys] = series.frame(series.all(), 'times', 0, 100_000, 100);
  assert.ok(ys.filter((each) => each === null).length > 50);
});

test('vmstat is drawn group by group, without what stands still', () => {
  const header = [
    'procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----',
    ' r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st',
  ];
  const rows = Array.from(
    { length: 30 },
    (_, at) =>
      ` ${1 + (at % 3)}  0      0 ${8e6 - (at % 5) * 1000} 9616 ${2e6 + at * 10}    0    0  ${at % 7}  ${at % 9} ` +
      ` ${700 + (at % 4)} ${1285 - (at % 6)} ${50 + (at % 8)} ${15 - (at % 2)} ${33 - (at % 8)}  0  0`,
  );
  assert.deepEqual(drawn(readAll([...header, ...rows]).series.all()), [
    ['procs', ['r']],
    ['memory', ['free']],
    ['io', ['bi', 'bo']],
    ['system', ['in', 'cs']],
    ['cpu', ['us', 'sy', 'id']],
  ]);
});

test('ping: the time, neither the counter nor what is constant', () => {
  const lines = Array.from(
    { length: 10 },
    (_, at) => `64 bytes from 1.1.1.1: icmp_seq=${at + 1} ttl=57 time=${12 + (at % 3)} ms`,
  );
  assert.deepEqual(drawn(readAll(lines).series.all()), [['', ['time']]]);
});

test('where nothing varies there is still something to see', () => {
  assert.deepEqual(drawn(readAll(Array.from({ length: 10 }, (_, at) => String(at))).series.all()), [['', ['value']]]);
  assert.deepEqual(drawn(readAll(Array.from({ length: 10 }, () => 'x=5')).series.all()), [['', ['x']]]);
  assert.deepEqual(drawn([]), []);
});

test('prices far from one another get a scale each, volumes share one', () => {
  const symbols = { AAPL: 189, MSFT: 410, GOOG: 189.5 };
  const lines = Array.from({ length: 60 }, (_, at) => {
    const [symbol, price] = Object.entries(symbols)[at % 3];
    return `2026-11-30T13:46:01Z,${symbol},${price + ((at * 7) % 10) / 10},${100 + ((at * 37) % 900)}`;
  });
  assert.deepEqual(drawn(readAll(['time,symbol,price,volume', ...lines]).series.all()), [
    ['price', ['AAPL', 'GOOG']],
    ['price', ['MSFT']],
    ['volume', ['AAPL', 'MSFT', 'GOOG']],
  ]);
});

test('things with many fields are shown one by one, with few compared', () => {
  const wide = ['sda', 'sdb'].flatMap((device) =>
    Array.from(
      { length: 6 },
      (_, at) => `device=${device} a=${1 + (at % 3)} b=${2 + (at % 2)} c=${3 - (at % 3)} d=${2 + ((at * 3) % 4)}`,
    ),
  );
  assert.deepEqual(
    drawn(readAll(wide).series.all()).map(([title]) => title),
    ['sda', 'sdb'],
  );
  const few = Array.from(
    { length: 30 },
    (_, at) => `{"host":"${['a', 'b', 'c'][at % 3]}","cpu_percent":${(at * 7) % 50},"took_ms":${(at * 5) % 30}}`,
  );
  assert.deepEqual(drawn(readAll(few).series.all()), [
    ['cpu_percent', ['a', 'b', 'c']],
    ['took_ms', ['a', 'b', 'c']],
  ]);
});

test('magnitudes and units have charts of their own', () => {
  const lines = Array.from(
    { length: 20 },
    (_, at) =>
      `small=${1 + (at % 3)} big=${1e6 + (at % 4) * 1e5} also=${2 + (at % 2)} dur=${5 + (at % 3)}ms ` +
      `status=${200 + (at % 2) * 300}`,
  );
  assert.deepEqual(drawn(readAll(lines).series.all()), [
    ['', ['big']],
    ['', ['small', 'also']],
    ['', ['dur']],
  ]);
});

test('so many series are on and no more, and what the reader of the page wants comes first', () => {
  const numbers = (at) => Array.from({ length: 30 }, (_, name) => `n${name}=${(at * (name + 1)) % 11}`).join(' ');
  const curves = readAll(Array.from({ length: 20 }, (_, at) => numbers(at))).series.all();
  assert.equal(drawn(curves).flatMap(([, on]) => on).length, 8);
  curves[0].wanted = false;
  curves[29].wanted = true;
  const on = drawn(curves).flatMap(([, names]) => names);
  assert.ok(on.includes('n29') && !on.includes('n0'));
});

test('channels are apart', () => {
  const intake = readAll(
    Array.from({ length: 5 }, (_, at) => `x=${(at * 3) % 4}`),
    'a',
  );
  readAll(
    Array.from({ length: 5 }, (_, at) => `x=${(at * 3) % 4}`),
    'b',
    intake,
  );
  assert.deepEqual(
    arrange(intake.series.all()).map(({ channel }) => channel),
    ['a', 'b'],
  );
});

test('the queue keeps the newest lines and counts the others', () => {
  const queue = new Queue();
  for (let at = 0; at < 20_005; at += 1) queue.push({ text: String(at) });
  assert.deepEqual([queue.size, queue.lost, queue.shift().text], [20_000, 5, '5']);
  queue.clear();
  for (let at = 0; at < 9_000; at += 1) queue.push({ text: 'x'.repeat(4_000) });
  assert.ok(queue.size <= 2_000 && queue.size + queue.lost === 9_000);
});

test('lines that came while nobody looked are read in slices', () => {
  const intake = new Intake();
  for (let at = 0; at < 30_000; at += 1) intake.add('stdin', 1e12 + at, `x=${at}`);
  assert.deepEqual([intake.series.values, intake.lost], [0, 10_000]);
  assert.ok(intake.readFor(0));
  assert.ok(intake.read > 0 && intake.read < 20_000);
  while (intake.readFor(20));
  assert.equal(intake.series.values, 20_000);
  assert.ok(intake.now() >= 1e12 + 29_999);
});

test('the span grows in steps, then follows, and does not run away from the data', () => {
  const span = new Span();
  assert.deepEqual(span.range(null, 5), [0, 15_000]);
  assert.deepEqual(span.range([1_000, 2_000], 2_500), [1_000, 16_000]);
  assert.deepEqual(span.range([0, 20_000], 20_000), [0, 30_000]);
  assert.deepEqual(span.range([0, 400_000], 400_500), [100_500, 400_500]);
  assert.deepEqual(span.range([0, 400_000], 9_000_000), [250_000, 550_000]);
  span.show(Infinity);
  assert.deepEqual(span.range([0, 400_000], 400_000), [0, 600_000]);
});

test('a span that is zoomed or paused stands still', () => {
  const span = new Span();
  span.range([0, 10_000], 10_000);
  span.zoomTo(2_000, 4_000);
  assert.deepEqual([span.isStill, span.range([0, 50_000], 50_000)], [true, [2_000, 4_000]]);
  span.zoomTo(3_000, 3_001);
  assert.deepEqual(span.range([0, 50_000], 50_000), [2_000, 4_000], 'too near to be meant');
  span.scaleBy(2);
  span.moveBy(0.25);
  assert.deepEqual(span.zoom, [2_000, 6_000]);
  span.isPaused = true;
  span.zoom = null;
  assert.deepEqual(span.range([0, 50_000], 50_000), [0, 15_000], 'as it was when it was zoomed');
  span.isPaused = false;
  assert.deepEqual(span.range([0, 50_000], 50_000), [0, 60_000]);
});

test('lines that came all at once are shown row by row', () => {
  const points = (timeOf) => {
    const made = new Points(20_000);
    for (let row = 0; row < 500; row += 1) made.add(timeOf(row), row, row);
    return made;
  };
  assert.ok(isBurst(points(() => 1e12)), 'a file that was read in one go');
  assert.ok(isBurst(points((row) => (row < 400 ? 0 : (row - 399) * 1_000))), 'and then lives on');
  assert.ok(!isBurst(points((row) => row * 1_000)) && !isBurst(points((row) => row * 20)));
  const { series } = readAll(['x=1', 'x=2', 'x=3']);
  assert.deepEqual(heldRange(series.all(), 'rows'), [1, 3]);
  assert.equal(heldRange([], 'rows'), null);
});

test('numbers for people', () => {
  assert.deepEqual(
    [21426780, 91234.5, 0, -3, 1e20, 0.00002, NaN].map((each) => value(each, '')),
    ['21.43M', '91,234.5', '0', '-3', '1.00e+20', '2.00e-5', '–'],
  );
  assert.deepEqual(
    [12.4, 0.35, 90_000, 2_340_000].map((each) => value(each, 'ms')),
    ['12.4 ms', '350 µs', '90 s', '39 min'],
  );
  assert.deepEqual([value(3.2 * 2 ** 20, 'B/s'), value(45, '%'), value(20, '°C')], ['3.2 MiB/s', '45%', '20 °C']);
  assert.deepEqual(ticks([8.1e6, 8.102e6], ''), ['8.100M', '8.102M']);
  assert.deepEqual(ticks([0, 500, 1_000, 1_500], 'ms'), ['0', '0.5 s', '1.0 s', '1.5 s']);
  assert.deepEqual(
    [ticks([0, 1_000], ''), ticks([0, 10_000], '')],
    [
      ['0', '1,000'],
      ['0', '10k'],
    ],
  );
  const noon = new Date(2026, 10, 30, 12, 0, 0).getTime();
  assert.deepEqual([time(noon), time(noon, 1_000), time(noon, 60_000)], ['12:00:00.000', '12:00:00', '12:00']);
  assert.deepEqual(times([noon, noon + 43_200_000], 43_200_000), ['12:00', '2026-12-01']);
});
