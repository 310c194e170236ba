import assert from 'node:assert/strict';
import { test } from 'node:test';
import { looksLikeJson, pretty } from '../../src/viewer/text/json.js';
import { Random, seed } from './random.js';

const laidOut = (text) =>
  pretty(text)
    ?.map((piece) => piece.text)
    .join('') ?? null;
const kinds = (text) =>
  pretty(text)
    .filter(({ kind }) => kind !== 'space')
    .map(({ text: shown, kind }) => `${kind} ${shown}`);

test('where JSON seems to begin', () => {
  const begins = {
    '{"a":1}': 0,
    '  {"a":1}  ': 2,
    '{}': 0,
    '[]': 0,
    '[1, 2]': 0,
    '[ "a" ]': 0,
    '[{"a":1}]': 0,
    '[true]': 0,
    '[-1.5e3]': 0,
    '2026-11-30T12:00:00Z {"a":1}': 21,
    '[2026-11-30] INFO message {"a":1}': 26,
    'app: {"a":{"b":[1]}}': 5,
    'body={"a":1}': 5,
    '[info] {"a":1}': 7,
    'rows: [{"a":1}]': 6,
    'context {} ["a"]': 11,
  };
  for (const [text, at] of Object.entries(begins)) assert.equal(looksLikeJson(text), at, text);
});

test('where none does', () => {
  for (const text of [
    '',
    ' ',
    'text',
    '{a}',
    '[info] x [y]',
    '[12:00:00] done [ok]',
    '{"a":1} and more',
    'f() { return }',
    'a[0]',
    '}',
    ']',
    '{]',
    '[error]',
    'x{"a":1}',
  ])
    assert.equal(looksLikeJson(text), -1, text);
});

test('a document is laid out', () => {
  assert.equal(
    laidOut(' {"a":[1,{"b":null}],"c":{},"d":[ ]} '),
    '{\n  "a": [\n    1,\n    {\n      "b": null\n    }\n  ],\n  "c": {},\n  "d": []\n}',
  );
  assert.equal(laidOut('"x"'), '"x"');
  assert.equal(laidOut('[]'), '[]');
  assert.deepEqual(kinds('{"a":["b",1,true]}'), [
    'mark {',
    'key "a"',
    'mark : ',
    'mark [',
    'string "b"',
    'mark ,',
    'number 1',
    'mark ,',
    'word true',
    'mark ]',
    'mark }',
  ]);
});

test('what is written stays as it is written', () => {
  for (const value of [
    '1.0',
    '1e400',
    '12345678901234567890',
    '-0',
    '1E+2',
    '0.1000',
    '"\\u0041\\/\\n"',
    '"ü😀"',
    '"\\ud800"',
    '""',
  ])
    assert.equal(laidOut(`[${value}]`), `[\n  ${value}\n]`);
  assert.equal(laidOut('{"a":1,"a":2}'), '{\n  "a": 1,\n  "a": 2\n}');
});

test('what is no JSON is null', () => {
  const wrong = [
    '',
    ' ',
    '{',
    '[',
    ']',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '[1,]',
    '[,1]',
    '[1 2]',
    '[1]]',
    '{"a":1}}',
    '{a:1}',
    "{'a':1}",
    '[01]',
    '[1.]',
    '[.5]',
    '[+1]',
    '[1e]',
    '["\\x"]',
    '["\\u12"]',
    '["a\nb"]',
    '["a]',
    '[tru]',
    '[True]',
    '[NaN]',
    '[undefined]',
    '{"a":1 "b":2}',
    '[1}',
    '{1:2}',
    '\ufeff[]',
    '[1]//',
    '--1',
    '"a" "b"',
    '[\u00a0]',
  ];
  for (const text of wrong) {
    assert.equal(pretty(text), null, text);
    assert.throws(() => JSON.parse(text), text);
  }
});

test('depth costs nothing', () => {
  const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
  const list = pretty(deep);
  assert.ok(list.length < 2_000);
  assert.match(list.at(-1).text, /^… [\d,]+ more characters$/);
  assert.equal(pretty('['.repeat(500_000)), null);
  assert.ok(pretty(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`));
});

test('a large document is cut, and says how much is left out', () => {
  const lines = pretty(`[${Array.from({ length: 5_000 }, (_, index) => 100_000 + index).join()}]`);
  assert.equal(
    lines
      .map((piece) => piece.text)
      .join('')
      .split('\n').length,
    2_000,
  );
  assert.deepEqual(lines.at(-1), { text: `… ${(35_001 - 1 - 1_999 * 7).toLocaleString('en')} more characters`, kind: 'more' });
  const long = pretty(`["${'x'.repeat(200_000)}"]`);
  assert.ok(long.map((piece) => piece.text).join('').length < 100_100);
  assert.equal(long.at(-1).kind, 'more');
  assert.equal(pretty(`["${'x'.repeat(200_000)}"`), null);
  const halves = pretty(`["${'😀'.repeat(60_000)}"]`);
  assert.ok(halves.every((piece) => !/\p{Surrogate}/u.test(piece.text)));
});

function value(random, depth) {
  const kind = random.below(depth > 4 ? 4 : 6);
  if (kind === 0) return random.pick([null, true, false]);
  if (kind === 1) return random.below(1_000_000) / random.pick([1, 7, -3]);
  if (kind < 4) return random.pick(['', 'text', 'a"b\\c', '\n\t\u0001', 'ü漢😀', '\ud800', '{"a":1}', ' ']);
  const length = random.below(5);
  if (kind === 4) return Array.from({ length }, () => value(random, depth + 1));
  return Object.fromEntries(
    Array.from({ length }, (_, index) => [`${index}${random.pick(['a', '"', 'é'])}`, value(random, depth + 1)]),
  );
}

test('any document is laid out as JSON.stringify would', () => {
  const random = new Random();
  for (let round = 0; round < 3_000; round += 1) {
    const document = [value(random, 0)];
    const indent = random.pick([0, 1, '\t']);
    assert.equal(laidOut(JSON.stringify(document, null, indent)), JSON.stringify(document, null, 2), `seed ${seed}`);
  }
});

test('any text: no error, and null exactly where JSON.parse refuses', () => {
  const random = new Random();
  const parts = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '"a"',
    '"b":',
    '1',
    '-',
    '0',
    '.5',
    'e3',
    'true',
    'null',
    ' ',
    '\n',
    '\\',
    '\\n',
    '\\u00',
    'x',
    '😀',
    '\0',
  ];
  const isJson = (text) => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  for (let round = 0; round < 30_000; round += 1) {
    let text = Array.from({ length: random.below(12) }, () => random.pick(parts)).join('');
    if (round % 2) {
      text = JSON.stringify(value(random, 2)); // nearly right
      const at = random.below(text.length + 1);
      text = text.slice(0, at) + random.pick(['', ...parts]) + text.slice(at + random.below(3));
    }
    assert.equal(pretty(text) !== null, isJson(text), `${JSON.stringify(text)} seed ${seed}`);
    assert.ok(Number.isInteger(looksLikeJson(text)));
  }
});

test('time grows with the length only', () => {
  for (const part of [' ', '{', '{ ', '[', '[ ', '{"', ' [{', '9', '\\', '"', '[1,', '{"a":']) {
    const text = part.repeat(200_000);
    const began = performance.now();
    for (const end of ['', '}', ']', '"]']) {
      looksLikeJson(text + end);
      pretty(text + end);
    }
    assert.ok(performance.now() - began < 30_000, part);
  }
});
