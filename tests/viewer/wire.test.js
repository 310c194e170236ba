import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, parse as parseId, position } from '../../src/viewer/stream/ids.js';
import { Cutter, first, has, lastId, parse } from '../../src/viewer/stream/wire.js';

const events = (text) => {
  const all = [];
  parse(text, (...event) => all.push(event));
  return all;
};

const STREAM = [
  ': sse-bridge\nretry: 2000\nid: 5-1/a\ndata: one\n\n',
  'id: 5-2/a\ndata: two\ndata: lines\ndata: \n\n',
  ':\nid: 6-3/b/c\nevent: gap\ndata: {"reason":"restart"}\n\n',
  'event: progress\ndata: {"channel":"a"}\n\n',
  'id: 7-4/a\ndata: \n\n',
  'id: 7-5/a\ndata:\n\n',
  'id: 7-6/a\ndata:  id: 9-9/x\n\n',
].join('');

test('events are read as they were written', () => {
  assert.deepEqual(events(STREAM), [
    ['5-1/a', '', 'one'],
    ['5-2/a', '', 'two\nlines\n'],
    ['6-3/b/c', 'gap', '{"reason":"restart"}'],
    ['', 'progress', '{"channel":"a"}'],
    ['7-4/a', '', ''],
    ['7-5/a', '', ''],
    ['7-6/a', '', ' id: 9-9/x'],
  ]);
});

test('wherever the stream is cut, whole events come out, and all of them', () => {
  for (let size = 1; size < 40; size++) {
    const cutter = new Cutter();
    let all = '';
    for (let at = 0; at < STREAM.length; at += size) {
      const whole = cutter.push(STREAM.slice(at, at + size));
      assert.ok(whole === '' || whole.endsWith('\n\n'), JSON.stringify(whole));
      all += whole;
    }
    assert.equal(all, STREAM, `pieces of ${size}`);
  }
});

test('what data says is no id and no type', () => {
  const forged = 'id: 7-6/a\ndata: id: 9-9/x\ndata: event: gap\n\n';
  assert.equal(lastId(forged), '7-6/a');
  assert.equal(lastId(STREAM), '7-6/a');
  assert.equal(lastId('event: ping\ndata: \n\n'), '');
  assert.ok(!has(forged, 'gap') && has(STREAM, 'gap'));
  assert.deepEqual(first(STREAM, 'gap'), { reason: 'restart' });
  assert.equal(first('event: gap\ndata: {nonsense\n\n', 'gap'), null);
});

test('ids are places in one order', () => {
  assert.deepEqual(parseId('1763660000123-4821/web/access.log'), { time: 1763660000123, number: 4821, channel: 'web/access.log' });
  assert.deepEqual(parseId('5-3'), { time: 5, number: 3, channel: '' });
  for (const bad of ['', 'x', '-1/a', 'a-b/c', '5-x/a']) assert.equal(parseId(bad), null, bad);
  const places = [null, '1-9/a', '2-1/b', '2-2/a', '3-1'].map((id) => id && parseId(id));
  places.forEach((a, i) => places.forEach((b, j) => assert.equal(Math.sign(compare(a, b)), Math.sign(i - j))));
  assert.equal(position(parseId('5-3/a')), '5-3');
});
