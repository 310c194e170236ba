// Shows characters that hide something or change the order of what is read: controls, marks of direction, characters without
// width, piles of accents. Each becomes a piece with a readable text and a name; all else stays, tabs and line breaks too.
//
// Nearly all lines have none: one test of one expression tells. What is needed for reading is left alone: joiners between letters
// and emoji that join, one variation selector behind a character, three flags that are spelt with tags.

const MOST_MARKS = 200; // in one line
const MOST_ACCENTS = 8; // on one letter

// A line of nothing but these blocks is as it looks.
const SUSPECT = new RegExp(
  `[^${[
    '\\t\\n\\x20-\\x7e\\xa0-\\xac\\xae-\\u02ff\\u0370-\\u0482\\u048a-\\u0590\\u05be\\u05d0-\\u05f4\\u0620-\\u064a\\u0660-\\u066f',
    '\\u1e00-\\u200a\\u2010-\\u2027\\u202f-\\u205f\\u2070-\\u20cf\\u2100-\\u2cee\\u3000-\\u3029\\u3030-\\u3098\\u309b-\\u3163',
    '\\u3165-\\ua66e\\uac00-\\ud7a3\\ue000-\\ufaff\\uff01-\\uff9f\\uffe0-\\uffe6\\ufffd',
  ].join('')}]`,
);

const ALWAYS = [
  '\\0-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u200b\\u200e\\u200f\\u2028-\\u202e',
  '\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff0-\\ufffb\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e00ff}',
  '\\u{e01f0}-\\u{e0fff}\\ud800-\\udfff',
].join('');
// The scripts whose letters join.
const JOINING = '[\\u0600-\\u109f\\u1780-\\u18af\\ua840-\\ua8ff\\ua9e0-\\uabff\\u{10a00}-\\u{11fff}]';
const EMOJI = '\\p{Extended_Pictographic}';
const JOINED = [
  `(?:${EMOJI}\\ufe0f?|[\\u{1f3fb}-\\u{1f3ff}])(?=\\u200d${EMOJI})`,
  `${JOINING}(?=[\\u200c\\u200d]${JOINING})`,
  '[\\u094d-\\u0dca](?=\\u200d)', // a letter that is written as half of one
].join('|');
const BRITISH = ['eng', 'sct', 'wls'].map((name) => tags(`gb${name}\x7f`)).join('|');

const SELECTOR = '\\ufe00-\\ufe0f';
const SELECTOR_OF_HAN = '\\u{e0100}-\\u{e01ef}';
const SELECTOR_OF_MONGOLIAN = '\\u180b-\\u180f';

// One character that hides, or a flag or a pile of accents. What stands in front of one is looked at only where there is one.
const HIDDEN = new RegExp(
  [
    `(?<flag>\\u{1f3f4}(?:${BRITISH}))`,
    `[${ALWAYS}]`,
    `(?=[\\u200c\\u200d])(?<!${JOINED}).`,
    `(?=[${SELECTOR}])(?<=^|[\\s${SELECTOR}]).`,
    `(?=[${SELECTOR_OF_HAN}])(?<!\\p{Script=Han}).`,
    `(?=[${SELECTOR_OF_MONGOLIAN}])(?<!\\p{Script=Mongolian}).`,
    `(?<pile>(?:(?![${ALWAYS}])\\p{M}){${MOST_ACCENTS}})\\p{M}`,
  ].join('|'),
  'gu',
);
const ACCENTS = /\p{M}{1,500}/uy;
// The same for the end of a line that has too many: there nothing is let pass.
const REST = new RegExp(
  `[${ALWAYS}\\u200c\\u200d${SELECTOR}${SELECTOR_OF_HAN}${SELECTOR_OF_MONGOLIAN}]|\\p{M}{${MOST_ACCENTS + 1},500}`,
  'gu',
);

function tags(word) {
  return [...word].map((sign) => String.fromCodePoint(0xe0000 + sign.charCodeAt(0))).join('');
}

const C0 =
  'NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US'.split(' ');
const C1 = (
  'PAD HOP BPH NBH IND NEL SSA ESA HTS HTJ VTS PLD PLU RI SS2 SS3 ' +
  'DCS PU1 PU2 STS CCH MW SPA EPA SOS SGC SCI CSI ST OSC PM APC'
).split(' ');

