// The colours that canvases draw with. They stand in plot.css as custom properties, so that light and dark are decided in one
// place; here they are read, and read again when the theme changes.

export const HUES = 8;

export class Theme {
  hues = [];
  #root;
  #query = matchMedia('(prefers-color-scheme: dark)');
  #changed;
  #observer;

  constructor(root, changed) {
    this.#root = root;
    this.#changed = () => {
      this.read();
      changed();
    };
    this.#query.addEventListener('change', this.#changed);
    this.#observer = new MutationObserver(this.#changed); // a page may have a switch of its own
    this.#observer.observe(document.documentElement, { attributeFilter: ['class', 'data-theme', 'style'] });
  }

  read() {
    const style = getComputedStyle(this.#root);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.hues = Array.from({ length: HUES }, (_, hue) => colour(`--plot-hue${hue}`));
    this.grid = colour('--plot-grid');
    this.text = colour('--plot-text');
    this.font = `11px ${style.fontFamily}`;
  }
}
