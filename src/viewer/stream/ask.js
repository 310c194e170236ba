// Requests for events that end: what is retained before, behind or since a place.
import { parse as parseId } from './ids.js';
import { Cutter, has, parse } from './wire.js';

const SILENCE = 20_000; // ms without a byte, after which nobody is there

// All places are taken.
export class Full extends Error {}

// Gives `take` whole events as they come, until the stream ends. Throws where there is no answer, a refusal, or a broken one.
export async function ask(base, params, take, signal) {
  const deaf = new AbortController();
  let timer = 0;
  const listen = () => {
    clearTimeout(timer);
    timer = setTimeout(() => deaf.abort(new Error('nothing was heard for long')), SILENCE);
  };
  try {
    await request(base, params, take, signal ? AbortSignal.any([signal, deaf.signal]) : deaf.signal, listen);
  } finally {
    clearTimeout(timer);
  }
}

async function request(base, params, take, signal, listen) {
  const url = new URL(base);
  for (const [name] of params) url.searchParams.delete(name);
  for (const [name, value] of params) url.searchParams.append(name, value);
  listen();
  const response = await fetch(url, { signal, headers: { accept: 'text/event-stream' }, cache: 'no-store' });
  if (response.status === 204) return;
  if (response.status !== 200) throw new Error(`the answer is ${response.status}`);
  const cutter = new Cutter();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    listen();
    const { done, value } = await reader.read();
    if (done) return;
    const text = cutter.push(value);
    if (text && has(text, 'busy')) throw new Full('the house is full');
    if (text) take(text);
  }
}

// A page of at most `count` events: { events, isAll }, where `isAll` says that there are no more that way.
// An event is { id, type, data, place }; `start` and `ping` are none.
export async function page(base, params, count, signal) {
  const events = [];
  const ending = new AbortController();
  const stop = () => ending.abort();
  signal?.addEventListener('abort', stop);
  const take = (text) =>
    parse(text, (id, type, data) => {
      if (type === 'start' || !id) return;
      if (events.length < count) events.push({ id, type, data, place: parseId(id) });
      else stop();
    });
  try {
    await ask(base, params, take, ending.signal);
    return { events, isAll: events.length < count };
  } catch (error) {
    if (events.length < count) throw error;
    return { events, isAll: false };
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

// The page of events before an id, in their order.
export const before = (base, id, count, params = [], signal = undefined) => page(base, [['before', id], ['tail', count], ...params], count, signal);

// The page of events behind an id.
export const behind = (base, id, count, params = [], signal = undefined) => page(base, [['lastEventId', id], ['follow', '0'], ...params], count, signal);
