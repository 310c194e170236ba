// What the page says of the stream, in words.
import { parse } from './stream/ids.js';
import { clock } from './text/times.js';

// The state of the connection, and of what this page looks at.
export function state({ name, at }, now) {
  const left = at ? Math.max(0, Math.ceil((at - now) / 1000)) : 0;
  const soon = left > 0 ? ` in ${left} s` : '';
  if (name === 'reconnecting' || (name === 'connecting' && soon)) return `${name}${soon || '…'}`;
  if (name === 'busy') return 'full';
  return name;
}

// Why it is so, and what comes next; '' where there is nothing to say.
export function reason({ name, reason: why, at }) {
  if (name === 'refused') return `The daemon refuses this page: ${why}. It is asked again at ${clock(at).time.slice(0, 8)}.`;
  if (name === 'busy') return busy(at);
  return '';
}

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
  return `${state}…`;
}

// `several`: whether the reader sees more than one channel, so that it matters which one lost something.
export function gap({ reason, lost, channels }, several) {
  if (reason === 'restart') return 'the daemon was started anew; lines may be missing here';
  const where = several && channels?.length ? ` of ${list(channels)}` : '';
  const cut = { truncated: 'was truncated', overwritten: 'was overwritten', vanished: 'has vanished' }[reason];
  if (cut) return `the file${where} ${cut}; lines may be missing here`;
  if (reason === 'crash') return `the daemon was killed; what it had read last${where} may be missing here`;
  const lines = `${lost ? count(lost, 'line') : 'lines'}${where} ${lost === 1 ? 'is' : 'are'}`;
  if (reason === 'dropped') return `${lines} no longer held`;
  if (reason === 'slow') return `${lines} skipped: this page was too slow for them`;
  if (reason === 'rate-limit') return `${lines} left out: more came than the rate limit lets through`;
  if (reason === 'upstream') return `${lines} missing at the source`;
  return `${lines} missing${reason ? `: ${reason}` : ''}`;
}

// From when to when something is missing, as far as it is known.
export function range({ from, to }) {
  const [begin, end] = [from, to].map((id) => clock(parse(id ?? '')?.time));
  if (!begin.time || !end.time || from === to) return '';
  const isOneDay = begin.full.slice(0, 10) === end.full.slice(0, 10);
  return isOneDay ? `${begin.time} to ${end.time}` : `${begin.full} to ${end.full}`;
}

export function end({ channel, reason, exit }) {
  const how = exit === undefined || exit === null ? '' : `, exit code ${exit}`;
  const why = reason === 'error' ? ': it could not be read any more' : '';
  return `${name(channel)} ended${how}${why}`;
}

const busy = (at) =>
  `The house is full: the daemon serves as many clients as it may. This page tries again at ${clock(at).time.slice(0, 8)}.`;

// A channel whose source had ended gives lines again.
export const again = (channel) => `${name(channel)}: a new run`;

export function run({ channel, run: number, state: what, exit }) {
  const how = exit === undefined || exit === null ? '' : ` with ${exit}`;
  return `${name(channel)}: run ${number} ${what === 'started' ? 'began' : `ended${how}`}`;
}

// What is in front of the first line that is shown; never nothing while there are lines, so that they stay where they are.
export function older({ letGo, isAtStart, isAsking, lines }, isTired) {
  if (!lines.count) return '';
  if (isAsking) return 'asking for more lines…';
  if (letGo) return `${count(letGo, 'older line')} no longer held by this page`;
  if (isTired) return `nothing in the last ${number(lines.count)} lines`;
  if (isAtStart) return 'the beginning of what the daemon has';
  return 'older lines come as you scroll up';
}

export const filteredOut = 'The linked line does not match what is looked for: it is not among these.';

export const notHere = 'That line is no longer held, or was never here; this is where it would be.';
