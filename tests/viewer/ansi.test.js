import assert from 'node:assert/strict';
import { test } from 'node:test';
import { links, pieces, plain } from '../../src/viewer/text/ansi.js';
import { Random, seed } from './random.js';

// What differs from no style at all.
const isSet = (name, value) => (name === 'fg' || name === 'bg' ? value !== null : Boolean(value));
const set = (style) => style && Object.fromEntries(Object.entries(style).filter((entry) => isSet(...entry)));
const brief = (text, limits) => pieces(text, limits).map(({ text: shown, style }) => [shown, set(style)]);
const join = (list) => list.map(({ text }) => text).join('');
const styleOf = (codes) => pieces(`\x1b[${codes}mx`)[0].style;

// Few milliseconds even on a busy machine: the best of some tries.
function quickest(work) {
  let best = Infinity;
  for (let tries = 0; tries < 3; tries += 1) {
    const began = performance.now();
    work();
    best = Math.min(best, performance.now() - began);
  }
  return best;
}

test('a line without sequences is one piece, and itself', () => {
  assert.deepEqual(pieces('a line\twith a tab'), [{ text: 'a line\twith a tab', style: null }]);
  assert.deepEqual(pieces(''), []);
  assert.equal(plain('a line'), 'a line');
});

test('attributes are set and taken back', () => {
  assert.deepEqual(brief('a\x1b[1mb\x1b[0mc\x1b[3;4md\x1b[23me\x1b[mf'), [
    ['a', null],
    ['b', { bold: true }],
    ['c', null],
    ['d', { italic: true, underline: 1 }],
    ['e', { underline: 1 }],
    ['f', null],
  ]);
  const all = styleOf('1;2;3;4;7;8;9');
  for (const name of ['bold', 'dim', 'italic', 'reverse', 'hidden', 'strike']) assert.equal(all[name], true, name);
  assert.equal(styleOf('1;2;3;4;7;8;9;22;23;24;27;28;29'), null);
  assert.deepEqual(brief('\x1b[1m\x1b[1mx\x1b[1my'), [['xy', { bold: true }]]);
});

test('underlines have kinds', () => {
  for (const kind of [1, 2, 3, 4, 5]) assert.equal(styleOf(`4:${kind}`).underline, kind);
  assert.equal(styleOf('4;4:0'), null);
  assert.equal(styleOf('21').underline, 2);
  assert.equal(styleOf('4:9').underline, 1);
});

test('colours: palette, bright, 256, true colour in all forms', () => {
  assert.equal(styleOf('31').fg, 1);
  assert.equal(styleOf('97').fg, 15);
  assert.equal(styleOf('42').bg, 2);
  assert.equal(styleOf('100').bg, 8);
  assert.equal(styleOf('31;39;1').fg, null);
  assert.equal(styleOf('41;49;1').bg, null);
  assert.equal(styleOf('38;5;9').fg, 9);
  assert.equal(styleOf('38;5;208').fg, '#ff8700');
  assert.equal(styleOf('48;5;16').bg, '#000000');
  assert.equal(styleOf('48:5:231').bg, '#ffffff');
  assert.equal(styleOf('38;5;232').fg, '#080808');
  assert.equal(styleOf('38:5:255').fg, '#eeeeee');
  assert.equal(styleOf('38;2;1;2;255').fg, '#0102ff');
  assert.equal(styleOf('38:2:1:2:255').fg, '#0102ff');
  assert.equal(styleOf('38:2::1:2:255').fg, '#0102ff');
  assert.equal(styleOf('48:2:0:1:2:255').bg, '#0102ff');
  assert.equal(styleOf('1;48;2;9;8;7;3').bg, '#090807');
  assert.equal(styleOf('1;48;2;9;8;7;3').italic, true);
  assert.equal(styleOf('38;5;;1').fg, 0);
});

test('the colour of an underline is passed over, whole', () => {
  assert.equal(styleOf('58;5;31'), null);
  assert.equal(styleOf('58;2;31;32;33'), null);
  assert.equal(styleOf('58:2::31:32:33;1').bold, true);
  assert.equal(styleOf('58;5;31;59;32').fg, 2);
});

