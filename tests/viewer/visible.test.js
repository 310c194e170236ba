import assert from 'node:assert/strict';
import { test } from 'node:test';
import { visible } from '../../src/viewer/text/visible.js';
import { Random, seed } from './random.js';

const shown = (text) =>
  visible(text)
    .map((piece) => piece.text)
    .join('');
const names = (text) => visible(text).flatMap(({ name }) => name ?? []);
const rest = (text) =>
  visible(text)
    .filter(({ name }) => !name)
    .map((piece) => piece.text)
    .join('');

test('ordinary text is one piece, unchanged', () => {
  const ordinary = [
    '',
    ' ',
    'plain',
    'a\tb',
    'two\nlines',
    'Straße €5 – “quoted” … ✓ → ├── │',
    'кириллица',
    'Ελληνικά',
    '漢字かな交じり文',
    '한국어',
    'עברית',
    'العربية',
    '😀 🚀',
    '👨‍👩‍👧‍👦 🧑🏽‍🚀 🏳️‍🌈 ❤️‍🔥 🧑‍⚕️ 👁️‍🗨️',
    '❤️ ☎︎ 1️⃣',
    '🇩🇪 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🏴󠁧󠁢󠁷󠁬󠁳󠁿',
    'می‌خواهم',
    'क्‍ष हिन्दी',
    'ශ්‍රී ලංකා',
    '葛󠄀城',
    'e\u0301o\u0302',
    'Việt Nam',
    'a\u00a0b\u3000c',
    '\ufffd',
    '\ue000',
  ];
  for (const text of ordinary) assert.deepEqual(visible(text), [{ text }], JSON.stringify(text));
});

test('controls have names', () => {
  assert.deepEqual(visible('a\x1b[b'), [{ text: 'a' }, { text: '⟨ESC⟩', name: 'ESC' }, { text: '[b' }]);
  assert.deepEqual(visible('\0'), [{ text: '⟨NUL⟩', name: 'NUL' }]);
  assert.deepEqual(visible('\x07\x7f'), [
    { text: '⟨BEL⟩', name: 'BEL' },
    { text: '⟨DEL⟩', name: 'DEL' },
  ]);
  assert.deepEqual(visible('\r'), [{ text: '⟨CR⟩', name: 'CR' }]);
  assert.deepEqual(visible('\x9b'), [{ text: '⟨U+009B⟩', name: 'CSI' }]);
  for (let code = 0; code < 0xa0; code += 1) {
    const text = `a${String.fromCharCode(code)}b`;
    const isShown = code === 9 || code === 10 || (code >= 0x20 && code < 0x7f);
    assert.equal(visible(text).length, isShown ? 1 : 3, `${code}`);
  }
});

test('what changes the order is named', () => {
  assert.equal(shown('a\u202eb\u202cc'), 'a⟨RLO⟩b⟨PDF⟩c');
  assert.deepEqual(names('\u202e'), ['right-to-left override']);
  const marks = '\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c';
  assert.equal(shown(marks), '⟨LRE⟩⟨RLE⟩⟨PDF⟩⟨LRO⟩⟨RLO⟩⟨LRI⟩⟨RLI⟩⟨FSI⟩⟨PDI⟩⟨LRM⟩⟨RLM⟩⟨ALM⟩');
});

test('what has no width is named', () => {
  assert.equal(shown('a\u200bb\u2060c\ufeffd\u00ade'), 'a⟨ZWSP⟩b⟨WJ⟩c⟨BOM⟩d⟨SHY⟩e');
  assert.equal(shown('\u2028\u2029'), '⟨LS⟩⟨PS⟩');
  assert.equal(shown('\u{e0041}\u{e007f}\u{e0001}'), '⟨U+E0041⟩⟨U+E007F⟩⟨U+E0001⟩');
  assert.deepEqual(names('\u{e0041}'), ['tag A']);
  assert.equal(shown('\u3164\u115f\u17b4\u206a\u{1d173}\u180b'), '⟨HF⟩⟨HF⟩⟨U+17B4⟩⟨U+206A⟩⟨U+1D173⟩⟨U+180B⟩');
});

test('joiners are shown where nothing joins', () => {
  assert.equal(shown('a\u200db'), 'a⟨ZWJ⟩b');
  assert.equal(shown('a\u200cb'), 'a⟨ZWNJ⟩b');
  assert.equal(shown('😀\u200d'), '😀⟨ZWJ⟩');
  assert.equal(shown('😀\u200dx'), '😀⟨ZWJ⟩x');
  assert.equal(shown('😀\u200c😀'), '😀⟨ZWNJ⟩😀');
  assert.equal(shown('م\u200c\u200cم'), 'م⟨ZWNJ⟩×2م');
  assert.equal(shown('\u200d'), '⟨ZWJ⟩');
});

