// The list of streams comes as JSON on standard input; what was heard of each goes out as one line of JSON.

import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { follow, walk } from '../browser/follow.mjs';

/** Streams at a time. */
const WIDTH = 12;

async function say(value) {
  if (!process.stdout.write(`${JSON.stringify(value)}\n`)) await once(process.stdout, 'drain');
}

/** Drives the EventSource of one package through the list. */
export async function drive(EventSource) {
  const streams = JSON.parse(readFileSync(0, 'utf8'));
  await walk(streams, WIDTH, async (stream) => say(await follow(EventSource, stream)));
}
