// The feed over real HTTP, against a daemon that breaks connections wherever it can. The pauses of the page are made fifty times shorter.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { before, behind } from '../../src/viewer/stream/ask.js';
import { Feed } from '../../src/viewer/stream/feed.js';
import { Daemon } from './daemon.js';
import { Random } from './random.js';

const timeout = globalThis.setTimeout;
globalThis.setTimeout = (work, ms, ...rest) => timeout(work, ms / 50, ...rest);

const interval = globalThis.setInterval;
globalThis.setInterval = (work, ms, ...rest) => interval(work, ms / 50, ...rest);

const pause = (ms) => new Promise((done) => timeout(done, ms));

async function until(what, isSo) {
  const end = Date.now() + 20_000;
  while (!isSo()) {
    if (Date.now() > end) throw new Error(`${what} does not happen`);
    await pause(2);
  }
}

function follow(daemon, begin, ways = []) {
  const seen = { lines: [], gaps: [], states: [], events: [] };
  const feed = new Feed(
    daemon.url,
    {
      event(id, type, data) {
        seen.events.push([type, data]);
        if (type === '') seen.lines.push(data);
        if (type === 'gap') seen.gaps.push(JSON.parse(data));
      },
      state: ({ name }) => seen.states.push(name),
    },
    ways,
  );
  feed.open();
  feed.follow(begin);
  return { feed, seen };
}

test('every event comes once, in order, wherever connections break', async () => {
  const random = new Random();
  const daemon = await Daemon.start();
  const { feed, seen } = follow(daemon, { tail: 'all' });
  const written = [];
  for (let round = 0; round < 60; round++) {
    for (let count = random.below(30); count > 0; count--) {
      written.push(`line ${written.length}`);
      daemon.say(written.at(-1));
    }
    if (random.below(3) === 0) daemon.refuses = random.below(3);
    if (random.below(2) === 0) daemon.cut(random.pick(['', 'id: 9', 'id: 9999999999999-9999/a\ndata: half', 'id: 1-1/a\ndata: x\n']));
    if (random.below(8) === 0) feed.close(), feed.open(), feed.follow(feed.place ? { behind: feed.place } : { tail: 'all' });
    await pause(random.below(20));
  }
  written.push('the last');
  daemon.say('the last');
  await until('the last line', () => seen.lines.at(-1) === 'the last');
  assert.deepEqual(seen.lines, written);
  assert.deepEqual(seen.gaps, []);
  feed.close();
  daemon.stop();
});

test('what is there at the beginning joins what comes, without a hole or a line twice', async () => {
  for (let round = 0; round < 30; round++) {
    const daemon = await Daemon.start();
    const written = Array.from({ length: 50 }, (_, at) => `line ${at}`);
    written.forEach((line) => daemon.say(line));
    const { feed, seen } = follow(daemon, { tail: '20' });
    for (let count = 0; count < 40; count++) {
      written.push(`line ${written.length}`);
      daemon.say(written.at(-1));
      if (count % 5 === 0) await pause(1);
    }
    await until('the last line', () => seen.lines.at(-1) === written.at(-1));
    assert.deepEqual(seen.lines, written.slice(-seen.lines.length));
    assert.ok(seen.lines.length >= 20);
    feed.close();
    daemon.stop();
  }
});

test('another life is told once, and its lines come once', async () => {
  const random = new Random();
  for (let round = 0; round < 15; round++) {
    const daemon = await Daemon.start();
    const { feed, seen } = follow(daemon, { tail: 'all' });
    const all = [];
    const say = (text) => (all.push(text), daemon.say(text));
    for (let life = 0; life < 3; life++) {
      for (let count = 1 + random.below(20); count > 0; count--) say(`life ${life} line ${count}`);
      const last = all.at(-1);
      await until(last, () => seen.lines.at(-1) === last);
      if (life < 2) daemon.beginAnew();
      for (let count = random.below(4); life < 2 && count > 0; count--) say(`early in life ${life + 1}, ${count}`);
    }
    await until('the gaps', () => seen.gaps.length === 2);
    assert.deepEqual(seen.lines, all);
    assert.deepEqual(seen.gaps.map(({ reason }) => reason), ['restart', 'restart']);
    feed.close();
    daemon.stop();
  }
});

