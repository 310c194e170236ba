// Finding: the bar in which the reader says what is looked for, and the way from match to match.
import { LEVELS } from './lines/levels.js';
import { number } from './words.js';

const PAUSE = 120; // ms between keystrokes that are one change

export class Find {
  onstep = () => {}; // (row): the match that the reader is at; null for none
  #form;
  #view;
  #list;
  #changed;
  #timer = 0;
  #current = null; // the row of the match that was gone to
  #wanted = 0; // the step to be taken once there is a match

  // `changed(filter)` is told what is looked for.
  constructor(form, view, list, changed) {
    this.#form = form;
    this.#view = view;
    this.#list = list;
    this.#changed = changed;
    for (const [index, name] of LEVELS.entries()) this.#get('level').add(new Option(index ? name : 'all', index ? name : ''));
    form.addEventListener('input', () => this.#later());
    form.addEventListener('submit', (event) => event.preventDefault());
    this.#get('text').addEventListener('keydown', (event) => this.#key(event));
  }

  #get(id) {
    return this.#form.querySelector(`#${id}`);
  }

  get isOpen() {
    return !this.#form.hidden;
  }

  open() {
    this.#form.hidden = false;
    this.#get('text').focus();
    this.#get('text').select();
  }

  // Closes the bar, and looks for nothing any more.
  close() {
    this.#form.hidden = true;
    this.set({});
    this.#apply();
  }

  set({ text = '', isRegex = false, isCase = false, only = false, context = 0, level = '' }) {
    this.#get('text').value = text;
    this.#get('is-regex').checked = isRegex;
    this.#get('is-case').checked = isCase;
    this.#get('only').checked = only;
    this.#get('context').value = context;
    this.#get('level').value = LEVELS.includes(level) ? level : '';
    this.#get('context-of').hidden = !only;
    if (text || this.#get('level').value) this.#form.hidden = false;
  }

  // What is looked for.
  get filter() {
    return {
      text: this.#get('text').value,
      isRegex: this.#get('is-regex').checked,
      isCase: this.#get('is-case').checked,
      only: this.#get('only').checked,
      context: Math.max(0, Math.min(100, Number(this.#get('context').value) || 0)),
      level: this.#get('level').value,
    };
  }

  toggleOnly() {
    this.#get('only').checked = !this.#get('only').checked;
    this.#apply();
  }

  #later() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#apply(), PAUSE);
  }

  #apply() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#at(null);
    this.#wanted = 0;
    this.#get('context-of').hidden = !this.#get('only').checked;
    this.#changed(this.filter);
  }

  #key(event) {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    if (this.#timer) this.#apply();
    this.step(event.shiftKey ? 1 : -1);
  }

  // To the next match (1) or the previous one (-1), from the one that was gone to last, or from what is in sight.
  step(direction) {
    const { hits } = this.#view;
    this.#wanted = hits.length ? 0 : direction;
    if (!hits.length) return;
    const from = this.#current ?? (this.#list.isFollowing ? Infinity : this.#list.anchor);
    let index = hits.indexOf(from === Infinity ? hits.last() + 1 : from);
    if (direction < 0) index -= 1;
    else if (this.#current !== null && hits.at(index) === this.#current) index += 1;
    index = (index + hits.length) % hits.length;
    this.#at(hits.at(index));
    this.#list.show(this.#current);
    this.#list.refresh(true);
    this.tell();
  }

  #at(row) {
    this.#current = row;
    this.onstep(row);
  }

  // How many matches there are, and which one the reader is at.
  tell() {
    if (this.#wanted && this.#view.hits.length) return this.step(this.#wanted);
    const found = this.#get('found');
    const { error, hits, pending, filter } = this.#view;
    found.classList.toggle('wrong', Boolean(error));
    if (error) found.textContent = error;
    else if (!filter.text) found.textContent = '';
    else found.textContent = this.#count(hits, pending);
  }

  #count(hits, pending) {
    const at = this.#current !== null && hits.has(this.#current) ? `${number(hits.indexOf(this.#current) + 1)} of ` : '';
    const some = hits.length ? `${at}${number(hits.length)}` : 'no match';
    return pending > 0 ? `${some}…` : some;
  }
}
