// The channels: their colours, how many lines a second they have, what has not been seen of them, and which are chosen.
import { number } from './words.js';
import { make } from './list/paint.js';

const HUES = 8;
const SMOOTH = 0.4; // of each second's rate

export class Channels {
  onchoose = () => {}; // (names)
  #root;
  #all = new Map(); // name -> { lines, before, rate, unread, errors, element, ... }
  #chosen = new Set();
  #isStale = true;

  constructor(root) {
    this.#root = root;
    root.addEventListener('click', (event) => this.#clicked(event));
  }

  get names() {
    return [...this.#all.keys()];
  }

  get count() {
    return this.#all.size;
  }

  // The names that are chosen; none for all.
  get chosen() {
    return [...this.#chosen];
  }

  // Whether the reader sees lines of several.
  get areSeveral() {
    if (!this.#chosen.size) return this.#all.size > 1;
    return this.names.filter((name) => this.isChosen(name)).length > 1;
  }

  hue(name) {
    return `hue${(this.#all.get(name)?.index ?? 0) % HUES}`;
  }

  // Whether the reader sees its lines.
  isChosen(name) {
    if (!this.#chosen.size || this.#chosen.has(name)) return true;
    for (const chosen of this.#chosen) if (name.startsWith(`${chosen}/`)) return true;
    return false;
  }

  meet(name) {
    if (!name || this.#all.has(name)) return false;
    this.#all.set(name, { index: this.#all.size, lines: 0, before: 0, rate: 0, unread: 0, errors: 0, hasEnded: false });
    this.#isStale = true;
    return true;
  }

  // A line came; `isSeen`: before the reader's eyes.
  note(name, isSeen, isError) {
    this.meet(name);
    const channel = this.#all.get(name);
    channel.lines += 1;
    channel.hasEnded = false;
    if (!isSeen) channel.unread += 1;
    if (!isSeen && isError) channel.errors += 1;
  }

  end(name) {
    this.meet(name);
    this.#all.get(name).hasEnded = true;
    this.#isStale = true;
  }

  // Another life of the daemon: nothing has ended in it.
  beginAnew() {
    this.#all.forEach((channel) => (channel.hasEnded = false));
  }

  get haveAllEnded() {
    return this.#all.size > 0 && [...this.#all.values()].every((channel) => channel.hasEnded);
  }

  choose(names) {
    this.#chosen = new Set(names);
    names.forEach((name) => this.meet(name));
    this.see();
  }

  // The reader has seen what is chosen.
  see() {
    for (const [name, channel] of this.#all) {
      if (!this.isChosen(name)) continue;
      channel.unread = 0;
      channel.errors = 0;
    }
    this.show();
  }

  // The lines that came since the last time, in all.
  tick() {
    let sum = 0;
    for (const channel of this.#all.values()) {
      const came = channel.lines - channel.before;
      channel.before = channel.lines;
      channel.rate = channel.rate * (1 - SMOOTH) + came * SMOOTH;
      if (channel.rate < 0.05) channel.rate = 0;
      sum += came;
    }
    this.show();
    return sum;
  }

  show() {
    if (this.#root.hidden) return;
    if (this.#isStale) this.#build();
    for (const [name, channel] of this.#all) this.#showOne(name, channel);
    this.#root.querySelector('.all').ariaPressed = String(!this.#chosen.size);
  }

  #build() {
    this.#isStale = false;
    const names = [...this.#all.keys()].sort();
    const items = names.map((name) => this.#item(name));
    const all = make('button', 'all', 'all channels');
    all.type = 'button';
    const list = make('ul');
    list.append(...items);
    const had = this.#root.contains(document.activeElement) ? document.activeElement : null;
    this.#root.replaceChildren(all, list);
    if (had) [...this.#root.querySelectorAll('button')].find(({ title }) => title === had.title)?.focus();
  }

  #item(name) {
    const channel = this.#all.get(name);
    const button = make('button', `one ${this.hue(name)}`);
    button.type = 'button';
    button.dataset.channel = name;
    button.title = name;
    const parts = ['name', 'unread', 'rate'].map((part) => make('span', part));
    parts[0].textContent = name;
    button.append(...parts);
    const also = make('button', `also ${this.hue(name)}`);
    also.type = 'button';
    also.title = `${name} as well`;
    const item = make('li');
    item.append(also, button);
    channel.element = button;
    return item;
  }

  #showOne(name, { element, unread, errors, rate, hasEnded }) {
    if (!element) return;
    element.ariaPressed = element.previousSibling.ariaPressed = String(this.#chosen.has(name));
    element.classList.toggle('ended', hasEnded);
    element.classList.toggle('alarmed', errors > 0);
    const [, news, speed] = element.children;
    put(news, unread ? number(unread) : '');
    put(speed, hasEnded ? 'ended' : rate ? `${rate < 10 ? rate.toFixed(1) : number(Math.round(rate))}/s` : '');
  }

  // A click chooses one; with a modifier, or on the box beside it, it adds one, or takes it away.
  #clicked(event) {
    const button = event.target.closest('button');
    if (!button) return;
    const name = button.closest('li')?.querySelector('.one').dataset.channel;
    const isMore = event.ctrlKey || event.metaKey || event.shiftKey || button.matches('.also');
    if (!name) return this.onchoose([]);
    const isOnly = this.#chosen.has(name) && this.#chosen.size === 1;
    if (!isMore) return this.onchoose(isOnly ? [] : [name]);
    const chosen = new Set(this.#chosen);
    if (!chosen.delete(name)) chosen.add(name);
    this.onchoose([...chosen]);
  }
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
