// What terminal sequences in a line say, as pieces of text with a style, and the line without them.
//
// One expression, SEQUENCE, decides for everybody which characters belong to a sequence: those vanish, all others stay, in order.
// So the texts of `pieces` put together are always what `plain` gives. What a sequence says is asked of the vendored parser, and
// only for the two kinds that matter: colours (SGR) and links (OSC 8). A line begins without a style, whatever came before it.
//
// Every line is hostile. So all here takes time in proportion to the length of the line, nothing is hidden that is no whole
// sequence (but for one that the end of the line cuts off), and a link leads to http or https only and never changes its text.
import { t as parse } from '../vendor/ansi-parser.js';

const MOST_PIECES = 1_000;
const MOST_SEQUENCES = 10_000; // that are looked into; the text behind them has no style
const LONG_SGR = 256; // characters; longer ones say nothing
const LONG_URL = 2_048;
const MOST_LINKS = 50;
const MOST_TRIED = 200; // addresses that may turn out to be none
const CACHED = 1_000; // sequences and styles that are kept

// CSI; the palette of the Linux console, which has no end mark; OSC; DCS, SOS, PM and APC; a title for screen; charsets; two
// characters. A string that is not ended reaches to the end of the line, or of its part where it has line breaks.
const WITH_ESC = [
  '\\x1b\\[[0-?]*[ -/]*(?:[@-~]|$)',
  '\\x1b\\](?:P[\\da-fA-F]{7}|R)',
  '\\x1b\\](?:[^\\x07\\x18\\x1a\\x1b\\x9c]*(?:\\x07|\\x1b\\\\|\\x9c)|[^\\x07\\x18\\x1a\\x1b\\x9c\\n]*)',
  '\\x1b[PX^_](?:[^\\x18\\x1a\\x1b\\x9c]*(?:\\x1b\\\\|\\x9c)|[^\\x18\\x1a\\x1b\\x9c\\n]*)',
  '\\x1bk[^\\x1b\\n]*\\x1b\\\\',
  '\\x1b[ -/]{1,2}(?:[0-~]|$)',
  '\\x1b[0-OQ-WYZ\\\\`a-~]',
];
// The same by one character of C1. Those are far more often parts of letters that somebody decoded wrongly (what stands before
// them then tells), so only whole sequences count.
const DATA = '[^\\n\\x07\\x18\\x1a\\x1b\\x90\\x98\\x9b-\\x9f]*';
const WITH_C1 = `(?<![\\x80-\\x9b\\x9d-\\xbf\\xc2-\\xf4])(?:${[
  '\\x9b[0-?]*[ -/]*[@-~]',
  `\\x9d${DATA}(?:\\x07|\\x1b\\\\|\\x9c)`,
  `[\\x90\\x98\\x9e\\x9f]${DATA}(?:\\x1b\\\\|\\x9c)`,
].join('|')})`;
const SEQUENCE = new RegExp([...WITH_ESC, WITH_C1].join('|'), 'g');
const SUSPECT = /[\x08\x1b\x90\x98\x9b\x9d-\x9f]/;

// The text without sequences; the same string if there are none.
export function plain(text) {
  if (!SUSPECT.test(text)) return text;
  if (!text.includes('\b')) return text.replace(SEQUENCE, '');
  let whole = '';
  walk(text, (run) => strokes(run, (part) => (whole += part)));
  return whole;
}

// [{ text, style }], none of them empty. A style is null or frozen and shared: { fg, bg, bold, dim, italic, underline, strike,
// reverse, hidden, link }: colours are null, 0 to 15 or '#rrggbb'; underline is 0 to 5 (none, single, double, curly, dotted,
// dashed); link is null or a URL; the others are booleans. `chars` says how many characters are wanted, `pieces` how many pieces:
// the last takes all that would need more, without a style.
export function pieces(text, { chars = Infinity, pieces: most = MOST_PIECES } = {}) {
  const out = new Pieces(chars, Math.max(1, Math.min(most, MOST_PIECES)));
  if (!SUSPECT.test(text)) {
    out.add(text, null);
    return out.list;
  }
  const state = { ...NONE };
  let sequences = 0;
  let shades = [null]; // the style of now: as it is, and struck over
  walk(
    text,
    (run) => strokes(run, (part, struck) => out.add(part, (shades[struck] ??= overstruck(state, struck)))),
    (sequence, behind) => {
      if (out.isFull) return false;
      if (out.isLast || ++sequences > MOST_SEQUENCES) {
        out.add(plain(text.slice(behind)), null);
        return false;
      }
      if (change(state, sequence)) shades = [shared(state)];
      return true;
    },
  );
  return out.list;
}

// Hands out the runs of text and the sequences between them, in order, until `onSequence` says no.
function walk(text, onRun, onSequence = () => true) {
  let from = 0;
  while (from < text.length) {
    SEQUENCE.lastIndex = from;
    const match = SEQUENCE.exec(text);
    const until = match ? match.index : text.length;
    if (until > from) onRun(text.slice(from, until));
    if (!match) return;
    from = until + match[0].length;
    if (!onSequence(match[0], from)) return;
  }
}

