// The event stream, as sse-bridge writes it: lines end in LF, a field has one space behind its colon, a comment may stand
// anywhere, an event ends in the only place where two line feeds meet.

// Puts pieces of a stream together, and gives them back cut behind their last whole event.
export class Cutter {
  #rest = '';

  // The whole events that end in this piece; '' if none does.
  push(piece) {
    const end = piece.lastIndexOf('\n\n');
    if (end >= 0) return this.#take(piece, end + 2);
    // The two line feeds may have come apart.
    if (this.#rest.endsWith('\n') && piece.startsWith('\n')) return this.#take(piece, 1);
    this.#rest += piece;
    return '';
  }

  #take(piece, end) {
    const whole = this.#rest + piece.slice(0, end);
    this.#rest = piece.slice(end);
    return whole;
  }
}

// Calls `dispatch(id, type, data)` for each event of a text of whole events; the id is '' where an event has none, the type where
// it is `message`.
export function parse(text, dispatch) {
  let id = '';
  let type = '';
  let data = null;
  for (let at = 0; at < text.length; ) {
    let end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    if (end === at) {
      if (data !== null) dispatch(id, type, data);
      id = '';
      type = '';
      data = null;
    } else if (text.startsWith('data: ', at) || text.startsWith('data:', at)) {
      const line = text.slice(Math.min(at + 6, end), end);
      data = data === null ? line : `${data}\n${line}`;
    } else if (text.startsWith('id: ', at)) {
      id = text.slice(at + 4, end);
    } else if (text.startsWith('event: ', at)) {
      type = text.slice(at + 7, end);
    }
    at = end + 1;
  }
}

// The last id in a text of whole events; '' if there is none. Data cannot be taken for it: its lines begin with `data:`.
export function lastId(text) {
  const at = text.lastIndexOf('\nid: ');
  if (at >= 0) return text.slice(at + 5, text.indexOf('\n', at + 5));
  return text.startsWith('id: ') ? text.slice(4, text.indexOf('\n')) : '';
}

// Whether events of a reserved type are in the text; looking is cheaper than reading all of it.
export const has = (text, type) => text.includes(`\nevent: ${type}\n`) || text.startsWith(`event: ${type}\n`);

// The data of the first event of a type, if it is JSON; null otherwise.
export function first(text, type) {
  let found = null;
  parse(text, (_, name, data) => {
    if (name === type) found ??= json(data);
  });
  return found;
}

export function json(data) {
  try {
    const value = JSON.parse(data);
    return value && typeof value === 'object' ? value : null;
  } catch {
    return null; // not one of ours
  }
}