test('colours that do not exist change nothing', () => {
  for (const codes of [
    '38;5;256',
    '38;2;1;2;300',
    '38;2;1',
    '38;5',
    '38',
    '38:2:1',
    '48:9:1',
    '38;3;1;2',
    '?1',
    '>4;1',
    '999',
    '<1',
  ])
    assert.equal(styleOf(codes)?.fg ?? null, null, codes);
  assert.equal(pieces(`\x1b[${'1;'.repeat(1000)}mx`)[0].style, null);
});

test('other sequences vanish', () => {
  const vanish = [
    '\x1b[2K',
    '\x1b[1A',
    '\x1b[?25l',
    '\x1b[>0q',
    '\x1b[!p',
    '\x1b[1 q',
    '\x1b]0;title\x07',
    '\x1b]2;title\x1b\\',
    '\x1b]133;A\x07',
    '\x1bP1$r0m\x1b\\',
    '\x1b_Gf=100;AAAA\x1b\\',
    '\x1b^x\x1b\\',
    '\x1bXx\x1b\\',
    '\x1bc',
    '\x1b(B',
    '\x1b)0',
    '\x1b=',
    '\x1b7',
    '\x1b#8',
    '\x1bM',
    '\x1bk title\x1b\\',
    '\x1b]P0112233',
    '\x1b]R',
    '\x9b2K',
    '\x9d0;title\x9c',
    '\x9d0;title\x07',
    '\x90q\x9c',
    '\x9fx\x1b\\',
    '\x1bPtwo\nlines\x1b\\',
  ];
  for (const sequence of vanish) {
    assert.equal(plain(`a${sequence}b`), 'ab', JSON.stringify(sequence));
    assert.deepEqual(pieces(`a${sequence}b`), [{ text: 'ab', style: null }], JSON.stringify(sequence));
  }
});

test('a sequence that the end of the line cuts off vanishes', () => {
  for (const begun of ['\x1b[', '\x1b[3', '\x1b[38;5;1', '\x1b]0;tit', '\x1b]', '\x1bP', '\x1b_abc', '\x1b('])
    assert.equal(plain(`text${begun}`), 'text', JSON.stringify(begun));
  assert.equal(plain('a\x1b]0;title\nnext'), 'a\nnext');
});

test('what begins nothing stays', () => {
  for (const text of [
    'a\x1b',
    '\x1b\x1b',
    'a\x1bé',
    'a\x1b[é31m',
    'a\x1b[1\n2m',
    'x\x85y',
    'x\x9cy',
    'x\x9b',
    'x\x9b3',
    'x\x9dno end',
    '\x9f',
    '\x84',
  ])
    assert.equal(plain(text), text, JSON.stringify(text));
});

test('letters that were decoded wrongly are not taken for sequences', () => {
  const wrongly = Buffer.from('say “yes” and “no”, 🚀 Ûm').toString('latin1');
  assert.equal(plain(wrongly), wrongly);
  assert.equal(join(pieces(`\x1b[1m${wrongly}`)), wrongly);
});

test('links lead to http and https only, and never change the text', () => {
  const link = (url, end = '\x1b\\') => pieces(`\x1b]8;id=1;${url}${end}text\x1b]8;;${end}after`);
  assert.equal(link('https://example.org/a;b?c=d#e')[0].style.link, 'https://example.org/a;b?c=d#e');
  assert.equal(link('HTTP://Example.org', '\x07')[0].style.link, 'http://example.org/');
  assert.equal(link('https://example.org/')[1].style, null);
  const refused = [
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'ftp://a/',
    '//a/',
    '/a',
    'https://',
    'https://u@a/',
    'http://u:p@a/',
    ' javascript:x',
    'java\nscript:x',
    'blob:https://a/',
    'view-source:http://a/',
    `https://a/${'x'.repeat(3000)}`,
    'https://a b/',
    '',
  ];
  for (const url of refused) {
    assert.equal(link(url)[0].style, null, url);
    assert.equal(join(link(url)), 'textafter', url);
  }
  assert.equal(pieces('\x1b]8;;https://a/\x1b[mtext')[0].style, null, 'without its end');
  assert.equal(pieces('\x1b]8;;https://a/\x07\x1b[0mtext')[0].style.link, 'https://a/', 'a reset is none of links');
});

