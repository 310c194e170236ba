// Numbers in pairs: `key=value`, as logfmt, ping, ffmpeg and many others write them: `host=web1 cpu=12.5% took=1.5ms time=12.4
// ms`. The walk goes from one `=` to the next, so its work is bounded by the length of the text.
import { withUnit, quantity } from './quantities.js';

const KEY = 40; // characters of a key that are looked at
const BEFORE = ' \t,;|([{"\''; // what may stand before a key
const AFTER = /[\s,;|)\]}"']/g; // what ends a value
const THOUSANDS = /[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d=])/y;

// Reads all pairs; texts that are values go to `texts`. Tells whether there was a pair at all.
export function readPairs(text, found, texts) {
  let some = false;
  let at = text.indexOf('=');
  while (at >= 0 && !found.isFull) {
    const key = keyBefore(text, at);
    const next = text[at + 1];
    if (key !== '' && next !== '=' && next !== '>' && next !== '~') {
      const value = valueAt(text, at + 1);
      if (value.word !== '') some = true;
      if (!number(found, key, value, text) && value.word !== '' && texts.length < 64) texts.push([key, value.word]);
      at = text.indexOf('=', Math.max(value.end, at + 1));
    } else {
      at = text.indexOf('=', at + (next === '=' ? 2 : 1));
    }
  }
  return some;
}

function number(found, key, { word, end }, text) {
  const value = quantity(word);
  if (value === null) return false;
  const exact = withUnit(value, text[end] === ' ' ? wordAt(text, end + 1) : '') ?? value;
  found.number(key, exact.value, exact.unit);
  return true;
}

// The key that ends at the sign, or nothing: `/page?x=1` and `a != b` have none. Windows writes `time<1ms` for less than one.
function keyBefore(text, sign) {
  let end = sign;
  while (end > 0 && end > sign - 2 && text[end - 1] === ' ') end -= 1;
  let begin = end;
  while (begin > 0 && end - begin <= KEY && isKeySign(text.charCodeAt(begin - 1))) begin -= 1;
  const legal = begin < end && end - begin <= KEY && (begin === 0 || BEFORE.includes(text[begin - 1]));
  return legal && !/[\d./-]/.test(text[begin]) ? text.slice(begin, end) : '';
}

// Behind the sign: a quoted text, or up to what ends a word. ffmpeg fills with spaces: `frame=   12 fps= 25`.
function valueAt(text, from) {
  let begin = from;
  while (begin < from + 12 && text[begin] === ' ') begin += 1;
  if (begin > from && !/[\d.+-]/.test(text[begin] ?? '')) return { word: '', end: from };
  if (begin > from && wordAt(text, begin).includes('=')) return { word: '', end: from };
  if (text[begin] === '"') return quotedAt(text, begin);
  THOUSANDS.lastIndex = begin;
  const thousands = THOUSANDS.exec(text);
  if (thousands !== null) return { word: thousands[0], end: THOUSANDS.lastIndex };
  const word = wordAt(text, begin);
  return { word, end: begin + word.length };
}

function quotedAt(text, begin) {
  const end = text.indexOf('"', begin + 1);
  return end < 0 ? { word: '', end: begin + 1 } : { word: text.slice(begin + 1, end), end: end + 1 };
}

function wordAt(text, begin) {
  AFTER.lastIndex = begin;
  const end = AFTER.exec(text)?.index ?? text.length;
  return text.slice(begin, end);
}

// Letters, digits and `_ - . / % @`, and everything beyond ASCII.
function isKeySign(code) {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 45 && code <= 57) ||
    code === 95 ||
    code === 37 ||
    code === 64 ||
    code >= 160
  );
}
