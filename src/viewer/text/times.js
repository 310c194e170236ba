// Times of arrival in words, in the reader's time zone. Many lines share a second, so the last one is kept.
const two = (n) => String(n).padStart(2, '0');
const three = (n) => String(n).padStart(3, '0');

let second = NaN;
let words = { time: '', date: '', zone: '' };

// { time: '14:03:07.123', full: '2026-11-30 14:03:07.123 +01:00' }; empty for what is no time.
export function clock(millis) {
  if (!(Math.abs(millis) < 8.64e15) || millis === 0) return { time: '', full: '' };
  const now = Math.floor(millis / 1000);
  if (now !== second) {
    second = now;
    words = inWords(new Date(millis));
  }
  const exact = `${words.time}.${three(millis - now * 1000)}`;
  return { time: exact, full: `${words.date} ${exact} ${words.zone}` };
}

function inWords(at) {
  const offset = -at.getTimezoneOffset();
  const minutes = Math.abs(offset);
  return {
    time: `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`,
    date: `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`,
    zone: `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`,
  };
}

const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1_000, 's'],
];

// How long ago: 'now', '7s ago', '3h ago'.
export function ago(millis, now) {
  if (!millis) return '';
  const passed = now - millis;
  const unit = UNITS.find(([length]) => passed >= length);
  return unit ? `${Math.floor(passed / unit[0])}${unit[1]} ago` : 'now';
}
