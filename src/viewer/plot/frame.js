// What is drawn of some series between two places of an axis, as aligned arrays for uPlot: first the x values, then for each
// series its values there. undefined: the series has nothing there, the line goes on; null: the line ends, because nothing came
// for long. While the points are few, each is drawn where it is. When they are more than the picture has columns, a column keeps
// the lowest and the highest of each series. Columns stand at multiples of their width, so that a moving picture does not
// flicker.

const HOLE = 4; // times the pause that is usual
const SHORTEST_HOLE = 3_000; // ms
const SAMPLES = 64; // pauses that are looked at to know the usual one

export function alignedFrame(series, axis, from, to, width) {
  const parts = series.map((points) => part(points, axis, from, to));
  const most = Math.max(0, ...parts.map(({ begin, end }) => end - begin));
  return most <= width ? exact(parts, axis) : columns(parts, axis, from, to, width);
}

// The points of the range, and one more on either side, so that the lines reach the edges.
function part(points, axis, from, to) {
  const begin = Math.max(0, points.from(axis, from) - 1);
  const end = Math.min(points.size, points.from(axis, to) + 1);
  return { points, begin, end, hole: axis === 'times' ? holeOf(points.times, begin, end) : Infinity };
}

// The pause from which on a line is broken: most pauses are a quarter of it at most.
function holeOf(times, begin, end) {
  const count = end - begin - 1;
  if (count < 2) return Infinity;
  const stride = Math.max(1, Math.floor(count / SAMPLES));
  const pauses = [];
  for (let at = begin + 1; at < end; at += stride) pauses.push(times[at] - times[at - 1]);
  pauses.sort((a, b) => a - b);
  return Math.max(SHORTEST_HOLE, HOLE * pauses[Math.floor((pauses.length - 1) * 0.9)]);
}

// All x values of all series, each once, with the values of those that have one there.
function exact(parts, axis) {
  const tracks = parts.map((each) => track(each, axis));
  const heads = tracks.map(() => 0);
  const xs = [];
  const ys = tracks.map(() => []);
  for (;;) {
    let x = Infinity;
    tracks.forEach((each, at) => {
      if (heads[at] < each.xs.length) x = Math.min(x, each.xs[heads[at]]);
    });
    if (x === Infinity) return [xs, ...ys];
    xs.push(x);
    tracks.forEach((each, at) => {
      ys[at].push(each.xs[heads[at]] === x ? each.ys[heads[at]++] : undefined);
    });
  }
}

// The points of one series with a null in every hole.
function track({ points, begin, end, hole }, axis) {
  const column = points[axis];
  const xs = [];
  const ys = [];
  for (let at = begin; at < end; at += 1) {
    if (at > begin && column[at] - column[at - 1] > hole) {
      xs.push(column[at - 1] + 1);
      ys.push(null);
    }
    xs.push(column[at]);
    ys.push(points.values[at]);
  }
  return { xs, ys };
}

function columns(parts, axis, from, to, width) {
  const step = 2 ** Math.ceil(Math.log2((to - from) / width));
  const first = Math.floor(from / step) - 1;
  const count = Math.floor(to / step) - first + 2;
  const xs = new Array(2 * count);
  for (let at = 0; at < 2 * count; at += 1) xs[at] = (first + (2 * at + 1) / 4) * step;
  return [xs, ...parts.map((each) => extremes(each, axis, { step, first, count }))];
}

// For each column two places: the lowest and the highest, in the order in which they came.
function extremes({ points, begin, end, hole }, axis, { step, first, count }) {
  const column = points[axis];
  const { values } = points;
  const ys = new Array(2 * count).fill(undefined);
  const place = (at) => Math.min(count - 1, Math.max(0, Math.floor(column[at] / step) - first));
  let at = begin;
  while (at < end) {
    const here = place(at);
    let low = at;
    let high = at;
    if (at > begin && column[at] - column[at - 1] > hole) breakBefore(ys, 2 * here, place(at - 1));
    for (; at < end && place(at) === here; at += 1) {
      if (values[at] < values[low]) low = at;
      if (values[at] > values[high]) high = at;
    }
    ys[2 * here] = values[Math.min(low, high)];
    if (low !== high) ys[2 * here + 1] = values[Math.max(low, high)];
  }
  return ys;
}

function breakBefore(ys, slot, before) {
  for (let at = slot - 1; at > 2 * before && ys[at] === undefined; at -= 1) ys[at] = null;
}
