// The page: events come in from the stream, rows, words and numbers go out.
// Lines are written by strangers. All of it goes through textContent; nothing here makes HTML from text.
import { Stream } from './stream.js';
import { Follow } from './follow.js';
import { Log, make } from './log.js';
import * as words from './words.js';

const SLOW_CONNECT = 6_000; // after which the page says why an answer may be missing
const CALM = 5; // lines a second up to which a screen reader is told each of them

const $ = (id) => document.getElementById(id);
const channels = new Set(); // all that were seen in this life
const ended = new Set(); // those of them that have ended for good
const moving = new Map(); // channel -> its line in the footer
let lines = 0;
let linesBefore = 0; // at the last look at the rate

const follow = new Follow($('follow'), () => log.flush());
const log = new Log($('log'), $('let-go'), follow);
const stream = new Stream('events?tail=1000&ping=1', document.documentElement.dataset.eventType, {
  line: ({ lastEventId, data }) => line(lastEventId, data),
  start: (told) => told.channels?.forEach(meet),
  gap(told, id) {
    if (told.reason === 'restart') forget();
    told.channels?.forEach(meet);
    log.add({ kind: 'gap', id, lines: told.lost ?? 0, text: words.gap(told, channels.size > 1), note: words.range(told) });
  },
  end(told, id) {
    meet(told.channel);
    ended.add(told.channel);
    settle(told.channel);
    log.add({ kind: 'end', id, text: words.end(told) });
  },
  progress: (told) => move(told.channel, words.plain(told.text)),
  busy: (told) => notice(words.busy(told)),
  state: show,
  finished: allEnded,
});

function allEnded() {
  return ended.size > 0 && ended.size === channels.size;
}

function line(id, data) {
  const channel = words.channelOf(id);
  meet(channel);
  ended.delete(channel);
  const overwritten = settle(channel);
  lines += 1;
  follow.count(1);
  log.add({ kind: 'line', id, lines: 1, channel, text: data, overwritten });
}

function meet(channel) {
  if (!channel || channels.has(channel)) return;
  channels.add(channel);
  document.documentElement.classList.toggle('many', channels.size > 1);
  log.widen(channel.length);
  greet();
}

function forget() {
  channels.clear();
  ended.clear();
  for (const channel of [...moving.keys()]) settle(channel);
}

// A line that is still being overwritten: one moving line for each channel, at the bottom.
function move(channel, text) {
  let row = moving.get(channel);
  if (!row) {
    row = make('div', 'moving');
    row.dataset.channel = channel;
    row.append(make('span', `name ${log.hue(channel)}`, channel), make('span', 'text'));
    moving.set(channel, row);
    $('progress').append(row);
  }
  row.lastChild.textContent = text;
}

// The moving line of a channel is over; tells whether there was one.
function settle(channel) {
  moving.get(channel)?.remove();
  return moving.delete(channel);
}

function show(state) {
  document.documentElement.dataset.state = state;
  $('state').textContent = words.states[state];
  if (state !== 'busy') notice('');
  greet();
}

function notice(text) {
  $('notice').textContent = text;
  $('notice').hidden = !text;
}

// What the page says while there is no line.
function greet() {
  const over = lines === 0 && allEnded();
  document.documentElement.classList.toggle('over', over);
  if (lines > 0) return;
  $('waiting').textContent = words.waiting(document.documentElement.dataset.state, [...channels], over);
}

function tellNumbers() {
  $('lines').textContent = words.count(lines, 'line');
  $('empty').hidden = lines > 0;
}

function tellRate() {
  const rate = lines - linesBefore;
  linesBefore = lines;
  $('rate').textContent = `${words.number(rate)}/s`;
  $('log').ariaLive = rate > CALM ? 'off' : 'polite';
  if (stream.connectingFor() > SLOW_CONNECT) notice(words.slowConnect);
}

$('curl').textContent = `curl -N ${new URL('events', location.href)}`;
log.shown = tellNumbers;
setInterval(tellRate, 1_000);
stream.open();
