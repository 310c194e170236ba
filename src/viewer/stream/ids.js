// Ids of events: TIME-NUMBER/CHANNEL, with the arrival time in Unix milliseconds and a number that grows with every event of
// the daemon. A position, the id of `start` and of a client's own gap, has no channel.
//
// Numbers begin anew with each life of a daemon, times do not: so ids are compared by time first.

// The parts of an id; null if it is none of ours.
export function parse(id) {
  const dash = id.indexOf('-');
  if (dash <= 0) return null;
  const slash = id.indexOf('/', dash);
  const time = Number(id.slice(0, dash));
  const number = Number(slash < 0 ? id.slice(dash + 1) : id.slice(dash + 1, slash));
  if (!(time >= 0 && number >= 0)) return null;
  return { time, number, channel: slash < 0 ? '' : id.slice(slash + 1) };
}

// Which of two places comes first in the stream: negative, 0, positive. What is nowhere comes before everything.
export function compare(a, b) {
  if (!a || !b) return (a ? 1 : 0) - (b ? 1 : 0);
  return a.time - b.time || a.number - b.number;
}

export const later = (a, b) => (compare(a, b) >= 0 ? a : b);

// A place as the daemon takes it back; the channel does not matter.
export const position = (place) => (place ? `${place.time}-${place.number}` : '');
