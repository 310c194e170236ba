// Lines of standard input to all who ask, with nothing but Node: its http module, and a write for each line and client.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

const clients = new Set();

const server = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write(': node\n');
  clients.add(response);
  response.on('close', () => clients.delete(response));
});

let number = 0;
createInterface({ input: process.stdin }).on('line', line => {
  const event = `id: ${Date.now()}-${++number}/stdin\ndata: ${line}\n\n`;
  for (const client of clients) client.write(event);
}).on('close', () => process.exit());

setInterval(() => {
  for (const client of clients) client.write(':\n');
}, 15_000);

server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.stderr.write(`listening on http://127.0.0.1:${server.address().port}/\n`);
});
