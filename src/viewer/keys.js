// The keyboard: one table of what can be done, by key and by button, which is the help sheet as well.
import { make } from './list/paint.js';

// [keys, what for people, name of the action]; keys as KeyboardEvent.key says them.
const KEYS = [
  ['the place', [
    ['f', 'End', 'go to the newest line and follow', 'follow'],
    ['Home', 'g', 'go to the oldest line held', 'start'],
    ['PageUp', 'a page up', 'pageUp'],
    ['PageDown', ' ', 'a page down', 'pageDown'],
    ['k', 'K', 'ArrowUp', 'mark the line above; with shift, it as well', 'up'],
    ['j', 'J', 'ArrowDown', 'mark the line below; with shift, it as well', 'down'],
    ['Enter', 'o', 'open the marked line: JSON, trace, whole line', 'open'],
  ]],
  ['finding', [
    ['/', 'find in the lines', 'find'],
    ['n', 'next match', 'next'],
    ['N', 'previous match', 'previous'],
    ['x', 'only lines that match, or all', 'only'],
    ['Escape', 'close what is open; look for nothing', 'escape'],
  ]],
  ['what is shown', [
    ['c', 'the channels', 'channels'],
    ['p', 'charts of the numbers in the lines', 'plot'],
    ['w', 'wrap long lines, or not', 'wrap'],
    ['t', 'times: absolute, relative, none', 'times'],
  ]],
  ['taking along', [
    ['y', 'copy the marked lines', 'copy'],
    ['l', 'copy a link to the marked line, or to this view', 'link'],
    ['d', 'download what is shown', 'download'],
    ['?', 'this sheet', 'help'],
  ]],
];

const rows = KEYS.flatMap(([, entries]) => entries.map((entry) => [entry.slice(0, -2), ...entry.slice(-2)]));
const byKey = new Map(rows.flatMap(([keys, , action]) => (action ? keys.map((key) => [key, action]) : [])));

// Has keys and the buttons with `data-do` do things: `actions` by name.
export function listen(actions) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const isTyping = event.target.closest('input, select, textarea, dialog');
    if (isTyping && event.key !== 'Escape') return;
    if (event.target.closest('button, a') && (event.key === 'Enter' || event.key === ' ')) return;
    const action = byKey.get(event.key);
    if (!action || !actions[action]) return;
    if (actions[action](event) !== false) event.preventDefault();
  });
  document.addEventListener('click', (event) => {
    const name = event.target.closest('[data-do]')?.dataset.do;
    if (name) actions[name]?.(event);
  });
}

// Fills the help sheet.
export function explain(dialog) {
  const close = make('button', 'close', '✕');
  close.type = 'button';
  close.ariaLabel = 'close';
  close.addEventListener('click', () => dialog.close());
  dialog.replaceChildren(close, make('h2', '', 'keys'), ...KEYS.map(section));
  dialog.append(
    make('h2', '', 'with the mouse'),
    make('p', '', 'A time is a link to its line; click it to mark the line, with shift to mark all lines up to it. Click a JSON line to see it laid out.'),
  );
}

function section([title, entries]) {
  const list = make('dl');
  for (const entry of entries) {
    const keys = make('dt');
    entry.slice(0, -2).filter((key) => !'JK'.includes(key)).forEach((key) => keys.append(make('kbd', '', NAMES[key] ?? key), ' '));
    list.append(keys, make('dd', '', entry.at(-2)));
  }
  const whole = make('section');
  whole.append(make('h3', '', title), list);
  return whole;
}

const NAMES = { ArrowUp: '↑', ArrowDown: '↓', PageUp: 'page ↑', PageDown: 'page ↓', Escape: 'esc', Enter: '⏎', ' ': 'space' };