class Pieces {
  list = [];
  #left;
  #most;

  constructor(chars, most) {
    this.#left = Math.max(0, chars);
    this.#most = most;
  }

  get isFull() {
    return this.#left <= 0;
  }

  // Whether there is no room for another style.
  get isLast() {
    return this.list.length === this.#most;
  }

  add(text, style) {
    if (this.isFull) return;
    const part = text.length > this.#left ? text.slice(0, cutAt(text, Math.floor(this.#left))) : text;
    this.#left = part.length < text.length ? 0 : this.#left - part.length;
    if (!part) return;
    const last = this.list.at(-1);
    const wanted = this.list.length >= this.#most - 1 ? null : style;
    if (last && (last.style === wanted || this.isLast)) last.text += part;
    else this.list.push({ text: part, style: wanted });
  }
}

const graphemes = globalThis.Intl?.Segmenter ? new Intl.Segmenter('en', { granularity: 'grapheme' }) : null;

// Where to cut so that at most `length` characters stay and no letter is halved.
function cutAt(text, length) {
  if (length <= 0) return 0;
  if (text.charCodeAt(length) < 0x300 && text.charCodeAt(length - 1) < 0x300) return length;
  const start = Math.max(0, length - 32);
  const at = graphemes?.segment(text.slice(start, length + 32)).containing(length - start).index ?? 0;
  if (at > 0) return start + at;
  return isPair(text, length - 1) ? length - 1 : length;
}

const BOLD = 1;
const UNDERLINE = 2;

// Splits a run where characters are struck over each other, as manual pages have them: N\bN is a bold N, _\bN an underlined one.
// Any other backspace stays as it is.
function strokes(run, add) {
  let from = 0;
  let at = run.indexOf('\b');
  while (at !== -1) {
    const start = isPair(run, at - 2) ? at - 2 : at - 1;
    const over = start < from ? null : strike(run, start, at);
    if (over) {
      if (start > from) add(run.slice(from, start), 0);
      add(over.sign, over.struck);
      from = over.end;
    }
    at = run.indexOf('\b', over ? from : at + 1);
  }
  if (from < run.length) add(run.slice(from), 0);
}

// What the character between `start` and `at`, and all that are struck over it, come to: null if nothing is.
function strike(run, start, at) {
  if (!isVisible(run.codePointAt(start))) return null;
  let sign = run.slice(start, at);
  let end = at;
  let struck = 0;
  while (run[end] === '\b') {
    const code = run.codePointAt(end + 1);
    if (!isVisible(code)) break;
    const next = String.fromCodePoint(code);
    if (next === sign) struck |= BOLD;
    else if (next === '_' || sign === '_') struck |= UNDERLINE;
    else break;
    if (sign === '_') sign = next;
    end += 1 + next.length;
  }
  return struck ? { end, sign, struck } : null;
}

const isPair = (text, at) => text.codePointAt(at) > 0xffff;
const isVisible = (code) => code >= 0x20 && !(code >= 0x7f && code < 0xa0);

const NONE = Object.freeze({
  fg: null,
  bg: null,
  bold: false,
  dim: false,
  italic: false,
  underline: 0,
  strike: false,
  reverse: false,
  hidden: false,
  link: null,
});
const styles = new Map(); // key -> style

function shared(state) {
  const key = Object.values(state).join(' ');
  if (styles.has(key)) return styles.get(key);
  if (styles.size >= CACHED) styles.clear();
  const style = Object.keys(NONE).every((name) => state[name] === NONE[name]) ? null : Object.freeze({ ...state });
  styles.set(key, style);
  return style;
}

const overstruck = (state, struck) =>
  shared({ ...state, bold: state.bold || Boolean(struck & BOLD), underline: state.underline || (struck & UNDERLINE ? 1 : 0) });

const meanings = new Map(); // sequence -> groups of numbers, { link } or null

// Applies a sequence; false if it says nothing about style.
function change(state, sequence) {
  let meaning = meanings.get(sequence);
  if (meaning === undefined) {
    meaning = meaningOf(sequence);
    if (meanings.size >= CACHED) meanings.clear();
    if (sequence.length < LONG_SGR) meanings.set(sequence, meaning);
  }
  if (!meaning) return false;
  if (meaning.groups) restyle(state, meaning.groups);
  else state.link = meaning.link;
  return true;
}

function meaningOf(sequence) {
  const isColour = sequence.endsWith('m') && sequence.length <= LONG_SGR;
  const isLink = /^(?:\x1b\]|\x9d)8;/.test(sequence) && /[\x07\\\x9c]$/.test(sequence) && sequence.length <= LONG_URL + 256;
  if (!isColour && !isLink) return null;
  const codes = parse(sequence);
  const { type, command, params, parameterGroups } = codes[0];
  if (codes.length !== 1) return null;
  if (isLink && type === 'OSC' && command === '8') return { link: address(params.slice(1).join(';')) };
  if (type !== 'CSI' || command !== 'm') return null;
  if (!params.length) return { groups: [[0]] };
  return { groups: (parameterGroups ?? params.map((value) => [value])).map((group) => group.map(Number)) };
}

