// Text of strangers into elements: by textContent alone, with its colours, links, highlights, and marks for what would be hidden.
import { links, pieces } from '../text/ansi.js';
import { visible } from '../text/visible.js';

const MOST_PIECES = 500;

export function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

// Appends a line to `parent`: at most `chars` characters of it. `ranges`: where what is looked for was found, in the text without colours.
export function paint(parent, text, chars, ranges = []) {
  const parts = pieces(text, { chars, pieces: MOST_PIECES });
  const plain = parts.length === 1 ? parts[0].text : parts.map((part) => part.text).join('');
  const edges = linked(plain);
  let at = 0;
  for (const part of parts) {
    const end = at + part.text.length;
    for (const [from, to] of cut(at, end, ranges, edges)) {
      const target = part.style?.link ?? edges.find((link) => link.from <= from && from < link.to)?.href;
      const isHit = ranges.some(([begin, stop]) => begin <= from && from < stop);
      show(parent, plain.slice(from, to), part.style, target, isHit);
    }
    at = end;
  }
}

const linked = (plain) => (plain.includes('://') ? links(plain) : []);

// The pieces of [from, to) in which nothing changes.
function cut(from, to, ranges, edges) {
  if (!ranges.length && !edges.length) return [[from, to]];
  const marks = [...ranges.flat(), ...edges.flatMap((link) => [link.from, link.to])];
  const inside = [...new Set(marks.filter((mark) => from < mark && mark < to))].sort((a, b) => a - b);
  return [from, ...inside].map((begin, index) => [begin, inside[index] ?? to]);
}

function show(parent, text, style, target, isHit) {
  let home = parent;
  if (target) {
    home = home.appendChild(make('a', 'link'));
    home.href = target;
    home.target = '_blank';
    home.rel = 'noopener noreferrer nofollow';
    home.title = target;
  }
  if (isHit) home = home.appendChild(make('mark'));
  if (style) home = home.appendChild(dressed(style));
  for (const { text: shown, name } of visible(text)) {
    if (name) home.appendChild(make('span', 'sign', shown)).title = name;
    else home.append(shown);
  }
}

function dressed(style) {
  const { bold, dim, italic, underline, strike, reverse, hidden } = style;
  const names = Object.entries({ bold, dim, italic, underline, strike, hidden }).filter(([, is]) => is);
  const span = make('span', names.map(([name]) => name).join(' '));
  const [fg, bg] = reverse ? [style.bg ?? 'paper', style.fg ?? 'ink'] : [style.fg, style.bg];
  // On a background that is no colour of the theme, the palette is that of terminals.
  const isFixed = isExact(bg);
  tint(span, isFixed && Number.isInteger(fg) ? TERMINAL[fg] : fg ?? (isFixed ? contrast(bg) : null), 'fg', 'color');
  tint(span, bg, 'bg', 'backgroundColor');
  return span;
}

const TERMINAL = (
  '#000000 #cd3131 #0dbc79 #e5e510 #2472c8 #bc3fbc #11a8cd #e5e5e5 #666666 #f14c4c #23d18b #f5f543 #3b8eea #d670d6 #29b8db #ffffff'
).split(' ');

const isExact = (colour) => typeof colour === 'string' && colour.startsWith('#');

// Black or white, whichever is read better on a colour.
function contrast(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return red * 0.299 + green * 0.587 + blue * 0.114 > 140 ? '#000000' : '#ffffff';
}

// A colour of the palette is a class, so that it fits the theme.
function tint(span, colour, name, property) {
  if (colour === null || colour === undefined) return;
  if (isExact(colour)) span.style[property] = colour;
  else span.classList.add(`${name}-${colour}`);
}
