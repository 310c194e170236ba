// For pages of other people: a stream of sse-bridge, followed for good.
//
//   import { connect } from 'http://127.0.0.1:8080/sse-bridge.js';
//   const stream = connect('http://127.0.0.1:8080/events/web?tail=100', {
//     line: ({ data, time, channel }) => console.log(new Date(time), channel, data),
//     gap: ({ reason, lost }) => console.warn('missing', lost, reason),
//   });
//
// Every event comes once, in order, however often the connection breaks; what can be got no more is told as a gap. All tabs of a
// browser that ask for the same URL share one connection.
import { Feed } from './feed.js';
import { position } from './ids.js';
import { json } from './wire.js';

const BEGINNINGS = ['tail', 'since', 'lastEventId'];
const CONTROL = new Set(['start', 'gap', 'end', 'run', 'progress', 'busy', 'ping']);

// `handlers`: line, gap, end, run, start, progress, ping, state; all optional. See sse-bridge.d.ts.
export function connect(url, handlers = {}, { share = true } = {}) {
  const base = new URL(url, globalThis.document?.baseURI);
  const beginning = beginningOf(base);
  let state = { name: 'connecting' };
  let isFilling = false;
  let isReady = false; // whoever asked has what connect() gives
  const tell = () => isReady && handlers.state?.(isFilling && state.name === 'live' ? { name: 'catching up' } : state);
  const on = {
    event: (id, type, data, place) => dispatch(handlers, id, type, data, place),
    state: (now) => tell((state = now)),
    filling: (is) => tell((isFilling = is)),
  };
  const feed = new Feed(base.href, on, share ? undefined : []);
  const stop = listen(feed, () => feed.follow(feed.place ? { behind: feed.place } : beginning));
  feed.follow(beginning);
  feed.open();
  queueMicrotask(() => tell((isReady = true)));
  return {
    get state() {
      return state;
    },
    // Where the stream is; `?lastEventId=` and another connect() go on behind it.
    get lastId() {
      return position(feed.place);
    },
    // How it is shared: 'worker', 'lock' or 'alone'.
    get sharing() {
      return feed.sharing;
    },
    close() {
      stop();
      feed.close();
    },
  };
}

// What the URL asks for at first; the rest of it says which stream it is.
function beginningOf(base) {
  const asked = BEGINNINGS.map((name) => [name, base.searchParams.get(name)]).filter(([, value]) => value !== null);
  [...BEGINNINGS, 'follow', 'before', 'format'].forEach((name) => base.searchParams.delete(name));
  // A request without one gives what the daemon gives by default.
  return Object.fromEntries(asked.length ? asked.slice(-1) : [['follow', '0']]);
}

function dispatch(handlers, id, type, data, place) {
  if (!CONTROL.has(type)) {
    const { time, number, channel } = place ?? { time: NaN, number: NaN, channel: '' };
    return handlers.line?.({ id, time, number, channel, type: type || 'message', data });
  }
  const told = type === 'ping' ? {} : json(data);
  if (told) handlers[type]?.(told, id);
}

// A page that sleeps, is put aside or comes back.
function listen(feed, goOn) {
  const ending = new AbortController();
  const options = { signal: ending.signal };
  const wake = () => document.hidden || feed.wake();
  addEventListener('online', () => feed.wake(), options);
  addEventListener('pagehide', () => feed.close(), options);
  addEventListener('pageshow', ({ persisted }) => {
    if (!persisted) return;
    goOn();
    feed.open();
  }, options);
  document.addEventListener('visibilitychange', wake, options);
  document.addEventListener('resume', wake, options);
  return () => ending.abort();
}