// A URL that may be followed, or null.
function address(text) {
  if (!text || text.length > LONG_URL || !/^https?:/i.test(text)) return null;
  try {
    const { protocol, username, password, href } = new URL(text);
    return /^https?:$/.test(protocol) && !username && !password ? href : null;
  } catch {
    return null;
  }
}

const ON = { 1: 'bold', 2: 'dim', 3: 'italic', 7: 'reverse', 8: 'hidden', 9: 'strike' };
const OFF = { 23: 'italic', 27: 'reverse', 28: 'hidden', 29: 'strike' };

function restyle(state, groups) {
  for (let at = 0; at < groups.length; at += 1) {
    const [code, detail] = groups[at];
    if (code === 0) Object.assign(state, NONE, { link: state.link });
    else if (ON[code]) state[ON[code]] = true;
    else if (OFF[code]) state[OFF[code]] = false;
    else if (code === 4) state.underline = detail >= 0 && detail <= 5 ? detail : 1;
    else if (code === 21) state.underline = 2;
    else if (code === 22) state.bold = state.dim = false;
    else if (code === 24) state.underline = 0;
    else if (code >= 30 && code <= 37) state.fg = code - 30;
    else if (code >= 90 && code <= 97) state.fg = code - 82;
    else if (code >= 40 && code <= 47) state.bg = code - 40;
    else if (code >= 100 && code <= 107) state.bg = code - 92;
    else if (code === 39) state.fg = null;
    else if (code === 49) state.bg = null;
    else if (code === 38 || code === 48 || code === 58) at += recolour(state, groups, at);
  }
}

// 38:5:N, 38:2:R:G:B and 38:2:SPACE:R:G:B are one parameter, 38;5;N and 38;2;R;G;B several: returns how many more. The colour of
// an underline (58) is read and not used.
function recolour(state, groups, at) {
  const group = groups[at];
  const values = group.length > 1 ? group.slice(1) : groups.slice(at + 1, at + 5).map(([value]) => value);
  const skip = group.length > 5 ? 1 : 0;
  let colour;
  if (values[0] === 5) colour = indexed(values[1]);
  else if (values[0] === 2) colour = mixed(values.slice(1 + skip, 4 + skip));
  if (colour !== undefined && group[0] !== 58) state[group[0] === 38 ? 'fg' : 'bg'] = colour;
  return group.length > 1 ? 0 : ({ 5: 2, 2: 4 }[values[0]] ?? 0);
}

const isByte = (value) => Number.isInteger(value) && value >= 0 && value <= 255;

function mixed(parts) {
  if (parts.length !== 3 || !parts.every(isByte)) return undefined;
  return `#${parts.map((part) => part.toString(16).padStart(2, '0')).join('')}`;
}

// The first 16 of 256 are the palette, then come a cube of 6 by 6 by 6 and 24 greys.
function indexed(index) {
  if (!isByte(index)) return undefined;
  if (index < 16) return index;
  if (index >= 232) return mixed([1, 1, 1].map(() => (index - 232) * 10 + 8));
  return mixed([36, 6, 1].map((size) => Math.floor((index - 16) / size) % 6).map((step) => (step ? step * 40 + 55 : 0)));
}

const WEB = /(?<![A-Za-z0-9_])https?:\/\/[^\s\p{C}<>"'`\\|^«»“”‘’„、。，；：！？（）【】「」『』《》]{1,2048}/giu;

// The web addresses in a text without sequences: [{ from, to, href }].
export function links(text) {
  const found = [];
  if (!/https?:\/\//i.test(text)) return found;
  WEB.lastIndex = 0;
  for (let tried = 0; tried < MOST_TRIED && found.length < MOST_LINKS; tried += 1) {
    const match = WEB.exec(text);
    if (!match) break;
    if (match[0].length >= LONG_URL) continue;
    const next = match[0].slice(1).search(/[,;]https?:\/\//i) + 1;
    if (next) WEB.lastIndex = match.index + next;
    const shown = trimmed(next ? match[0].slice(0, next) : match[0]);
    const href = address(shown);
    if (href) found.push({ from: match.index, to: match.index + shown.length, href });
  }
  return found;
}

const OPENING = { ')': '(', ']': '[', '}': '{' };

// Without what belongs to the sentence around it: punctuation at the end, and brackets that were opened in front of it.
function trimmed(url) {
  const balance = { '(': 0, '[': 0, '{': 0 };
  for (const sign of url) {
    if (sign in balance) balance[sign] += 1;
    else if (OPENING[sign]) balance[OPENING[sign]] -= 1;
  }
  let end = url.length;
  for (; end > 0; end -= 1) {
    const sign = url[end - 1];
    if (OPENING[sign]) {
      if (balance[OPENING[sign]] >= 0) break;
      balance[OPENING[sign]] += 1;
    } else if (sign in balance) balance[sign] -= 1;
    else if (!'.,;:!?*…'.includes(sign)) break;
  }
  return url.slice(0, end);
}
