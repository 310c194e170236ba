// Following: the page stays at its newest line until the reader looks back, and says how many lines came since.
import { count } from './words.js';

const NEAR = 2; // pixels from the bottom that still are the bottom, at any zoom
const BACK = new Set(['ArrowUp', 'PageUp', 'Home']);

export class Follow {
  on = true;
  #button;
  #resumed;
  #missed = 0;
  #last = 0; // where the page was scrolled to

  constructor(button, resumed) {
    this.#button = button;
    this.#resumed = resumed;
    button.addEventListener('click', () => this.resume());
    addEventListener('scroll', () => this.#scrolled(), { passive: true });
    addEventListener('resize', () => this.stick());
    addEventListener('keydown', (event) => this.#key(event));
    // At full speed each frame scrolls to the bottom, which would cancel a slow wheel: so the intention counts.
    addEventListener('wheel', (event) => event.deltaY < 0 && this.pause(), { passive: true });
    document.addEventListener('selectionchange', () => getSelection().isCollapsed || this.pause());
    new ResizeObserver(() => this.stick()).observe(document.body);
  }

  // Lines came; while the reader looks back they are counted.
  count(lines) {
    if (this.on) return;
    this.#missed += lines;
  }

  tell() {
    this.#button.hidden = this.on;
    this.#button.textContent = this.#missed ? `↓ ${count(this.#missed, 'new line')}` : '↓ follow';
  }

  stick() {
    if (!this.on) return;
    scrollTo(0, document.documentElement.scrollHeight);
    this.#last = scrollY;
  }

  pause() {
    if (document.documentElement.scrollHeight - innerHeight > NEAR) this.#set(false);
  }

  resume() {
    this.#set(true);
    this.stick();
  }

  #key(event) {
    if (event.key === 'End') this.resume();
    else if (BACK.has(event.key) || (event.key === ' ' && event.shiftKey)) this.pause();
  }

  #scrolled() {
    const moved = scrollY - this.#last;
    this.#last = scrollY;
    const left = document.documentElement.scrollHeight - innerHeight - scrollY;
    if (left > NEAR && moved < 0) this.#set(false);
    else if (left <= NEAR && moved > 0) this.#set(true);
  }

  #set(on) {
    if (this.on === on) return;
    this.on = on;
    this.#missed = 0;
    document.documentElement.classList.toggle('following', on);
    this.tell();
    if (on) this.#resumed();
  }
}
