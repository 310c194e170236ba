// The held series of all channels, by channel and name. Their number is bounded, and so are the points of each and of all: the
// more series there are, the fewer points each holds. What a hostile stream names beyond the bound is refused and counted.
import { Curve } from './curve.js';
import { alignedFrame } from './frame.js';

const MOST = { series: 200, points: 20_000, all: 1_000_000 };

export class Series {
  #bounds;
  #channels = new Map(); // channel → Map of name → Curve
  rows = 0; // lines that had numbers
  values = 0; // numbers that came
  refused = 0; // numbers of series beyond the bound
  changes = 0; // grows whenever a series comes or goes

  constructor(bounds = {}) {
    this.#bounds = { ...MOST, ...bounds };
  }

  // Takes what a Reader found in one line.
  add(channel, time, found) {
    if (found.fresh) this.forget(channel);
    const curves = this.#curvesOf(channel);
    this.rows += 1;
    for (let at = 0; at < found.values.length; at += 1) {
      const curve = curves.get(found.names[at]) ?? this.#curve(curves, channel, found, at);
      if (curve === null) this.refused += 1;
      else curve.add(time, this.rows, found.values[at]);
    }
    this.values += found.values.length;
  }

  #curvesOf(channel) {
    let curves = this.#channels.get(channel);
    if (curves === undefined) {
      curves = new Map();
      if (this.#channels.size < this.#bounds.series) this.#channels.set(channel, curves);
    }
    return curves;
  }

  #curve(curves, channel, found, at) {
    const all = this.all();
    if (all.length >= this.#bounds.series || this.#channels.get(channel) !== curves) return null;
    const most = this.#mostPoints(all.length + 1);
    for (const other of all) other.points.most = most;
    const named = {
      name: found.names[at],
      field: found.fields[at],
      label: found.label,
      unit: found.units[at],
      group: found.groups[at],
    };
    const curve = new Curve(channel, named, most);
    curves.set(named.name, curve);
    this.changes += 1;
    return curve;
  }

  // How many points each of so many series holds. It changes in steps of two, so that series are seldom cut.
  #mostPoints(count) {
    const { points, all } = this.#bounds;
    return Math.min(points, Math.floor(all / 2 ** Math.ceil(Math.log2(count))));
  }

  all() {
    return [...this.#channels.values()].flatMap((curves) => [...curves.values()]);
  }

  get(channel, name) {
    return this.#channels.get(channel)?.get(name);
  }

  forget(channel) {
    if (this.#channels.get(channel)?.size > 0) this.changes += 1;
    this.#channels.delete(channel);
  }

  clear() {
    this.#channels.clear();
    this.rows = 0;
    this.values = 0;
    this.refused = 0;
    this.changes += 1;
  }

  // What uPlot draws: the places on the x axis, then for each of the curves its values there. See frame.js.
  frame(curves, axis, from, to, width) {
    return alignedFrame(
      curves.map((curve) => curve.points),
      axis,
      from,
      to,
      width,
    );
  }
}
