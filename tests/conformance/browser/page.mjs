// The page that a browser of the matrix opens: it follows every stream of the list and posts back what it heard.

import { follow, walk } from './follow.mjs';

/** Streams at a time. Each has a port of its own, so the browser's six connections to one host do not count. */
const WIDTH = 12;

async function post(path, value) {
  await fetch(path, { method: 'POST', body: JSON.stringify(value) });
}

addEventListener('error', (event) => post('trouble', String(event.message)));
addEventListener('unhandledrejection', (event) => post('trouble', String(event.reason)));

const streams = await (await fetch('streams.json')).json();
await walk(streams, WIDTH, async (stream) => post('heard', await follow(EventSource, stream)));
