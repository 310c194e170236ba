// A program that uses the module as people do; the compiler reads it, nobody runs it.
import { connect, SseLog } from './sse-bridge.js';
import type { End, Gap, Handlers, Line, Options, Progress, Run, Start, State, Stream } from './sse-bridge.js';

const stream: Stream = connect('http://127.0.0.1:8080/events?tail=100', {
  line: ({ id, time, number, channel, type, data }) => console.log(new Date(time), id, number + 1, channel, type, data.length),
  gap: ({ lost, reason, channels, from, to }: Gap, id) => console.warn(lost ?? 'some', reason, channels?.length, from, to, id.length),
  end: ({ channel, reason, exit }: End) => console.log(channel, reason, exit?.toFixed()),
  run: ({ channel, run, state, exit }: Run) => console.log(channel, run, state === 'started', exit),
  start: ({ channels, newest }: Start) => console.log(channels.join(), newest?.length),
  progress: ({ channel, text }: Progress) => console.log(channel, text),
  ping: () => console.log('there'),
  state: ({ name, reason, at }: State) => console.log(name === 'catching up', reason, at && new Date(at)),
});
const { state, lastId, sharing } = stream;
console.log(state.name, lastId.length, sharing === 'lock');
stream.close();

connect(new URL('http://127.0.0.1:8080/events'));
const options: Options = { share: false };
const some: Handlers = {};
connect('events', some, options);

const log: SseLog = document.createElement('sse-log');
log.setAttribute('src', 'http://127.0.0.1:8080/events');
log.addEventListener('line', ({ detail }) => console.log(detail.channel, detail.data.length));
log.addEventListener('gap', ({ detail: { lost, id } }) => console.log(lost, id.length));
log.addEventListener('end', ({ detail }) => console.log(detail.exit));
log.addEventListener('progress', ({ detail: { text } }) => console.log(text));
log.addEventListener('state', ({ detail }) => console.log(detail.at));
log.addEventListener('click', () => log.remove());
console.log(log.stream?.state.name, document.querySelector('sse-log')?.stream?.lastId, log instanceof HTMLElement);

// @ts-expect-error: an address is needed
connect();
// @ts-expect-error: there is no such handler
connect('events', { lines: () => {} });
// @ts-expect-error: data is text
connect('events', { line: ({ data }) => data.symbol });
// @ts-expect-error: nobody can know how many are lost
connect('events', { gap: ({ lost }) => lost.toFixed() });
// @ts-expect-error: there is no such state
connect('events', { state: ({ name }) => name === 'open' });
// @ts-expect-error: nobody sets where it is
stream.lastId = '';
// @ts-expect-error: a line is more than its text
const line: Line = { data: '' };
// @ts-expect-error: a line has lost nothing
log.addEventListener('line', ({ detail }) => detail.lost);
