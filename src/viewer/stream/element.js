// <sse-log src="http://127.0.0.1:8080/events/web?tail=100"></sse-log>: the lines of a stream, in any page.
//
// It holds the newest `max-lines` (1000), follows them until the reader scrolls back, and says what is missing. It dispatches the
// events `line`, `gap`, `end`, `progress` and `state`, whose `detail` is what connect() gives. Parts for style: line, gap, end, time, channel.
// `times` and `channels` show those.
import { make, paint } from '../list/paint.js';
import { statesOf } from '../text/states.js';
import { clock } from '../text/times.js';
import { end, gap } from '../words.js';
import { connect } from './connect.js';

const MOST = 1_000;
const LONG = 2_000; // characters of a line
const NEAR = 4; // px from the end that still are the end

const STYLE = `
  :host { display: block; height: 20em; overflow: auto; overflow-anchor: none; font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; }
  :host([hidden]) { display: none; }
  div { display: flex; gap: 1.5ch; padding: 0 0.8em; white-space: pre-wrap; overflow-wrap: anywhere; }
  .text { flex: 1; min-width: 0; unicode-bidi: isolate; }
  time, .channel { flex: none; opacity: 0.6; }
  .gap { background: #e3b34133; } .end { opacity: 0.6; }
  .bold { font-weight: 700; } .dim { opacity: 0.65; } .italic { font-style: italic; } .underline { text-decoration: underline; }
  .strike { text-decoration: line-through; } .hidden { opacity: 0.35; } .sign { opacity: 0.6; }
  .fg-1, .fg-9 { color: #d1383d; } .fg-2, .fg-10 { color: #2b8a3e; } .fg-3, .fg-11 { color: #a66f00; } .fg-4, .fg-12 { color: #2f6fdb; }
  .fg-5, .fg-13 { color: #9a4fd0; } .fg-6, .fg-14 { color: #0c8599; } .fg-0, .fg-8 { opacity: 0.6; }
  .bg-1, .bg-9 { background: #d1383d44; } .bg-2, .bg-10 { background: #2b8a3e44; } .bg-3, .bg-11 { background: #a66f0044; }
  .bg-4, .bg-12 { background: #2f6fdb44; } .bg-5, .bg-13 { background: #9a4fd044; } .bg-6, .bg-14 { background: #0c859944; }
  .bg-0, .bg-7, .bg-8, .bg-15, .bg-ink { background: #88888844; }
`;

export class SseLog extends HTMLElement {
  static observedAttributes = ['src'];
  #stream = null;
  #lines = [];
  #moving = new Set(); // channels whose line is being overwritten
  #frame = 0;
  #isPlaced = false;
  #isFollowing = true;
  #height = 0; // of what is shown, when it was looked at last
  #sizes = new ResizeObserver(() => this.#keepEnd()); // also when it is shown again after it was hidden

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.addEventListener('scroll', () => this.#scrolled());
  }

  connectedCallback() {
    this.tabIndex = this.hasAttribute('tabindex') ? this.tabIndex : 0;
    this.role ??= 'log';
    this.#isPlaced = true;
    this.#sizes.observe(this);
    this.#open();
  }

  disconnectedCallback() {
    this.#isPlaced = false;
    this.#sizes.disconnect();
    this.#close();
  }

  // One that the page had before this module came is told of its attributes first, and then that it is in the page.
  attributeChangedCallback() {
    if (this.#isPlaced) this.#open();
  }

  // The stream that is shown: { state, lastId, close() }.
  get stream() {
    return this.#stream;
  }

  #close() {
    this.#stream?.close();
    this.#stream = null;
    this.removeAttribute('state');
  }

  #open() {
    this.#close();
    this.shadowRoot.replaceChildren();
    this.#lines = [];
    this.#moving.clear();
    this.#isFollowing = true;
    const src = this.getAttribute('src');
    if (!src) return;
    this.#stream = connect(new URL(src, document.baseURI), {
      line: (line) => this.#told('line', line),
      gap: (told, id) => this.#told('gap', { ...told, id }),
      end: (told, id) => this.#told('end', { ...told, id }),
      progress: (told) => {
        this.#moving.add(told.channel);
        this.dispatchEvent(new CustomEvent('progress', { detail: told }));
      },
      state: (state) => {
        this.setAttribute('state', state.name);
        this.dispatchEvent(new CustomEvent('state', { detail: state }));
      },
    });
  }

  #told(kind, detail) {
    const overwritten = kind === 'line' && this.#moving.delete(detail.channel);
    this.#lines.push({ kind, detail, overwritten });
    if (this.#lines.length > 2 * this.#most) this.#lines.splice(0, this.#lines.length - this.#most);
    this.#frame ||= requestAnimationFrame(() => this.#show());
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }

  get #most() {
    return Math.max(1, Number(this.getAttribute('max-lines')) || MOST);
  }

  get #isAtEnd() {
    return this.scrollTop + this.clientHeight >= this.scrollHeight - NEAR;
  }

  // It scrolls by itself as well, where it is shown again or its lines are wrapped anew: then it has another height.
  #scrolled() {
    if (this.#isFollowing && this.scrollHeight !== this.#height) this.#keepEnd();
    else this.#isFollowing = this.#isAtEnd;
  }

  #keepEnd() {
    if (this.#isFollowing) this.scrollTop = this.scrollHeight;
    this.#height = this.scrollHeight;
  }

  #show() {
    this.#frame = 0;
    const most = this.#most;
    const root = this.shadowRoot;
    root.append(...this.#lines.splice(0).slice(-most).map((line) => this.#row(line)));
    // While the reader looks back nothing is taken from under their eyes, up to a second time as many.
    const excess = root.childElementCount - (this.#isFollowing ? most : 2 * most);
    if (excess > 0) this.#letGo(excess);
    this.#keepEnd();
  }

  // What is read stays where it is, as long as it is held.
  #letGo(count) {
    const before = this.#isFollowing ? 0 : this.scrollHeight;
    for (let left = count; left > 0; left--) this.shadowRoot.firstChild.remove();
    if (before) this.scrollTop -= before - this.scrollHeight;
  }

  #row({ kind, detail, overwritten }) {
    const row = make('div', kind);
    row.part = kind;
    if (kind === 'line' && this.hasAttribute('times')) this.#part(row, 'time', clock(detail.time).time);
    if (kind === 'line' && this.hasAttribute('channels')) this.#part(row, 'channel', detail.channel);
    const text = row.appendChild(make('span', 'text'));
    if (kind === 'line') {
      // Of a progress line the last state is what matters.
      const line = statesOf({ text: detail.data, overwritten })?.at(-1) ?? detail.data;
      paint(text, line.slice(0, LONG * 4), LONG);
      if (line.length > LONG) text.append(` … ${line.length - LONG} more characters`);
    } else text.textContent = kind === 'gap' ? gap(detail, true) : end(detail);
    return row;
  }

  #part(row, name, text) {
    const element = row.appendChild(make(name === 'time' ? 'time' : 'span', name, text));
    element.part = name;
  }
}

if (!customElements.get('sse-log')) customElements.define('sse-log', SseLog);