test('overstrikes of manual pages', () => {
  assert.deepEqual(brief('N\bNA\bAME _\bx_\by z'), [
    ['NA', { bold: true }],
    ['ME ', null],
    ['xy', { underline: 1 }],
    [' z', null],
  ]);
  assert.deepEqual(brief('_\bN\bN'), [['N', { bold: true, underline: 1 }]]);
  assert.deepEqual(brief('x\b_'), [['x', { underline: 1 }]]);
  assert.deepEqual(brief('x\bx\bx\bx'), [['x', { bold: true }]]);
  assert.deepEqual(brief('_\b_'), [['_', { bold: true }]]);
  assert.deepEqual(brief('😀\b😀é\bé_\b漢'), [
    ['😀é', { bold: true }],
    ['漢', { underline: 1 }],
  ]);
  assert.deepEqual(brief('\x1b[31mN\bN'), [['N', { fg: 1, bold: true }]]);
});

test('other backspaces stay', () => {
  for (const text of ['a\bb', '\bx', 'x\b', '50%\b\b\b60%', '|\b/\b-\b\\', '\n\b\n', '\ud83d\b\ude00'])
    assert.equal(plain(text), text);
});

test('limits: characters', () => {
  assert.deepEqual(brief('ab\x1b[1mcdef', { chars: 4 }), [
    ['ab', null],
    ['cd', { bold: true }],
  ]);
  assert.deepEqual(pieces('abc', { chars: 0 }), []);
  assert.equal(join(pieces('a😀b', { chars: 2 })), 'a');
  assert.equal(join(pieces('ae\u0301x', { chars: 2 })), 'a');
  assert.equal(join(pieces('a👨‍👩‍👧b', { chars: 5 })), 'a');
  assert.equal(join(pieces('a👨‍👩‍👧b', { chars: 9 })), 'a👨‍👩‍👧');
  assert.equal(join(pieces('x'.repeat(100), { chars: 50 })), 'x'.repeat(50));
});

test('limits: pieces; the last one takes the rest', () => {
  const many = Array.from({ length: 5000 }, (_, index) => `\x1b[3${index % 2}m${index} `).join('');
  const list = pieces(many);
  assert.equal(list.length, 1000);
  assert.equal(join(list), plain(many));
  assert.equal(list.at(-1).style, null);
  assert.equal(list[998].style.fg, 0);
  assert.equal(pieces(many, { pieces: 3 }).length, 3);
  assert.equal(join(pieces(many, { pieces: 1 })), plain(many));
  const struck = 'a\bab'.repeat(5000);
  assert.equal(pieces(struck).length, 1000);
  assert.equal(join(pieces(struck)), plain(struck));
});

test('100,000 sequences cost little', () => {
  const bombs = [
    '\x1b[31m',
    '\x1b[31mx\x1b[0m',
    '\x1b[38;2;1;2;3m',
    '\x1b]8;;http://a/\x07',
    '\x1b[',
    '\x1b]',
    '\x9b',
    '\x9d',
    '\x1b',
    'x\bx',
    '\b',
  ];
  for (const bomb of bombs) {
    const text = `${bomb.repeat(100_000)}end`;
    let list;
    const took = quickest(() => (list = pieces(text)));
    assert.ok(took < 5_000, `${JSON.stringify(bomb)} took ${took} ms`);
    assert.ok(list.length <= 1000);
    assert.equal(join(list), plain(text));
  }
});

test('styles are shared and frozen', () => {
  const [one] = pieces('\x1b[1;31mx');
  const [other] = pieces('\x1b[31m\x1b[1my');
  assert.equal(one.style, other.style);
  assert.ok(Object.isFrozen(one.style));
});