test('selectors of variants are shown where they select nothing', () => {
  assert.equal(shown('\ufe0f'), '⟨VS16⟩');
  assert.equal(shown('a\ufe0f\ufe00\ufe01'), 'a\ufe0f⟨VS1⟩⟨VS2⟩');
  assert.equal(shown('a\u{e0100}'), 'a⟨VS17⟩');
});

test('a flag that is none is shown', () => {
  assert.equal(shown('🏴\u{e0067}\u{e0062}'), '🏴⟨U+E0067⟩⟨U+E0062⟩');
});

test('halves of characters are named', () => {
  assert.equal(shown('a\ud800b\udc00'), 'a⟨U+D800⟩b⟨U+DC00⟩');
  assert.equal(shown('\ud83d\ud83d\ude00'), '⟨U+D83D⟩😀');
  assert.equal(shown('\ud83d\ud83d\ud83d\ude00\ude00\ude00'), '⟨U+D83D⟩×2😀⟨U+DE00⟩×2');
});

test('the same again and again is one piece', () => {
  assert.deepEqual(visible('\u200b'.repeat(12)), [{ text: '⟨ZWSP⟩×12', name: 'zero width space' }]);
  assert.equal(shown('\b\b\ba\u{e0041}\u{e0041}'), '⟨BS⟩×3a⟨U+E0041⟩×2');
});

test('piles of accents are cut', () => {
  const pile = (count) => `a${'\u0301'.repeat(count)}`;
  assert.equal(visible(pile(8)).length, 1);
  assert.deepEqual(visible(`${pile(10)}b`), [
    { text: pile(8) },
    { text: '⟨+2⟩', name: 'more accents on one letter' },
    { text: 'b' },
  ]);
  assert.equal(shown(pile(5000)), `${pile(8)}⟨+4992⟩`);
});

test('at most 200 marks; behind them what hides is replaced', () => {
  const list = visible('a\u200b'.repeat(1000));
  assert.equal(list.filter(({ name }) => name).length, 201);
  assert.ok(list.length <= 403);
  assert.equal(list.at(-1).text, `\ufffd${'a\ufffd'.repeat(799)}`);
});

test('a text may be as long as it likes', () => {
  for (const part of [
    '\u200b',
    '\u200b\u200c',
    'a\u202e',
    '\u0301',
    `a${'\u0301'.repeat(9)}`,
    '\ufe0f',
    '\ud800',
    '\u{e0041}',
    '😀',
    'م\u200c',
    '🏴\u{e0067}',
  ]) {
    const began = performance.now();
    const list = visible(part.repeat(300_000));
    assert.ok(performance.now() - began < 20_000, JSON.stringify(part));
    assert.ok(list.length <= 403);
  }
});

test('whatever comes: nothing that hides is left, and the rest is as it was', () => {
  const random = new Random();
  const parts = [
    'a',
    ' ',
    '\t',
    '\n',
    'م',
    'क',
    '्',
    '漢',
    '😀',
    '❤',
    '\ufe0f',
    '\ufe00',
    '\u200d',
    '\u200c',
    '\u200b',
    '\u202e',
    '\u2066',
    '\0',
    '\x1b',
    '\x85',
    '\ud83d',
    '\ude00',
    '\u0301',
    '\u034f',
    '\u{e0041}',
    '\u{e0100}',
    '🏴',
    '\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}',
    '\u{1f3fb}',
    '\u180b',
    '\u0301'.repeat(7),
  ];
  const always = /[\0-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\u034f\ud800-\udfff]|\p{M}{9}/u;
  for (let round = 0; round < 20_000; round += 1) {
    const text = Array.from({ length: random.below(20) }, () => random.pick(parts)).join('');
    const message = `${JSON.stringify(text)} seed ${seed}`;
    assert.ok(
      visible(text).every((piece) => !always.test(piece.text)),
      message,
    );
    const kept = rest(text);
    const signs = [...kept];
    let at = 0;
    for (const sign of text) if (sign === signs[at]) at += 1;
    assert.equal(at, signs.length, message);
    assert.equal(kept.replace(/\P{L}/gu, ''), text.replace(/\P{L}/gu, ''), message);
  }
});
