// What the page says, and how it reads ids: all text for people is here.

export const states = {
  connecting: 'connecting',
  live: 'live',
  reconnecting: 'reconnecting',
  ended: 'ended',
  busy: 'full',
};

export const slowConnect =
  'No answer yet. A browser keeps at most six streams to one server: tabs that show this page, too, may hold them all.';

export const number = (n) => n.toLocaleString('en');
export const count = (n, noun) => `${number(n)} ${noun}${n === 1 ? '' : 's'}`;

const name = (channel) => (channel === 'stdin' ? 'standard input' : channel);

function list(channels) {
  const names = channels.slice(0, 3).map(name);
  if (channels.length > 3) names.push(`${number(channels.length - 3)} more`);
  return names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)}` : names.join('');
}

export function waiting(state, channels, over) {
  const from = channels.length ? ` from ${list(channels)}` : '';
  if (over) return `${list(channels)} ended without a line`;
  if (state === 'live') return `waiting for the first line${from}…`;
  if (state === 'busy') return 'the house is full…';
  return `${states[state]}…`;
}

// `several`: whether the reader sees more than one channel, so that it matters which one lost something.
export function gap({ reason, lost, channels }, several) {
  if (reason === 'restart') return 'the daemon was started anew; lines may be missing here';
  const where = several && channels?.length ? ` of ${list(channels)}` : '';
  const cut = { truncated: 'was truncated', overwritten: 'was overwritten', vanished: 'has vanished' }[reason];
  if (cut) return `the file${where} ${cut}; lines may be missing here`;
  const lines = `${lost ? count(lost, 'line') : 'lines'}${where} ${lost === 1 ? 'is' : 'are'}`;
  if (reason === 'dropped') return `${lines} no longer held`;
  if (reason === 'slow') return `${lines} skipped: this page was too slow for them`;
  return `${lines} missing${reason ? `: ${reason}` : ''}`;
}

export const range = ({ from, to }) => (from || to ? `from ${from ?? 'the beginning'} to ${to ?? 'now'}` : '');

export function end({ channel, reason, exit }) {
  const how = exit === undefined || exit === null ? '' : `, exit code ${exit}`;
  const why = reason === 'error' ? ': it could not be read any more' : '';
  return `${name(channel)} ended${how}${why}`;
}

export function busy({ retry }) {
  const when = Number.isFinite(retry) ? `at ${clock(Date.now() + retry).time.slice(0, 8)}` : 'within a minute';
  return `The house is full: the daemon serves as many clients as it may. This page tries again ${when}.`;
}

// An id is MILLIS-NUMBER, or MILLIS-NUMBER/CHANNEL.
export function channelOf(id) {
  const slash = id.indexOf('/');
  return slash < 0 ? '' : id.slice(slash + 1);
}

const two = (n) => String(n).padStart(2, '0');
let second = NaN; // the last second that was put into words: many lines share one
let inWords = { time: '', date: '', zone: '' };

// The local time of arrival: for the row, and in full. A position, the id of a client's own gap, is no arrival.
export function arrival(id) {
  return channelOf(id) ? clock(parseInt(id, 10)) : { time: '', full: '' };
}

function clock(millis) {
  if (!(Math.abs(millis) < 8.64e15)) return { time: '', full: '' };
  const now = Math.floor(millis / 1000);
  if (now !== second) {
    second = now;
    inWords = secondInWords(new Date(millis));
  }
  const { time, date, zone } = inWords;
  const exact = `${time}.${String(millis - now * 1000).padStart(3, '0')}`;
  return { time: exact, full: `${date} ${exact} ${zone}` };
}

function secondInWords(at) {
  const offset = -at.getTimezoneOffset();
  const minutes = Math.abs(offset);
  return {
    time: `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`,
    date: `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`,
    zone: `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`,
  };
}

// Terminal sequences are for terminals: colours, cursor moves, titles.
const TERMINAL = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))/g;
export const plain = (text) => (text.includes('\x1b') ? text.replace(TERMINAL, '') : text);

// The last state of a line that was overwritten, and how many states it had.
export function lastOf(text) {
  const parts = text.split('\n').filter((part) => part.trim());
  return { last: parts.at(-1) ?? '', updates: parts.length };
}
