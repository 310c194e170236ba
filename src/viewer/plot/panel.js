// What stands around the charts: the bar with its controls, the sentence where there is nothing to draw, the list of what is not
// drawn. Only elements and texts; what the controls do is told to `on`.
import { Legend } from './legend.js';

export class Panel {
  root = make('div', 'plot');
  charts = make('div', 'plot-charts');
  others;
  #words;
  #status = make('span', 'plot-status');
  #window = make('select', 'plot-window');
  #pause = button();
  #reset = button();
  #empty = make('p', 'plot-empty');
  #rest = make('details', 'plot-rest');
  #summary = make('summary');

  // `on`: { window(index), pause(), reset(), close(), key(event), toggle(curve, isAlone) }.
  constructor(words, on) {
    this.#words = words;
    this.others = new Legend(words, on.toggle, { isOpen: true, nameOf: (curve) => curve.name });
    for (const part of [this.root, this.#empty, this.#rest, this.#reset]) part.hidden = true;
    this.charts.tabIndex = 0;
    this.charts.role = 'group';
    this.charts.ariaLabel = words.charts;
    this.charts.addEventListener('keydown', on.key);
    this.#rest.append(this.#summary, this.others.element);
    this.root.append(this.#bar(on), this.#empty, this.charts, this.#rest);
  }

  #bar(on) {
    const bar = make('div', 'plot-bar');
    const title = make('h2');
    title.textContent = this.#words.title;
    this.#window.ariaLabel = this.#words.window;
    this.#window.append(...this.#words.windows.map((text, at) => new Option(text, String(at))));
    this.#window.addEventListener('change', () => on.window(Number(this.#window.value)));
    this.#pause.addEventListener('click', on.pause);
    this.#reset.textContent = this.#words.reset;
    this.#reset.title = this.#words.resetTitle;
    this.#reset.ariaLabel = this.#words.resetTitle;
    this.#reset.addEventListener('click', on.reset);
    const close = button('plot-close');
    close.textContent = '×';
    close.ariaLabel = this.#words.close;
    close.addEventListener('click', on.close);
    bar.append(title, this.#status, this.#reset, this.#pause, this.#window, close);
    return bar;
  }

  status(text, isStill) {
    if (this.#status.textContent !== text) this.#status.textContent = text;
    this.#status.classList.toggle('plot-still', isStill);
  }

  controls({ window, isPaused, isZoomed }) {
    this.#window.value = String(window);
    this.#pause.textContent = isPaused ? this.#words.resume : this.#words.pause;
    this.#pause.ariaPressed = String(isPaused);
    this.#reset.hidden = !isZoomed;
  }

  // The sentence where no line carried numbers; `lines` is how many were read.
  empty(isEmpty, lines) {
    this.#empty.hidden = !isEmpty;
    this.charts.hidden = isEmpty;
    if (!isEmpty || this.#empty.dataset.lines === String(lines)) return;
    this.#empty.dataset.lines = String(lines);
    const example = make('code');
    example.textContent = this.#words.example;
    const first = lines === 0 ? this.#words.waiting : this.#words.noNumbers(lines);
    this.#empty.replaceChildren(`${first} ${this.#words.works} `, example);
  }

  // Puts the charts in their order: [{ element, channel }]. With several channels each begins with its name. The last chart of an
  // odd number is as wide as two.
  place(charts, isHeaded) {
    const items = [];
    charts.forEach(({ element, channel }, at) => {
      const isFirst = at === 0 || charts[at - 1].channel !== channel;
      if (isHeaded && isFirst) items.push(this.#heading(channel));
      const first = isHeaded ? charts.findIndex((other) => other.channel === channel) : 0;
      const isLast = at === charts.length - 1 || (isHeaded && charts[at + 1].channel !== channel);
      element.classList.toggle('plot-wide', isLast && (at - first) % 2 === 0);
      items.push(element);
    });
    this.charts.dataset.charts = charts.length > 3 ? 'many' : String(charts.length);
    const { children } = this.charts;
    if (items.length !== children.length || items.some((item, at) => item !== children[at]))
      this.charts.replaceChildren(...items);
  }

  #heading(channel) {
    const known = [...this.charts.children].find((element) => element.dataset.channel === channel);
    if (known) return known;
    const heading = make('h3', 'plot-channel');
    heading.dataset.channel = channel;
    heading.textContent = channel;
    return heading;
  }

  rest(curves) {
    this.#rest.hidden = curves.length === 0;
    this.#summary.textContent = this.#words.others(curves.length);
    this.others.set(curves);
  }
}

function make(tag, className = '') {
  const element = document.createElement(tag);
  element.className = className;
  return element;
}

function button(className = '') {
  const element = make('button', className);
  element.type = 'button';
  return element;
}
