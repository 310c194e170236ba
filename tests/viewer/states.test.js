// Which events are lines that were overwritten: the stream has their states as lines of one event, as it has those of a stack trace.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statesOf } from '../../src/viewer/text/states.js';

const lines = (count, line) => Array.from({ length: count }, (_, at) => line(at)).join('\n');

test('a progress bar that nobody saw moving is known by its states', () => {
  assert.equal(statesOf({ text: lines(20, (at) => `[${'#'.repeat(at)}] ${at} of 20`) })?.length, 20);
  assert.equal(statesOf({ text: lines(20, (at) => `${at * 5}% done`) })?.at(-1), '95% done');
  assert.equal(statesOf({ text: 'a\nb', overwritten: true })?.length, 2);
});

test('a stack trace is none', () => {
  const java = lines(30, (at) => `\tat com.example.Server.handle(Server.java:${at})`);
  assert.equal(statesOf({ text: `java.io.IOException: gone\n${java}` }), null);
  const node = lines(30, (at) => `    at handle (server.js:${at})`);
  assert.equal(statesOf({ text: `Error: gone\n${node}` }), null);
  const python = lines(10, (at) => `  File "server.py", line ${at}\n    handle()`);
  assert.equal(statesOf({ text: `Traceback (most recent call last):\n${python}\nValueError: gone` }), null);
});

test('few lines, or one, are none', () => {
  assert.equal(statesOf({ text: 'a\na\na' }), null);
  assert.equal(statesOf({ text: 'a'.repeat(100) }), null);
});