test('whatever comes: no error, few pieces, and together they are the plain text', () => {
  const random = new Random();
  const parts = [
    '\x1b',
    '\x1b[',
    '\x1b]',
    '\x1bP',
    '\x1b_',
    '\x1bk',
    '\x1b\\',
    '\x9b',
    '\x9c',
    '\x9d',
    '\x90',
    '\x9f',
    '\x07',
    '\x18',
    '\x1a',
    '\n',
    '\b',
    '_\b',
    'a',
    'é',
    '漢',
    '😀',
    '\ud800',
    '\udc00',
    'm',
    ';',
    ':',
    '0',
    '1',
    '38',
    '38;5;',
    '48:2::',
    '4:3',
    '8;;http://a/',
    '8;;x:',
    '?',
    '>',
    ' ',
    '!',
    '\x1b[1m',
    '\x1b[0m',
    '\x1b[32m',
    'N\bN',
    '\u0301',
    'P0123456',
    'R',
    '(B',
    '\xc3',
    '\x80',
    'text',
    '\t',
    '\0',
  ];
  for (let round = 0; round < 20_000; round += 1) {
    const text = Array.from({ length: random.below(24) }, () => random.pick(parts)).join('');
    const whole = plain(text);
    const list = pieces(text);
    const message = `${JSON.stringify(text)} seed ${seed}`;
    assert.equal(join(list), whole, message);
    assert.ok(whole.length <= text.length, message);
    assert.ok(
      list.every(({ text: shown }) => shown.length > 0),
      message,
    );
    const chars = random.below(20);
    const cut = join(pieces(text, { chars, pieces: 1 + random.below(4) }));
    assert.ok(cut.length <= chars && whole.startsWith(cut), message);
    if (!/[\x08\x1b\x80-\x9f]/.test(text)) assert.equal(whole, text, message);
    links(text);
  }
});

test('addresses in text', () => {
  const found = (text) => links(text).map(({ from, to }) => text.slice(from, to));
  assert.deepEqual(found('see https://example.org/a?b=c#d, or http://x.y.'), ['https://example.org/a?b=c#d', 'http://x.y']);
  assert.deepEqual(found('(https://en.wikipedia.org/wiki/Foo_(bar))'), ['https://en.wikipedia.org/wiki/Foo_(bar)']);
  assert.deepEqual(found('[text](http://a/b) <http://c/d> "http://e/f" \'http://g\''), [
    'http://a/b',
    'http://c/d',
    'http://e/f',
    'http://g',
  ]);
  assert.deepEqual(found('http://a/1,http://b/2;https://c/3'), ['http://a/1', 'http://b/2', 'https://c/3']);
  assert.deepEqual(found('{"url":"http://a/b\\n"} **http://c/d**!'), ['http://a/b', 'http://c/d']);
  assert.deepEqual(found('https://münchen.example/straße und 詳細はhttp://例え.jp/。'), [
    'https://münchen.example/straße',
    'http://例え.jp/',
  ]);
  assert.deepEqual(found('詳細：http://例え.jp/テスト。'), ['http://例え.jp/テスト']);
  assert.deepEqual(found('http://[::1]:8080/x http://127.0.0.1:9/'), ['http://[::1]:8080/x', 'http://127.0.0.1:9/']);
  for (const none of [
    'http://',
    'xhttp://a/',
    'http://u:p@a/',
    'https://user@evil/',
    'ftp://a/',
    'javascript://a',
    'www.a.b',
    'http://...',
    'http:/a',
  ])
    assert.deepEqual(found(none), [], none);
  assert.deepEqual(found('http://a/\u202egpj.exe'), ['http://a/']);
  assert.equal(links('http://münchen.example/')[0].href, 'http://xn--mnchen-3ya.example/');
});

test('addresses are bounded', () => {
  assert.equal(links('http://a/ '.repeat(1000)).length, 50);
  assert.deepEqual(links(`http://a/${'x'.repeat(3000)}`), []);
  for (const text of ['http://a,', 'http://?,', 'http://', 'http://a/(((', 'h', 'http://a/)'].map((part) =>
    part.repeat(100_000),
  )) {
    const took = quickest(() => links(text));
    assert.ok(took < 5_000, `${text.slice(0, 12)} took ${took} ms`);
  }
});