test('what is no longer held is told', async () => {
  const daemon = await Daemon.start();
  for (let number = 0; number < 10; number++) daemon.say(`line ${number}`);
  const { feed, seen } = follow(daemon, { tail: 'all' });
  await until('ten lines', () => seen.lines.length === 10);
  daemon.refuses = 3;
  daemon.cut();
  for (let number = 10; number < 30; number++) daemon.say(`line ${number}`);
  daemon.drop(25);
  await until('the last line', () => seen.lines.at(-1) === 'line 29');
  assert.deepEqual(seen.gaps.map(({ reason, lost }) => [reason, lost]), [['dropped', 15]]);
  assert.equal(seen.lines.length, 15);
  feed.close();
  daemon.stop();
});

test('a hub that has missed its own time is woken', async () => {
  const daemon = await Daemon.start();
  const said = [];
  let post;
  const way = (url, hear) => {
    post = hear;
    return { kind: 'test', say: (message) => said.push(message), close() {} };
  };
  const { feed } = follow(daemon, { tail: 'all' }, [way]);
  post({ state: { name: 'reconnecting', at: Date.now() + 60_000 } });
  await pause(500); // two looks
  assert.deepEqual(said.filter(({ wake }) => wake), [], 'its time has not come');
  post({ state: { name: 'reconnecting', at: Date.now() - 3_000 } });
  await until('it is woken', () => said.some(({ wake }) => wake));
  feed.close();
  daemon.stop();
});

test('who closes at once leaves nothing behind', async () => {
  const daemon = await Daemon.start();
  const { feed } = follow(daemon, { tail: 'all' });
  feed.close();
  await pause(50);
  assert.equal(daemon.streams.size, 0);
  daemon.stop();
});

test('pages before and behind a line', async () => {
  const daemon = await Daemon.start();
  for (let number = 0; number < 100; number++) daemon.say(`line ${number}`);
  const id = (at) => `${daemon.events[at].time}-${daemon.events[at].number}/a`;
  const lines = ({ events }) => events.map(({ data }) => data);
  const older = await before(daemon.url, id(50), 20);
  assert.deepEqual([lines(older)[0], lines(older).at(-1), older.isAll], ['line 30', 'line 49', false]);
  assert.equal((await before(daemon.url, id(5), 20)).isAll, true);
  const newer = await behind(daemon.url, id(50), 20);
  assert.deepEqual([lines(newer)[0], lines(newer).length, newer.isAll], ['line 51', 20, false]);
  const rest = await behind(daemon.url, id(95), 20);
  assert.deepEqual([lines(rest), rest.isAll], [['line 96', 'line 97', 'line 98', 'line 99'], true]);
  daemon.stop();
});

test('a hole that a hub has left is filled', async () => {
  const daemon = await Daemon.start();
  let post;
  const way = (url, hear) => {
    post = hear;
    return { kind: 'test', say() {}, close() {} };
  };
  daemon.say('line 0');
  const { feed, seen } = follow(daemon, { tail: 'all' }, [way]);
  await until('a line', () => seen.lines.length === 1);
  for (let number = 1; number < 20; number++) daemon.say(`line ${number}`);
  const wire = ({ time, number, data }) => `id: ${time}-${number}/a\ndata: ${data}\n\n`;
  const id = ({ time, number }) => `${time}-${number}/a`;
  const message = (from, to) => {
    const text = daemon.events.slice(from, to).map(wire).join('');
    return { text, after: id(daemon.events[from - 1]), last: id(daemon.events[to - 1]), size: text.length };
  };
  post(message(10, 12));
  post(message(12, 15));
  post(message(14, 20));
  await until('all lines', () => seen.lines.length === 20);
  assert.deepEqual(seen.lines, daemon.events.map(({ data }) => data));
  feed.close();
  daemon.stop();
});
