import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KIND, Lines } from '../../src/viewer/lines/lines.js';
import { RowList } from '../../src/viewer/lines/rowlist.js';
import { View } from '../../src/viewer/lines/view.js';
import { Random } from './random.js';

const row = (number, text = `line ${number}`, more = {}) => ({
  text,
  time: 1_000 + number,
  number,
  channel: `c${number % 3}`,
  kind: KIND.line,
  level: 0,
  head: 0,
  ...more,
});

test('rows keep their numbers, whatever is added or let go at either end', () => {
  const random = new Random();
  for (let round = 0; round < 8; round++) {
    const lines = new Lines();
    let model = []; // [row number, number of the event]
    let [oldest, newest] = [50_000, 50_000];
    for (let step = 0; step < 200; step++) {
      const count = random.below(700);
      if (random.below(4) === 0) {
        const rows = Array.from({ length: count }, (_, at) => row(oldest - count + at));
        const first = model.length ? model[0][0] : 0;
        lines.unshift(rows);
        model = [...rows.map(({ number }, at) => [first - count + at, number]), ...model];
        oldest -= count;
      } else {
        for (let at = 0; at < count; at++) {
          const text = random.below(500) === 0 ? 'x'.repeat(300_000) : `line ${newest}`;
          const expected = model.length ? model.at(-1)[0] + 1 : 0;
          assert.equal(lines.push(row(newest, text)), expected);
          model.push([expected, newest++]);
        }
      }
      if (random.below(5) === 0) {
        const gone = lines.shorten(3_000, 2_000_000);
        model = model.slice(gone);
        assert.ok(lines.count <= 3_000 + 512 || lines.chars <= 2_000_000);
        oldest = model.length ? model[0][1] : newest;
      }
      check(lines, model, random);
    }
  }
});

function check(lines, model, random) {
  assert.equal(lines.count, model.length);
  if (!model.length) return;
  assert.deepEqual([lines.first, lines.end], [model[0][0], model.at(-1)[0] + 1]);
  for (let times = 0; times < 5; times++) {
    const [at, number] = random.pick(model);
    const found = lines.get(at);
    assert.deepEqual([found.number, found.time, found.channel], [number, 1_000 + number, `c${number % 3}`]);
    assert.ok(found.text.startsWith('line ') ? found.text === `line ${number}` : found.text.length === 300_000);
    assert.equal(lines.rowOf({ time: 1_000 + number, number }), at);
    assert.equal(lines.id(at), `${1_000 + number}-${number}/c${number % 3}`);
  }
  assert.equal(lines.get(lines.end), null);
  assert.equal(lines.get(lines.first - 1), null);
}

test('a list of rows is a sorted list', () => {
  const random = new Random();
  for (let round = 0; round < 20; round++) {
    const list = new RowList();
    let model = [];
    for (let step = 0; step < 300; step++) {
      const last = model.at(-1) ?? 0;
      const first = model[0] ?? 0;
      const what = random.below(6);
      if (what < 2) for (let n = random.below(50), at = last + 1; n > 0; n--) (list.push((at += 1 + random.below(3))), model.push(at));
      if (what === 2) {
        const rows = Array.from({ length: random.below(600) }, (_, at) => first - 1 - at * 2).reverse();
        list.unshift(rows);
        model = [...rows, ...model];
      }
      if (what === 3 && model.length > 100) {
        list.shift(model[40]);
        model = model.slice(40);
      }
      if (what === 4 && model.length > 2) {
        const at = random.below(model.length - 1);
        const free = [];
        for (let between = model[at] + 1; between < model[at + 1]; between++) free.push(between);
        list.insert(free);
        model.splice(at + 1, 0, ...free);
      }
      if (what === 5 && model.length) {
        const [from, to] = [random.pick(model), random.pick(model)].sort((a, b) => a - b);
        list.remove(from, to, (row) => row % 2 === 0);
        model = model.filter((row) => row < from || row >= to || row % 2 === 0);
      }
      assert.equal(list.length, model.length);
      if (!model.length) continue;
      const index = random.below(model.length);
      assert.equal(list.at(index), model[index]);
      assert.equal(list.indexOf(model[index]), index);
      assert.equal(list.has(model[index] + 0.5), false);
      assert.equal(list.last(), model.at(-1));
    }
    assert.deepEqual(model.map((_, index) => list.at(index)), model);
  }
});

// What is shown by a model that judges all rows at once.
function expected(all, first, filter, opened) {
  const isHit = (at) => {
    const line = all[at];
    return Boolean(line && filter.text && line.kind === KIND.line && line.level >= filter.level && line.text.includes(filter.text));
  };
  const isMatch = (at) => all[at]?.kind === KIND.line && all[at].text.includes(filter.text);
  return all.flatMap((line, at) => {
    if (line.kind !== KIND.line || (line.head && opened.has(first + at - line.head))) return [first + at];
    if (line.level < filter.level) return [];
    if (!filter.text || !filter.only) return isHit(at) || !line.head ? [first + at] : [];
    for (let near = -filter.context; near <= filter.context; near++) if (isMatch(at + near)) return [first + at];
    return [];
  });
}

test('what is shown is what a filter lets through, however it was judged', () => {
  const random = new Random();
  for (let round = 0; round < 12; round++) {
    const lines = new Lines();
    const view = new View(lines);
    let all = [];
    let head = 0;
    const make = (number) => {
      head = random.below(5) === 0 && head < 30 ? head + 1 : 0;
      const kind = random.below(40) === 0 ? KIND.gap : KIND.line;
      const text = random.pick(['apple', 'pear', 'apple pie', 'plum']);
      if (kind !== KIND.line) head = 0;
      return row(number, text, { kind, level: random.below(7), head: kind === KIND.line ? head : 0 });
    };
    let filter = { text: '', only: false, context: 0, level: 0 };
    const opened = new Set();
    let next = 0;
    for (let step = 0; step < 40; step++) {
      const what = random.below(5);
      if (what < 3) {
        for (let count = random.below(4_500); count > 0; count--) {
          const made = make(next++);
          if (made.head > all.length) made.head = 0;
          all.push(made);
          const at = lines.push(made);
          if (made.head) view.trace(at - made.head);
          if (random.below(700) === 0) view.work(0.01);
        }
      } else if (what === 3) {
        filter = { text: random.pick(['', 'apple', 'pie', 'none such']), only: random.below(2) === 0, context: random.below(4), level: random.below(3) };
        view.setFilter({ ...filter, isCase: true });
      } else if (lines.count > 20_000) {
        const gone = lines.shorten(15_000, Infinity);
        all = all.slice(gone);
        view.dropped();
        // What the trace of a row begins with may be gone.
        opened.forEach((at) => at < lines.first && opened.delete(at));
      }
      const heads = all.flatMap((line, at) => (line.head === 1 ? [lines.first + at - 1] : [])).filter((at) => at >= lines.first);
      while (view.work(1_000));
      if (heads.length && random.below(2)) {
        const at = random.pick(heads);
        view.toggle(at);
        if (!opened.delete(at)) opened.add(at);
      }
      // The first rows may be context of matches that have been let go since, or of a trace whose head has.
      const isCertain = (at) => at >= lines.first + filter.context && at - all[at - lines.first].head >= lines.first;
      const shown = Array.from({ length: view.count }, (_, index) => view.at(index)).filter(isCertain);
      if (filter.only && filter.text && opened.size) continue; // opened traces show rows that no filter lets through
      assert.deepEqual(shown, expected(all, lines.first, filter, opened).filter(isCertain), `${JSON.stringify(filter)}`);
    }
  }
});
