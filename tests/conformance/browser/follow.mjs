// One stream, followed with any implementation of EventSource: the browser's own, or an npm package's.
// What it heard is told in the form that every driver of the conformance matrix uses.

const CLOSED = 2;

/**
 * Follows `stream` until the client is done with it (`stream.until`: "end", the event of that type; "closed", by a 204;
 * {count}, so many messages) or its time is up. Never rejects.
 */
export function follow(EventSource, stream) {
  return new Promise((resolve) => {
    const messages = [];
    let breaks = 0;
    const source = new EventSource(stream.url);
    const timer = setTimeout(() => finish(`no end within ${stream.limit} ms`), stream.limit);

    function finish(error) {
      clearTimeout(timer);
      source.close();
      resolve({ name: stream.name, messages, breaks, error });
    }

    function hear(message) {
      messages.push({ id: message.lastEventId, event: message.type, data: message.data });
      if (stream.until === 'end' ? message.type === 'end' : messages.length === stream.until.count) finish(null);
    }

    function fail() {
      if (source.readyState === CLOSED) {
        finish(stream.until === 'closed' ? null : 'the client gave up');
      } else {
        breaks += 1;
        if (!stream.returns) finish('the connection broke');
      }
    }

    for (const type of stream.types) source.addEventListener(type, hear);
    source.addEventListener('error', fail);
  });
}

/** Gives every stream to `one`, at most `width` at a time. */
export async function walk(streams, width, one) {
  const waiting = streams.values();
  const walker = async () => {
    for (const stream of waiting) await one(stream);
  };
  await Promise.all(Array.from({ length: width }, walker));
}
