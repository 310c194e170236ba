// Progress lines: one line that was overwritten with carriage returns, which the stream has as line breaks inside an event.
const LONG = 1 << 20; // characters; longer ones would take too long to look into
const UPDATES = 5; // from so many states on a line is taken for one that nobody saw moving, if they look alike

// The states of an overwritten line, oldest first; null if it is none. `overwritten`: it has been seen moving.
export function statesOf({ text, overwritten }) {
  if (text.length > LONG || !text.includes('\n')) return null;
  const states = text.split('\n').filter((part) => part.trim());
  if (states.length < 2) return null;
  if (overwritten) return states;
  const [last, before] = [states.at(-1), states.at(-2)];
  // What is indented goes on with the line above it: a stack trace.
  const isSame = /^\S/.test(last) && last.slice(0, 3) === before.slice(0, 3);
  const isAlike = isSame || (last.includes('%') && before.includes('%'));
  return states.length > UPDATES && isAlike ? states : null;
}
