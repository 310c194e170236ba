// Live charts of the numbers in the lines. While the panel is closed, lines only wait in a bounded queue; while it is open, they
// are read in slices between frames, and the charts are drawn at most ten times a second. Everything that names come from is
// hostile: names are text nodes, and colours, sizes and places are all that uPlot gets.
import { arrange, choose } from './arrange.js';
import { Chart } from './chart.js';
import { time } from './format.js';
import { Intake } from './intake.js';
import { Panel } from './panel.js';
import { phrases } from './phrases.js';
import { Span, WINDOWS, heldRange, isBurst } from './span.js';
import { Theme } from './theme.js';

const BUDGET = 8; // ms of a frame for reading lines
const HIDDEN_BUDGET = 200; // ms of each second for it while the page is not looked at
const DRAW = 100; // ms between two pictures
const CALM_DRAW = 1_000; // for readers who want little motion
const TELL = 250; // ms between two looks at the last values
const DESCRIBE = 2_000; // ms between two descriptions for screen readers
const ARRANGE = [0, 500, 1_000, 2_000, 4_000, 8_000]; // ms after the first number; then every so often:
const REARRANGE = 15_000;
const SCROLLS = new Set(['ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End']);

export class Plot {
  onClose = () => {};
  #words;
  #intake = new Intake();
  #span = new Span();
  #panel;
  #theme;
  #charts = new Map(); // key → Chart
  #sizes = new ResizeObserver(() => this.#resize());
  #calm = matchMedia('(prefers-reduced-motion: reduce)');
  #isShown = false;
  #frame = 0; // the request for the next one
  #timer = 0;
  #due = { draw: 0, tell: 0, describe: 0, arrange: 0 };
  #arranged = { changes: -1, turn: 0 };
  #drawn = { from: 0, to: 0, values: -1 };
  #since = 0; // numbers that had come when the picture was stopped
  #hover = null;
  #isChosen = false; // the reader of the page has chosen the axis

