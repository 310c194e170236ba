// How grave a line is, guessed from its beginning.
//
// The first word that names a level *and* is marked as one decides: written in capitals, in brackets, before a colon, or as the
// value of a key such as level. The same word in a sentence, a path or a count ("no error", "/error.html", "error: 0") says
// nothing. Some formats have a sign instead of a word, at the very start of the line.
import { plain } from '../text/ansi.js';

export const LEVELS = ['none', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'];
const [NONE, TRACE, DEBUG, INFO, WARN, ERROR, FATAL] = LEVELS.keys();

const LOOKED_AT = 200; // characters of a line
const LOOKED_AT_JSON = 400;

const WORDS = {
  [TRACE]: 'trace trc finer finest',
  [DEBUG]: 'debug dbg debu',
  [INFO]: 'info inf information notice',
  [WARN]: 'warn warning wrn',
  [ERROR]: 'error err erro eror severe',
  [FATAL]: 'fatal ftl fata critical crit alert emerg emergency panic',
};
// Words that mean other things as well, in capitals too: they need brackets, a colon or a key.
const WEAK_WORDS = {
  [TRACE]: 'verbose silly trce',
  [DEBUG]: 'fine config dbug',
  [INFO]: 'log note',
  [ERROR]: 'fail',
};
const LEVEL_OF = new Map([...meant(WORDS), ...meant(WEAK_WORDS)]);
const IS_WEAK = new Set(meant(WEAK_WORDS).map(([word]) => word));

function meant(words) {
  return Object.entries(words).flatMap(([level, list]) => list.split(' ').map((word) => [word, Number(level)]));
}

const WORD = new RegExp(`(?:${[...LEVEL_OF.keys(), 'exception', 'traceback', 'panicked'].join('|')})(?!\\w)`, 'gi');

// The index in LEVELS.
export function level(text) {
  const most = text.startsWith('{') ? LOOKED_AT_JSON : LOOKED_AT;
  let line = text.length > most ? text.slice(0, most) : text;
  if (line.includes('\x1b')) line = plain(text.slice(0, 2 * most)).slice(0, most);
  return bySign(line) || byWord(line);
}

function bySign(line) {
  switch (line.charCodeAt(0)) {
    case 0x3c: // <
      return bySyslog(/^<(\d{1,3})>/.exec(line)?.[1]);
    case 0x7b: // {
      return byJson(line);
    case 0x5b: // [
      return byLetter(/^\[([TDIWEF])(?:\]| \d)/.exec(line));
    case 0x6d: // make
      return /^make(?:\[\d+\])?: \*\*\* /.test(line) ? ERROR : NONE;
    default:
      return byLetter(LOGCAT_OR_GLOG.exec(line) ?? /^([EW]): /.exec(line));
  }
}

// Android's logcat in its two forms; glog and klog. (`E: ` is apt.)
const LOGCAT_OR_GLOG =
  /^\d\d-\d\d [\d:.]{12} +\d+ +\d+ ([VDIWEFA]) |^([VDIWEFA])\/[^\s:(]+ *(?:\( *\d+\))?: |^([DIWEF])\d{4}(?:\d{4})? \d\d:\d\d:/;
const LETTERS = { T: TRACE, V: TRACE, D: DEBUG, I: INFO, W: WARN, E: ERROR, F: FATAL, A: FATAL };
const byLetter = (match) => (match ? LETTERS[match[1] ?? match[2] ?? match[3]] : NONE);

const JSON_LEVEL =
  /"(?:@l|lvl|(?:log[._]?)?level(?:_?name)?|severity(?:_?text)?)"\s*:\s*(?:"([a-z]+)"|(\d{1,2})\b)|"s"\s*:\s*"([DIWEF])\d?"/i;

// emerg, alert, crit, err, warning, notice, info, debug
const SYSLOG = [FATAL, FATAL, FATAL, ERROR, WARN, INFO, INFO, DEBUG];
const bySyslog = (priority) => (priority && priority < 192 ? SYSLOG[priority & 7] : NONE);

// A word, or a number: pino and bunyan count 10 to 60, GELF as syslog does; MongoDB has a letter.
function byJson(line) {
  const match = JSON_LEVEL.exec(line);
  if (!match) return NONE;
  const [, word, number, letter] = match;
  if (word) return LEVEL_OF.get(word.toLowerCase()) ?? NONE;
  if (letter) return LETTERS[letter.toUpperCase()];
  return number >= 10 ? Math.min(FATAL, Math.floor(number / 10)) : (SYSLOG[number] ?? NONE);
}

function byWord(line) {
  WORD.lastIndex = 0;
  for (let match = WORD.exec(line); match; match = WORD.exec(line)) {
    const found = judge(line, match[0], match.index);
    if (found) return found;
  }
  return NONE;
}

const KEY =
  /(?:^|[\s{,[(;|"'])(?:@l|(?:[a-z]{1,8}[._-])?(?:level|levelname|loglevel|lvl|severity|severity_?text))["']?\s?[:=]\s?["']?$/i;
const NO = /(?:^|[\s([])(?:no|0|zero|without|any) $/i;
const ZERO = new RegExp(
  [
    '^\\s*[:=]\\s*0(?![\\d.:x])(?!\\s+[a-z]+\\b(?!\\s*[:=]))', // but "0 rows found" tells of something
    '^\\s*[:=]\\s*(?:null|none|nil|no|false|undefined|n/a|""|\'\'|\\[\\]|\\{\\})(?=\\s*(?:$|[,;|)\\]}]))',
  ].join('|'),
  'i',
);

// The level that the word at `at` means there, or NONE.
function judge(line, word, at) {
  const small = word.toLowerCase();
  const before = line[at - 1] ?? ' ';
  const end = at + word.length;
  const grave = LEVEL_OF.get(small);
  if (!grave) return named(line, word, at, end);
  if (/[=:"' ]/.test(before) && KEY.test(line.slice(Math.max(0, at - 40), at))) return grave;
  if (word === 'Error' && /[\w.]/.test(before)) return named(line, word, at, end);
  const isUpper = small !== word && word === word.toUpperCase();
  if (/[\w/.$%&?#@="'`\\-]/.test(before) && !(isUpper && before === '.' && line[end] === ':')) return NONE;
  if (ZERO.test(line.slice(end, end + 24)) || NO.test(line.slice(Math.max(0, at - 10), at))) return NONE;
  if (inBrackets(line, at, end)) return grave;
  if (/^(?:\[\w+\]|\s[A-Z]{1,5}\d{2,5})?:(?!\/)/.test(line.slice(end, end + 16))) {
    return isUpper || (grave > INFO && !IS_WEAK.has(small)) || leads(line, at) ? grave : NONE;
  }
  if (isUpper) return IS_WEAK.has(small) || /^(?:=|[./-]\w)/.test(line.slice(end, end + 2)) ? NONE : grave;
  return inColumn(line, at, end) ? grave : NONE;
}

// [error], [ info ], [core:error], (warn), |error|; <info> before a space.
function inBrackets(line, at, end) {
  const open = line.slice(Math.max(0, at - 24), at).trimEnd();
  const close = line.slice(end, end + 8).trimStart();
  if (open.endsWith('<')) return /^>\s/.test(close);
  return /[[(|]$|\[[\w-]+:$/.test(open) && /^[\])|]/.test(close);
}

// Whether nothing but times, numbers and other fields stands before it.
function leads(line, at) {
  const head = line.slice(0, at);
  return !/[a-z]/.test(head) || /[\]|>-] ?$/.test(head);
}

// Where a level stands without any mark: npm, CMake, what begins with `warn - `, and lists of findings (`1:2  error  ...`).
function inColumn(line, at, end) {
  const head = line.slice(0, at);
  const tail = line.slice(end, end + 6);
  if (head === '') return /^ +- /.test(tail);
  return head === 'npm ' || head === 'CMake ' || (/^\s*\d+:\d+\s+$/.test(head) && /^\s\s/.test(tail));
}

// Errors by their own names: `a.b.FooException`, `ValueError: x`, and what tells of one.
function named(line, word, at, end) {
  const tail = line.slice(end, end + 12);
  if (word === 'Traceback') return tail.startsWith(' (most rece') ? ERROR : NONE;
  if (word === 'panicked') return tail.startsWith(' at ') ? FATAL : NONE;
  if (word !== 'Error' && word !== 'Exception') return NONE;
  const name = /[\w.$]*$/.exec(line.slice(Math.max(0, at - 60), at))[0];
  if (ZERO.test(tail)) return NONE;
  const ends = /^(?::(?!\/)|$)/.test(tail);
  if (!name) return ends || tail.startsWith(' in thread ') ? ERROR : NONE;
  if (!/(?:^|[.$])(?:[A-Z][\w]*)?$/.test(name)) return NONE;
  if (word === 'Exception') return /^(?:[\w.(/=;{]| \w+\)| \{)/.test(tail) ? NONE : ERROR; // not where source code names it
  return tail.startsWith(':') || (ends && name.length === at) ? ERROR : NONE;
}
