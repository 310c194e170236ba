// The legend of a chart: a list of buttons, one for each series, with its colour, its name and its last value. A click switches
// the series; a double click, or one with shift or control, leaves it alone in the chart. Series that nobody asked for and that
// are not drawn wait behind one more button.
import { HUES } from './theme.js';
import { value } from './format.js';

export class Legend {
  element = document.createElement('ul');
  #entries = new Map(); // curve → its nodes
  #curves = [];
  #words;
  #toggle;
  #more = document.createElement('button');
  #isOpen;
  #nameOf;

  // `toggle(curve, isAlone)` is told what was clicked.
  constructor(words, toggle, { isOpen = false, nameOf = (curve) => curve.short } = {}) {
    this.element.className = 'plot-legend';
    this.#words = words;
    this.#toggle = toggle;
    this.#isOpen = isOpen;
    this.#nameOf = nameOf;
    this.#more.type = 'button';
    this.#more.className = 'plot-more';
    this.#more.addEventListener('click', () => {
      this.#isOpen = !this.#isOpen;
      this.set(this.#curves);
    });
  }

  set(curves) {
    const before = this.#entries;
    const shown = this.#isOpen ? curves : curves.filter((curve) => curve.isOn || curve.wanted !== undefined);
    this.#curves = curves;
    this.#entries = new Map(shown.map((curve) => [curve, before.get(curve) ?? this.#entry(curve)]));
    for (const [curve, entry] of this.#entries) this.#style(curve, entry);
    const items = [...this.#entries.values()].map(({ item }) => item);
    const rest = curves.filter((curve) => !curve.isOn && curve.wanted === undefined).length;
    if (rest > 0 && !curves.every((curve) => !curve.isOn)) items.push(this.#moreItem(rest));
    const isSame = items.length === this.element.children.length && items.every((item, at) => item === this.element.children[at]);
    if (!isSame) this.element.replaceChildren(...items);
  }

  #moreItem(rest) {
    const item = this.#more.parentNode ?? document.createElement('li');
    this.#more.textContent = this.#isOpen ? this.#words.less : this.#words.more(rest);
    this.#more.ariaExpanded = String(this.#isOpen);
    this.#more.title = this.#words.moreTitle;
    item.append(this.#more);
    return item;
  }

  #entry(curve) {
    const [item, button, swatch, name, last] = ['li', 'button', 'i', 'span', 'span'].map((tag) => document.createElement(tag));
    button.type = 'button';
    name.className = 'plot-name';
    last.className = 'plot-value';
    button.append(swatch, name, last);
    item.append(button);
    button.addEventListener('click', (event) => {
      if (event.detail < 2) this.#toggle(curve, event.shiftKey || event.ctrlKey || event.metaKey);
    });
    button.addEventListener('dblclick', () => {
      this.#toggle(curve, false); // takes back what the first click did
      this.#toggle(curve, true);
    });
    return { item, button, name, last };
  }

  #style(curve, { button, name }) {
    button.className = curve.hue < 0 ? '' : `plot-hue${curve.hue % HUES}`;
    button.ariaPressed = String(curve.isOn);
    name.textContent = this.#nameOf(curve);
    button.title = this.#words.toggle(curve.name);
  }

  // Shows the last values, or those at a place of the axis.
  tell(at) {
    for (const [curve, { last }] of this.#entries) {
      const text = value(at === null ? curve.last : valueAt(curve, at), curve.unit);
      if (last.textContent !== text) last.textContent = text;
    }
  }
}

// What the series had at a place; nothing where its nearest point is far.
function valueAt({ points }, { axis, x, near }) {
  const place = points.nearest(axis, x);
  return place >= 0 && Math.abs(points[axis][place] - x) <= near ? points.values[place] : NaN;
}
