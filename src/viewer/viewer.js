// The page. The book holds what the reader has before them, the view says which lines of it are shown, the list draws those in sight.
// Lines are written by strangers: all of it goes through textContent, nothing here makes HTML from text.
//
//   hub ▸ feed ▸ intake ▸ lines ▸ view ▸ list ▸ row
import { Channels } from './channels.js';
import { Find } from './find.js';
import { explain, listen } from './keys.js';
import { Book } from './lines/book.js';
import { LEVELS } from './lines/levels.js';
import { KIND } from './lines/lines.js';
import { List } from './list/list.js';
import { Rows } from './list/row.js';
import { Marks } from './marks.js';
import { Moving } from './moving.js';
import { Reading } from './reading.js';
import { Status } from './status.js';
import { json } from './stream/wire.js';
import { Tab } from './tab.js';
import * as take from './take.js';
import { plain } from './text/ansi.js';
import * as words from './words.js';

const CALM = 5; // lines a second up to which a screen reader is told each of them
const ERROR = LEVELS.indexOf('error');
const MOST_PLOTTED = 20_000; // lines of those held that a chart begins with
const TIMES = ['absolute', 'relative', 'off'];

const $ = (id) => document.getElementById(id);
const page = document.documentElement;
const base = new URL('events', document.baseURI).href;

const tab = new Tab();
const channels = new Channels($('channels'));
const moving = new Moving($('progress'), channels);
const status = new Status(channels);
const book = new Book(base, {
  isSeveral: () => channels.areSeveral,
  isFollowing: () => list.isFollowing,
  line: took,
  passed,
  told,
  changed: () => reading.wake(),
  cleared: () => reading.begin(),
  state(state) {
    status.state = state;
    status.tell();
  },
  filling(is) {
    status.isFilling = is;
    status.tell();
  },
});
const { lines, view } = book;
const rows = new Rows(lines, view, channels, (row) => list.redraw(row));
const list = new List($('log'), view, (row) => rows.draw(row));
const marks = new Marks(book, list, rows);
const find = new Find($('find'), view, list, (filter) => reading.look(filter));
const reading = new Reading({ base, book, channels, find, list, marks, moving, plot: () => plot, rows, status });
let plot = null;

// A line came; whether it is one that the reader looks at.
function took({ channel, level, time, text }, origin) {
  const isChosen = channels.isChosen(channel);
  channels.meet(channel);
  moving.settle(channel);
  if (origin !== 'begin') {
    channels.note(channel, isChosen && list.isFollowing && !document.hidden, level >= ERROR);
    tab.note(level >= ERROR);
    if (isChosen && !list.isFollowing) status.missed += 1;
  }
  if (isChosen) {
    status.lines += 1;
    plot?.add(channel, time, plain(text));
  }
  return isChosen;
}

// A line came while something older is looked at.
function passed(channel, level) {
  channels.note(channel, false, level >= ERROR);
  tab.note(level >= ERROR);
  if (channels.isChosen(channel)) status.missed += 1;
}

// The stream says something of itself.
function told(type, data) {
  const said = json(data);
  if (!said) return;
  if (type === 'progress' && channels.isChosen(said.channel)) {
    book.moves(said.channel);
    moving.move(said.channel, String(said.text));
  }
  if (type === 'gap' && said.reason === 'restart') {
    channels.beginAnew();
    moving.clear();
  }
  if (type === 'end') {
    channels.end(said.channel);
    moving.settle(said.channel);
  }
  if (Array.isArray(said.channels)) said.channels.forEach((name) => channels.meet(name));
  status.tell();
}

// Shows or hides a part of the page, and says so on its button.
function toggle(name, id = name) {
  const isShown = $(id).hidden;
  $(id).hidden = !isShown;
  document.querySelector(`nav [data-do="${name}"]`).ariaPressed = String(isShown);
  list.refresh();
  return isShown;
}

async function charts() {
  if (!plot) {
    const { Plot } = await import('./plot/plot.js').catch(() => ({}));
    if (!Plot) return status.notice('The charts could not be loaded: the daemon is away, or of another version. Reload the page.');
    plot = new Plot($('plot'));
    plot.onClose = () => $('plot').hidden || toggle('plot');
    for (let row = Math.max(lines.first, lines.end - MOST_PLOTTED); row < lines.end; row++) {
      const { kind, channel, time, text } = lines.get(row);
      if (kind === KIND.line) plot.add(channel, time, plain(text));
    }
  }
  if (!toggle('plot')) return plot.hide();
  await plot.show().catch((error) => status.notice(`The charts cannot be shown: ${error.message}.`));
}

