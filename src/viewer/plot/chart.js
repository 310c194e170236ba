// One chart: its title, its legend and its picture, which uPlot draws. All charts share the x axis and the cursor.
// uPlot gets numbers and colours only: no name that a line chose goes into it.
import { BINARY_STEPS, isBinary, ticks, times, value } from './format.js';
import { Legend } from './legend.js';
import { HUES } from './theme.js';
import { selectByTouch } from './touch.js';

const SYNC = 'plot';
const Y_AXIS = 58; // px, the same for all charts so that they stand above one another

export class Chart {
  element = document.createElement('figure');
  #title = document.createElement('span');
  #picture = document.createElement('div');
  #legend;
  #plot = null;
  #drawn = []; // the curves of the plot
  #spec = null;
  #axis = 'times';
  #context;

  // `context`: { words, theme, onToggle, onZoom, onHover, onHold, onReset }.
  constructor(context) {
    this.#context = context;
    this.#legend = new Legend(context.words, (curve, isAlone) => context.onToggle(curve, isAlone, this.#spec));
    this.element.className = 'plot-chart';
    this.#title.className = 'plot-title';
    this.#picture.className = 'plot-picture';
    this.#picture.role = 'img';
    const caption = document.createElement('figcaption');
    caption.append(this.#title, this.#legend.element);
    this.element.append(caption, this.#picture);
  }

  get picture() {
    return this.#picture;
  }

  get curves() {
    return this.#drawn;
  }

  // Takes what the chart is to show; the picture is made anew only if its series are others.
  set(spec, axis) {
    const on = spec.curves.filter((curve) => curve.isOn);
    giveHues(spec.curves);
    const isSame =
      this.#plot !== null &&
      axis === this.#axis &&
      spec.unit === this.#spec.unit &&
      on.length === this.#drawn.length &&
      on.every((curve, at) => curve === this.#drawn[at]);
    this.#spec = spec;
    this.#axis = axis;
    this.#drawn = on;
    this.#title.textContent = spec.title;
    this.#title.hidden = spec.title === '';
    this.#legend.set(spec.curves);
    if (!isSame) this.#make();
  }

  #make() {
    this.#plot?.destroy();
    const { width, height } = this.#size();
    const { onReset, onZoom, onHold } = this.#context;
    this.#plot = new globalThis.uPlot({ width, height, ...this.#options() }, [[], ...this.#drawn.map(() => [])], this.#picture);
    const { over } = this.#plot;
    over.addEventListener('dblclick', onReset);
    over.addEventListener('mousedown', (event) => event.button === 0 && onHold());
    selectByTouch(this.#plot, onZoom);
  }

  #size() {
    return { width: Math.max(120, this.#picture.clientWidth), height: Math.max(60, this.#picture.clientHeight) };
  }

  #options() {
    return {
      ms: 1,
      padding: [8, 10, 0, 0],
      legend: { show: false },
      cursor: this.#cursor(),
      scales: { x: { time: this.#axis === 'times', auto: false }, y: { auto: true } },
      axes: [this.#xAxis(), this.#yAxis()],
      series: [{}, ...this.#drawn.map((curve) => this.#stroke(curve))],
      hooks: { setSelect: [(plot) => this.#selected(plot)], setCursor: [(plot) => this.#hovered(plot)] },
    };
  }

  #cursor() {
    return {
      y: false,
      sync: { key: SYNC, setSeries: false },
      drag: { x: true, y: false, setScale: false, dist: 4 },
      bind: { dblclick: () => () => null }, // its own reset knows nothing of the other charts
      hover: { skip: [undefined, null], prox: 24 },
      points: { size: 7 },
    };
  }

  #xAxis() {
    const { theme } = this.#context;
    return {
      stroke: () => theme.text,
      font: theme.font,
      size: 26,
      gap: 6,
      space: (_, axis, from, to, width) => this.#roomForMark((to - from) / width),
      grid: { show: false },
      ticks: { stroke: () => theme.grid, width: 1, size: 4 },
      values: (_, splits, axis, space, apart) =>
        this.#axis === 'times' ? times(splits, apart) : splits.map((row) => value(row, '')),
    };
  }

  // The px between two marks, where one px is so many ms: hours and minutes need less than seconds and milliseconds.
  #roomForMark(pixel) {
    if (this.#axis === 'rows') return 64;
    if (42 * pixel > 30_000) return 42;
    return 70 * pixel > 500 ? 70 : 100;
  }

  #yAxis() {
    const { theme } = this.#context;
    return {
      stroke: () => theme.text,
      font: theme.font,
      size: Y_AXIS,
      gap: 6,
      space: 32,
      grid: { stroke: () => theme.grid, width: 1 },
      ticks: { show: false },
      values: (_, splits) => ticks(splits, this.#spec.unit),
      ...(isBinary(this.#spec.unit) ? { incrs: BINARY_STEPS } : {}),
    };
  }

  // A series that is alone in its chart has the area below it tinted.
  #stroke(curve) {
    const { theme } = this.#context;
    const colour = () => theme.hues[curve.hue % HUES];
    return {
      stroke: colour,
      width: 1.5,
      fill: this.#drawn.length === 1 ? () => `${colour()}1f` : undefined,
      fillTo: (plot) => plot.scales.y.min,
      dash: curve.hue >= HUES ? [6, 3] : undefined,
      points: { size: 4, space: 12, fill: colour },
    };
  }

  #selected(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    this.#context.onZoom(plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x'));
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  #hovered(plot) {
    const { left } = plot.cursor;
    this.#context.onHover(left >= 0 ? plot.posToVal(left, 'x') : null);
  }

  // `series.frame` makes the data; from and to are places of the x axis.
  draw(series, from, to) {
    const plot = this.#plot;
    const width = Math.round(plot.bbox.width / devicePixelRatio) || 300;
    const data = series.frame(this.#drawn, this.#axis, from, to, width);
    plot.batch(() => {
      plot.setData(data, false);
      plot.setScale('x', { min: from, max: to });
    });
  }

  // Last values, or those at the cursor, as `at` says.
  tell(at) {
    this.#legend.tell(at);
  }

  // The picture in words.
  describe() {
    const entries = this.#drawn.map((curve) => `${curve.short} ${value(curve.last, curve.unit)}`);
    this.#picture.ariaLabel = this.#context.words.summary(this.#title.textContent, entries);
  }

  resize() {
    const { width, height } = this.#size();
    if (this.#plot && (width !== this.#plot.width || height !== this.#plot.height)) this.#plot.setSize({ width, height });
  }

  repaint() {
    const { font } = this.#context.theme;
    for (const axis of this.#plot?.axes ?? []) if (axis.font !== font && typeof axis.font === 'string') axis.font = font;
    this.#plot?.redraw(false, true);
  }

  remove() {
    this.#plot?.destroy();
    this.#plot = null;
    this.element.remove();
  }
}

// Each series that is drawn gets a colour that no other of its chart has, and keeps it.
function giveHues(curves) {
  const taken = new Set();
  for (const curve of curves) {
    if (curve.hue >= 0 && !taken.has(curve.hue)) taken.add(curve.hue);
    else curve.hue = -1;
  }
  for (const curve of curves) {
    if (!curve.isOn || curve.hue >= 0) continue;
    const free = Array.from({ length: curves.length }, (_, hue) => hue).find((hue) => !taken.has(hue));
    curve.hue = taken.has(curve.wish) ? free : curve.wish;
    taken.add(curve.hue);
  }
}
