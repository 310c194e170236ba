import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Intake } from '../../src/viewer/lines/intake.js';
import { KIND } from '../../src/viewer/lines/lines.js';

const place = { time: 1, number: 1, channel: 'make/stdout' };
const run = (number, state, exit = null) => ['1-1/make/stdout', 'run', JSON.stringify({ channel: 'make/stdout', run: number, state, exit }), place];
const line = (text) => ['1-1/make/stdout', '', text, place];
const end = (exit) => ['1-1/make/stdout', 'end', JSON.stringify({ channel: 'make/stdout', reason: 'exited', exit }), place];

test('the runs of a command are marks between its lines', () => {
  const intake = new Intake(() => false);
  const events = [run(1, 'started'), line('a'), run(1, 'exited', 2), run(2, 'started'), line('b'), run(2, 'exited', 0), end(0)];
  const rows = events.flatMap((event) => intake.rows(...event));
  assert.deepEqual(rows.map(({ text }) => text), [
    'make/stdout: run 1 began',
    'a',
    'make/stdout: run 1 ended with 2',
    'make/stdout: run 2 began',
    'b',
    'make/stdout: run 2 ended with 0',
    'make/stdout ended, exit code 0',
  ]);
  assert.deepEqual(rows.map(({ kind }) => kind), [KIND.run, KIND.line, KIND.run, KIND.run, KIND.line, KIND.run, KIND.end]);
  assert.deepEqual([...intake.ended], ['make/stdout']);
});

test('behind an end a new run is said once, by whoever says it', () => {
  const intake = new Intake(() => false);
  const texts = (...events) => events.flatMap((event) => intake.rows(...event)).map(({ text }) => text);
  texts(run(1, 'started'), end(0));
  assert.deepEqual(texts(run(1, 'started'), line('a')), ['make/stdout: run 1 began', 'a']);
  assert.equal(intake.ended.size, 0);
  texts(end(1));
  assert.deepEqual(texts(line('b')), ['make/stdout: a new run', 'b'], 'a source without runs');
});

test('what is no run shows nothing and breaks nothing', () => {
  const intake = new Intake(() => false);
  assert.deepEqual(intake.rows('', 'run', 'no JSON', place), []);
  const [{ text }] = intake.rows('', 'run', '{}', place);
  assert.equal(typeof text, 'string');
});