function wrap() {
  const isWrapped = !page.classList.toggle('unwrapped');
  document.querySelector('[data-do="wrap"]').ariaPressed = String(isWrapped);
  list.refresh(true);
}

function times() {
  rows.times = TIMES[(TIMES.indexOf(rows.times) + 1) % TIMES.length];
  page.dataset.times = rows.times;
  $('times').textContent = rows.times;
  list.refresh(true);
}

async function copy() {
  const text = marks.text || getSelection().toString();
  if (!text) return status.say('mark lines first: click a time, or press j and k');
  const isDone = await take.copy(text);
  status.say(isDone ? `copied ${words.count(text.split('\n').length, 'line')}` : 'the browser does not let this page copy');
}

async function link() {
  reading.keep();
  status.say((await take.copy(location.href)) ? 'copied the link' : 'the link is in the address bar');
}

function menu(isShown = $('menu').hidden) {
  $('menu').hidden = !isShown;
  document.querySelector('[data-do="menu"]').ariaExpanded = String(isShown);
}

// Closes what was opened last.
function escape() {
  if ($('help').open) $('help').close();
  else if (!$('menu').hidden) menu(false);
  else if (find.isOpen) find.close();
  else if (marks.row !== null) marks.clear();
  else if (!$('channels').hidden) toggle('channels');
  else return false;
  reading.keep();
  $('log').focus();
}

const step = (direction) => (event) => {
  marks.step(direction, event.shiftKey);
  $('log').focus({ preventScroll: true });
  reading.keep();
};

listen({
  follow: () => reading.follow(),
  start() {
    list.showStart();
    reading.older();
  },
  pageUp: () => list.page(-1),
  pageDown: () => list.page(1),
  up: step(-1),
  down: step(1),
  open() {
    if (marks.row === null) return false;
    list.reveal(marks.row);
    const element = list.element(marks.row);
    return !element || rows.toggle(element);
  },
  further: () => reading.lookFurther(),
  find: () => find.open(),
  unfind: () => find.close(),
  next: () => find.step(1),
  previous: () => find.step(-1),
  only: () => find.toggleOnly(),
  escape,
  channels() {
    toggle('channels');
    channels.show();
  },
  plot: charts,
  wrap,
  times,
  copy,
  link,
  download: () => take.download(lines, view, document.title),
  menu: () => menu(),
  help() {
    explain($('help'));
    $('help').showModal();
  },
});

find.onstep = (row) => (rows.current = row);
channels.onchoose = (names) => reading.choose(names);
view.onchange = () => reading.wake();
view.ontrace = (head) => list.redraw(head);
list.ontop = () => reading.older();
list.onend = () => reading.reachEnd();
list.onfollow = (is) => {
  if (is) {
    status.missed = 0;
    channels.see();
  }
  reading.wake();
};
$('follow').addEventListener('click', () => reading.follow());
document.addEventListener('click', (event) => event.target.closest('#menu, [data-do="menu"]') || menu(false));

// A time is a link to its line, and a click on it marks the line; a click on a JSON line lays it out.
$('log').addEventListener('click', (event) => {
  const element = event.target.closest('.row');
  if (!element) return;
  if (event.target.closest('a.when')) {
    event.preventDefault();
    list.pause();
    marks.set(Number(element.dataset.row), event.shiftKey);
    return reading.keep();
  }
  const isText = event.target.closest('.text.json') && !event.target.closest('button, a, .opened');
  if (isText && getSelection().isCollapsed) rows.toggle(element);
});

document.addEventListener('copy', (event) => {
  if (!getSelection().isCollapsed || !marks.text || event.target.closest('input')) return;
  event.clipboardData.setData('text/plain', marks.text);
  event.preventDefault();
});

addEventListener('hashchange', () => reading.show());
addEventListener('pagehide', () => book.feed.close());
addEventListener('pageshow', (event) => event.persisted && book.goOn());
addEventListener('online', () => book.feed.wake());
for (const moment of ['visibilitychange', 'resume']) {
  document.addEventListener(moment, () => {
    if (document.hidden) return;
    book.feed.wake();
    if (list.isFollowing) channels.see();
    reading.wake();
  });
}

setInterval(() => {
  const rate = channels.tick();
  status.tellRate(rate);
  $('log').ariaLive = rate > CALM || !list.isFollowing ? 'off' : 'polite';
  rows.tick(list.drawn.map((row) => list.element(row)));
  tab.tell();
  status.tell();
}, 1_000);

page.dataset.times = rows.times;
$('curl').textContent = `curl -N ${base}`;
reading.show();
book.feed.open();
reading.wake();
