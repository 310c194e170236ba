// Which series are drawn together, and which at all. One chart holds what can be read on one scale: the groups of a header, the
// same field of several things (the price of each symbol), one unit, one order of magnitude. Pure.
import { KINDS } from './curve.js';

const ON = 8; // series of one chart that are drawn without being asked for
const ALL_ON = 12; // of all charts
const DECADES = 1.3; // that one scale spans
const APART = 3; // times their own range: series as far from one another as this get a scale each
const SCALES = 6; // that one chart is split into for that
const KNOWN = 5; // numbers from which the range of a series means something

// The charts in the order in which their series came: [{ key, channel, title, unit, curves }]; each series gets its `short` name,
// which says what the chart's title does not.
export function arrange(curves) {
  const charts = [];
  for (const ofChannel of grouped(curves, (curve) => curve.channel).values()) {
    const aspect = aspectOf(ofChannel);
    for (const curve of ofChannel) curve.short = shortName(curve, aspect);
    for (const [title, members] of grouped(ofChannel, (curve) => curve.group || aspect(curve)))
      charts.push(...scales(title, members));
  }
  return charts;
}

function grouped(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (groups.has(key)) groups.get(key).push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

// Several things are compared field by field, or shown one by one: whichever makes fewer charts. With fields, a thing has the
// same colour in all charts.
function aspectOf(curves) {
  const labels = [...new Set(curves.map((curve) => curve.label))];
  if (labels.length < 2) return () => '';
  const fewest = (a, b) => (countOf(curves, b) < countOf(curves, a) ? b : a);
  const aspect = fewest(byField, byLabel);
  for (const curve of curves) curve.wish = aspect === byField ? Math.max(0, labels.indexOf(curve.label)) : 0;
  return aspect;
}

function countOf(curves, aspect) {
  const parts = [...grouped(curves, aspect).values()].flatMap((members) => [...grouped(members, (curve) => curve.unit).values()]);
  return parts.reduce((count, [first, ...others]) => count + (first.unit === '%' ? 1 : magnitudes([first, ...others]).length), 0);
}

const byField = (curve) => (curve.label === '' ? '' : curve.field);
const byLabel = (curve) => curve.label;

function shortName(curve, aspect) {
  if (curve.label === '' || aspect === byLabel) return curve.field;
  if (aspect === byField) return curve.group === '' ? curve.label : curve.name;
  return curve.field;
}

function scales(title, members) {
  if (members[0].group !== '') return [chart(title, members, 'all')];
  const charts = [];
  for (const [unit, same] of grouped(members, (curve) => curve.unit)) {
    if (unit === '%') charts.push(chart(title, same, unit));
    else magnitudes(same).forEach((near, at) => charts.push(...ranges(title, near, `${unit} ${at}`)));
  }
  return charts;
}

function chart(title, curves, part) {
  const { channel } = curves[0];
  return {
    key: JSON.stringify([channel, title, part]),
    channel,
    title,
    unit: curves.find((curve) => curve.unit !== '')?.unit ?? '',
    curves,
  };
}

// Parts of about the same size, the largest first. What was never anything but zero goes with the largest.
function magnitudes(curves) {
  const size = (curve) => Math.max(Math.abs(curve.min), Math.abs(curve.max));
  const parts = [];
  let top = Infinity;
  for (const curve of [...curves].sort((a, b) => size(b) - size(a))) {
    const magnitude = Math.log10(size(curve));
    if (parts.length === 0 || (magnitude < top - DECADES && magnitude > -Infinity)) {
      parts.push([]);
      top = magnitude;
    }
    parts.at(magnitude === -Infinity ? 0 : -1).push(curve);
  }
  return parts.map((part) => curves.filter((curve) => part.includes(curve)));
}

// Prices of 189.2 and 410.1 that move by cents are two flat lines on one scale, and two curves on two.
function ranges(title, curves, part) {
  const moving = curves.filter((curve) => curve.min < curve.max);
  const others = curves.filter((curve) => curve.min >= curve.max);
  if (moving.length < 2 || moving.some((curve) => curve.seen < KNOWN)) return [chart(title, curves, part)];
  const parts = [];
  for (const curve of [...moving].sort((a, b) => a.min - b.min)) {
    const before = parts.at(-1);
    const isFar = before && curve.min - before.max > APART * Math.max(before.max - before.min, curve.max - curve.min);
    if (!before || isFar) parts.push({ min: curve.min, max: curve.max, curves: [curve] });
    if (before && !isFar) {
      before.curves.push(curve);
      before.max = Math.max(before.max, curve.max);
    }
  }
  if (parts.length > SCALES) return [chart(title, curves, part)];
  parts[0].curves.push(...others);
  return parts.map((each, at) =>
    chart(
      title,
      curves.filter((curve) => each.curves.includes(curve)),
      `${part} ${at}`,
    ),
  );
}

// Switches series on and off, except those that the reader of the page has switched: of what varies the first of each chart, then
// the second of each, and so on; where nothing varies, whatever there is.
export function choose(charts) {
  const all = charts.flatMap(({ curves }) => curves);
  const most = new Map();
  for (const { channel, seen } of all) most.set(channel, Math.max(most.get(channel) ?? 0, seen));
  const rank = new Map(all.map((curve) => [curve, KINDS.indexOf(curve.kind(most.get(curve.channel)))]));
  const best = Math.max(1, Math.min(...rank.values()));
  const queues = charts.map(({ curves }) => curves.filter((curve) => rank.get(curve) <= best).slice(0, ON));
  const on = new Set();
  for (let turn = 0; turn < ON; turn += 1) {
    for (const queue of queues) if (on.size < ALL_ON && queue.length > turn) on.add(queue[turn]);
  }
  for (const curve of all) curve.isOn = curve.wanted ?? on.has(curve);
}
