// How the tabs of a browser come to one hub for a URL: `share(url, hear, place)` gives a link to it.
//
// - A SharedWorker holds it, where there are any, for pages of the daemon's own origin (no other may start its script).
// - Else the tab that has a Web Lock holds it in itself and tells all by a BroadcastChannel. If it goes, the lock goes to the next
//   one, whose hub goes on behind what that tab has seen; tabs that have seen less find a hole and fill it.
// - Else each tab is alone.
import { Hub } from './hub.js';

const MUTE = 10_000; // ms without the first word of a worker, which is the first thing that it does: it does not live

// `hear` gets the hub's messages, `place` says the id behind which a hub of this tab's own would go on.
// The link: `say(message)` to the hub, `close()`.
export function share(url, hear, place, ways = [byWorker, byLock]) {
  const [way = alone, ...others] = ways;
  const link = {};
  const fail = () => {
    link.close();
    Object.assign(link, share(url, hear, place, others));
  };
  const found = way(url, hear, place, fail);
  return found ? Object.assign(link, found) : share(url, hear, place, others);
}

function byWorker(url, hear, place, fail) {
  const script = new URL('./worker.js', import.meta.url);
  if (!globalThis.SharedWorker || script.origin !== location.origin) return null;
  let worker;
  try {
    worker = new SharedWorker(script, { name: url, type: 'module' });
  } catch {
    return null; // the page's policy forbids it
  }
  const { port } = worker;
  const mute = setTimeout(fail, MUTE);
  worker.onerror = fail;
  port.onmessage = ({ data }) => {
    clearTimeout(mute);
    hear(data);
  };
  return {
    kind: 'worker',
    say: (message) => port.postMessage(message),
    close() {
      clearTimeout(mute);
      worker.onerror = null;
      port.postMessage({ bye: true });
      port.close();
    },
  };
}

function byLock(url, hear, place) {
  if (!navigator.locks || !globalThis.BroadcastChannel) return null;
  const name = `sse-bridge ${url}`;
  const channel = new BroadcastChannel(name);
  const ending = new AbortController();
  const port = {
    postMessage(message) {
      channel.postMessage({ told: message });
      hear(message);
    },
  };
  let hub = null;
  channel.onmessage = ({ data: { told, said } }) => (told ? hear(told) : hub?.hear(port, said));
  const lead = () =>
    new Promise((leave) => {
      hub = new Hub(url, place());
      ending.signal.addEventListener('abort', leave);
      hub.add(port);
    });
  navigator.locks.request(name, { signal: ending.signal }, lead).catch(() => {}); // given up before it was got
  channel.postMessage({ said: { hello: true } });
  return {
    kind: 'lock',
    say(message) {
      if (hub) hub.hear(port, message);
      // What a tab has taken is its own affair: to all of them is sent once.
      else if (message.wake || message.lend || message.hello) channel.postMessage({ said: message });
    },
    close() {
      hub?.close();
      hub = null;
      channel.close();
      ending.abort();
    },
  };
}

function alone(url, hear, place) {
  const hub = new Hub(url, place());
  const port = { postMessage: hear };
  queueMicrotask(() => hub.add(port));
  return { kind: 'alone', say: (message) => hub.hear(port, message), close: () => hub.close() };
}