  constructor(container, { words = {} } = {}) {
    this.#words = { ...phrases, ...words };
    this.#panel = new Panel(this.#words, {
      window: (index) => this.#choose(index),
      pause: () => (this.#span.isPaused ? this.resume() : this.pause()),
      reset: () => this.#zoom(null),
      close: () => this.#close(),
      key: (event) => this.#key(event),
      toggle: (curve, isAlone) => this.#toggle(curve, isAlone, null),
    });
    container.append(this.#panel.root);
    this.#theme = new Theme(this.#panel.root, () => this.#charts.forEach((chart) => chart.repaint()));
    this.#controls();
    addEventListener('mouseup', () => this.#hold(false), true);
    document.addEventListener('visibilitychange', () => this.#run());
  }

  get isShown() {
    return this.#isShown;
  }

  // A line. `time` is its arrival in Unix milliseconds. Cheap: nothing is read here.
  add(channel, time, text) {
    this.#intake.add(channel, time, text);
  }

  async show() {
    if (this.#isShown) return;
    this.#isShown = true;
    await parts();
    if (!this.#isShown) return;
    this.#panel.root.hidden = false;
    this.#theme.read();
    this.#run();
  }

  hide() {
    this.#isShown = false;
    this.#panel.root.hidden = true;
    this.#run();
  }

  pause() {
    if (!this.#span.isStill) this.#since = this.#intake.series.values;
    this.#span.isPaused = true;
    this.#controls();
  }

  resume() {
    this.#span.isPaused = false;
    this.#span.zoom = null;
    this.#controls();
  }

  clear() {
    this.#intake.clear();
    for (const [key, chart] of this.#charts) this.#remove(key, chart);
    const { window, axis } = this.#span;
    this.#span = new Span();
    if (this.#isChosen) this.#span.show(window, axis);
    this.#arranged = { changes: -1, turn: 0 };
    this.#hover = null;
    this.#controls();
  }

  #close() {
    this.hide();
    this.onClose();
  }

  // Frames come only while the page is looked at; behind another tab, lines are still read now and then.
  #run() {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    if (!this.#isShown) return;
    if (document.hidden) {
      this.#timer = setTimeout(() => {
        this.#intake.readFor(HIDDEN_BUDGET);
        this.#run();
      }, 1_000);
    } else {
      this.#frame = requestAnimationFrame((now) => {
        this.#step(now);
        this.#run();
      });
    }
  }

  #step(now) {
    this.#intake.readFor(BUDGET);
    if (this.#intake.series.changes !== this.#arranged.changes || now >= this.#due.arrange) this.#arrange(now);
    if (now >= this.#due.draw) this.#draw(now);
    if (now >= this.#due.tell) this.#tell(now);
  }

  // Puts series into charts: at once when there are new ones, again when more is known of them, and every so often.
  #arrange(now) {
    const { series } = this.#intake;
    if (this.#arranged.changes !== series.changes) this.#arranged = { changes: series.changes, turn: 0 };
    this.#due.arrange = now + (ARRANGE[++this.#arranged.turn] ?? REARRANGE);
    const curves = series.all();
    const charts = arrange(curves);
    choose(charts);
    this.#guessAxis(curves);
    this.#layout(charts);
    this.#panel.empty(curves.length === 0, this.#intake.read);
  }

  #guessAxis(curves) {
    if (this.#isChosen || this.#span.isStill || curves.length === 0) return;
    const richest = curves.reduce((most, each) => (each.points.size > most.points.size ? each : most));
    const axis = isBurst(richest.points) ? 'rows' : 'times';
    if (axis === this.#span.axis) return;
    this.#span.show(axis === 'rows' ? Infinity : WINDOWS[1], axis);
    this.#controls();
  }

  #layout(charts) {
    const shown = charts.filter(({ curves }) => curves.some((curve) => curve.isOn));
    const keys = new Set(shown.map(({ key }) => key));
    for (const [key, chart] of this.#charts) if (!keys.has(key)) this.#remove(key, chart);
    const placed = shown.map((spec) => ({ ...spec, element: (this.#charts.get(spec.key) ?? this.#create(spec.key)).element }));
    this.#panel.place(placed, new Set(charts.map(({ channel }) => channel)).size > 1);
    for (const spec of shown) this.#charts.get(spec.key).set(spec, this.#span.axis);
    this.#panel.rest(charts.filter(({ key }) => !keys.has(key)).flatMap(({ curves }) => curves));
    this.#drawn.values = -1;
  }

  #create(key) {
    const chart = new Chart({
      words: this.#words,
      theme: this.#theme,
      onToggle: (curve, isAlone, spec) => this.#toggle(curve, isAlone, spec),
      onZoom: (from, to) => this.#zoom([from, to]),
      onHover: (x) => this.#hovered(x),
      onHold: () => this.#hold(true),
      onReset: () => this.#zoom(null),
    });
    this.#charts.set(key, chart);
    this.#sizes.observe(chart.picture);
    return chart;
  }

  #remove(key, chart) {
    this.#sizes.unobserve(chart.picture);
    chart.remove();
    this.#charts.delete(key);
  }

  #draw(now) {
    const { series } = this.#intake;
    const held = heldRange(
      [...this.#charts.values()].flatMap((chart) => chart.curves),
      this.#span.axis,
    );
    const [from, to] = this.#span.range(held, this.#intake.now());
    const isNew = this.#drawn.values !== series.values;
    const isMoved = from !== this.#drawn.from || to !== this.#drawn.to;
    if (held === null || !(isNew || isMoved)) return;
    if (!isNew && to - this.#drawn.to < (to - from) / 2_000 && to > this.#drawn.to) return; // less than a pixel
    for (const chart of this.#charts.values()) chart.draw(series, from, to);
    this.#drawn = { from, to, values: series.values };
    this.#due.draw = now + (this.#calm.matches ? CALM_DRAW : DRAW);
  }

  #tell(now) {
    this.#due.tell = now + TELL;
    const near = (this.#drawn.to - this.#drawn.from) / 40;
    const at = this.#hover === null ? null : { axis: this.#span.axis, x: this.#hover, near };
    for (const chart of this.#charts.values()) chart.tell(at);
    this.#panel.others.tell(null);
    this.#status();
    if (this.#intake.series.values === 0) this.#panel.empty(true, this.#intake.read);
    if (now < this.#due.describe) return;
    this.#due.describe = now + DESCRIBE;
    for (const chart of this.#charts.values()) chart.describe();
  }

  #status() {
    const { series, lost } = this.#intake;
    const parts = [];
    if (this.#span.isStill) parts.push(this.#words.still(this.#span.isPaused, series.values - this.#since));
    if (this.#hover !== null) parts.push(this.#span.axis === 'times' ? time(this.#hover) : this.#words.row(this.#hover));
    if (!this.#span.isStill && series.values > 0) parts.push(this.#words.follows(series.all().length, series.values));
    if (lost > 0) parts.push(this.#words.lost(lost));
    if (series.refused > 0) parts.push(this.#words.refused(series.all().length));
    this.#panel.status(parts.join(' · '), this.#span.isStill);
  }

  #hovered(x) {
    if (x === this.#hover) return;
    this.#hover = x;
    this.#due.tell = 0;
  }

  #hold(isHeld) {
    this.#span.isHeld = isHeld;
  }

  // null: back to where the newest lines are.
  #zoom(range) {
    if (range !== null && !this.#span.isStill) this.#since = this.#intake.series.values;
    if (range === null) this.#span.zoom = null;
    else this.#span.zoomTo(...range);
    this.#controls();
  }

  #choose(index) {
    this.#isChosen = true;
    const isRows = index === WINDOWS.length;
    this.#span.isPaused = false;
    this.#span.show(isRows ? Infinity : WINDOWS[index], isRows ? 'rows' : 'times');
    this.#controls();
    this.#arrange(performance.now());
  }

  // Alone: every other series of the chart goes off, and a second time all of them come back as they were at first.
  #toggle(curve, isAlone, spec) {
    if (!isAlone || spec === null) {
      curve.wanted = !curve.isOn;
    } else {
      const isAlready = spec.curves.every((other) => other.isOn === (other === curve));
      for (const other of spec.curves) other.wanted = isAlready ? undefined : other === curve;
    }
    this.#arrange(performance.now());
    this.#due.tell = 0;
  }

  #key(event) {
    if (SCROLLS.has(event.key)) event.stopPropagation(); // the page has these for its lines
    const moves = { '+': 0.5, '=': 0.5, '-': 2, ArrowLeft: -0.25, ArrowRight: 0.25, 0: null };
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.#panel.charts || !(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    if (!this.#span.isStill) this.#since = this.#intake.series.values;
    if (event.key === '0') this.#span.zoom = null;
    else if (event.key.startsWith('Arrow')) this.#span.moveBy(moves[event.key]);
    else this.#span.scaleBy(moves[event.key]);
    this.#controls();
  }

  #controls() {
    const index = this.#span.axis === 'rows' ? WINDOWS.length : WINDOWS.indexOf(this.#span.window);
    this.#panel.controls({ window: index, isPaused: this.#span.isPaused, isZoomed: this.#span.zoom !== null });
    this.#due.draw = 0;
    this.#due.tell = 0;
  }

  #resize() {
    for (const chart of this.#charts.values()) chart.resize();
    this.#drawn.values = -1;
  }
}

let loaded = null;

// uPlot, which is no module, and the style sheets, once for the page; the panel is not shown before they are there.
function parts() {
  loaded ??= Promise.all([
    part('link', { rel: 'stylesheet', href: new URL('../vendor/uplot.css', import.meta.url).href }),
    part('link', { rel: 'stylesheet', href: new URL('./plot.css', import.meta.url).href }),
    part('script', { src: new URL('../vendor/uplot.js', import.meta.url).href }),
  ]);
  return loaded;
}

function part(name, attributes) {
  return new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement(name), attributes);
    element.addEventListener('load', resolve);
    element.addEventListener('error', () => reject(new Error('a part of the charts could not be loaded; reload the page')));
    document.head.append(element);
  });
}