const NAMED = {
  0xad: ['SHY', 'soft hyphen'],
  0x34f: ['CGJ', 'combining grapheme joiner'],
  0x61c: ['ALM', 'arabic letter mark'],
  0x115f: ['HF', 'hangul filler'],
  0x1160: ['HF', 'hangul filler'],
  0x3164: ['HF', 'hangul filler'],
  0xffa0: ['HF', 'hangul filler'],
  0x200b: ['ZWSP', 'zero width space'],
  0x200c: ['ZWNJ', 'zero width non-joiner'],
  0x200d: ['ZWJ', 'zero width joiner'],
  0x200e: ['LRM', 'left-to-right mark'],
  0x200f: ['RLM', 'right-to-left mark'],
  0x2028: ['LS', 'line separator'],
  0x2029: ['PS', 'paragraph separator'],
  0x202a: ['LRE', 'left-to-right embedding'],
  0x202b: ['RLE', 'right-to-left embedding'],
  0x202c: ['PDF', 'end of a change of direction'],
  0x202d: ['LRO', 'left-to-right override'],
  0x202e: ['RLO', 'right-to-left override'],
  0x2060: ['WJ', 'word joiner'],
  0x2066: ['LRI', 'left-to-right isolate'],
  0x2067: ['RLI', 'right-to-left isolate'],
  0x2068: ['FSI', 'first strong isolate'],
  0x2069: ['PDI', 'end of an isolate'],
  0xfeff: ['BOM', 'byte order mark, zero width no-break space'],
};

// [{ text, name? }]: the texts of the pieces without a name are the line without what hides.
export function visible(text) {
  if (!SUSPECT.test(text)) return [{ text }];
  const out = [];
  let from = 0;
  let marks = 0;
  HIDDEN.lastIndex = 0;
  for (let match = HIDDEN.exec(text); match; match = HIDDEN.exec(text)) {
    const { flag, pile } = match.groups;
    if (flag) continue;
    const at = match.index + (pile?.length ?? 0);
    if (at > from) out.push({ text: text.slice(from, at) });
    if (++marks > MOST_MARKS) return [...out, TOO_MANY, { text: text.slice(at).replace(REST, '\ufffd') }];
    from = HIDDEN.lastIndex = pile ? endOfAccents(text, at) : endOfRun(text, at, match[0]);
    out.push(pile ? cut(from - at) : mark(match[0], (from - at) / match[0].length));
  }
  if (from < text.length || out.length === 0) out.push({ text: text.slice(from) });
  return out;
}

// Behind the last mark that a line may have, what hides is only replaced.
const TOO_MANY = Object.freeze({ text: '⟨…⟩', name: 'from here on what hides is shown as \ufffd' });

function endOfRun(text, at, sign) {
  while (text.startsWith(sign, at)) at += sign.length;
  return text.codePointAt(at - 1) > 0xffff ? at - 1 : at; // the last half of several may be the first of a whole
}

function endOfAccents(text, at) {
  for (ACCENTS.lastIndex = at; ACCENTS.test(text); at = ACCENTS.lastIndex);
  return at;
}

const cut = (count) => ({ text: `⟨+${count}⟩`, name: 'more accents on one letter' });

function mark(sign, count) {
  const code = sign.codePointAt(0);
  const times = count > 1 ? `×${count}` : '';
  if (code < 0x20) return { text: `⟨${C0[code]}⟩${times}`, name: C0[code] };
  if (code === 0x7f) return { text: `⟨DEL⟩${times}`, name: 'DEL' };
  const [short, name] = NAMED[code] ?? described(code);
  return { text: `⟨${short}⟩${times}`, name };
}

function described(code) {
  if (code >= 0xfe00 && code <= 0xfe0f) return [`VS${code - 0xfdff}`, 'variation selector'];
  if (code >= 0xe0100 && code <= 0xe01ef) return [`VS${code - 0xe00ef}`, 'variation selector'];
  return [`U+${code.toString(16).toUpperCase().padStart(4, '0')}`, nameOf(code)];
}

function nameOf(code) {
  if (code >= 0x80 && code < 0xa0) return C1[code - 0x80];
  if (code >= 0xd800 && code < 0xe000) return 'half of a character';
  if (code > 0xe001f && code < 0xe007f) return `tag ${String.fromCharCode(code - 0xe0000)}`;
  return 'a character that is not shown';
}
