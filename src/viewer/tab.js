// The tab: its title and icon say what came while nobody looked.
import { number } from './words.js';

export class Tab {
  #title = document.title;
  #icon = document.getElementById('icon');
  #lines = 0;
  #errors = 0;

  constructor() {
    document.addEventListener('visibilitychange', () => document.hidden || this.#look());
  }

  // A line came.
  note(isError) {
    if (!document.hidden) return;
    this.#lines += 1;
    if (isError) this.#errors += 1;
  }

  #look() {
    this.#lines = 0;
    this.#errors = 0;
    this.tell();
  }

  tell() {
    const title = `${this.#news()}${this.#title}`;
    if (document.title === title) return;
    document.title = title;
    const icon = this.#errors ? 'icon-error.svg' : this.#lines ? 'icon-new.svg' : 'icon.svg';
    const href = new URL(`./${icon}`, import.meta.url).href;
    if (this.#icon.href !== href) this.#icon.href = href;
  }

  #news() {
    if (this.#errors) return `(${number(this.#errors)} ✕) `;
    return this.#lines ? `(${number(this.#lines)}) ` : '';
  }
}
