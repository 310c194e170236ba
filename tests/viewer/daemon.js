// A daemon as the page sees it: one channel, numbered events, the answers of /events; it breaks connections when it is told to, and begins
// another life.
import http from 'node:http';

export class Daemon {
  events = []; // { time, number, data }
  streams = new Set();
  asked = 0;
  refuses = 0; // so many requests are answered with 502
  #server;
  #number = 0;
  #began;
  #dropped = 0; // numbers up to this are retained no more
  #clock;

  static async start() {
    const daemon = new Daemon();
    daemon.#clock = Date.now();
    daemon.#began = daemon.#clock;
    daemon.#server = http.createServer((request, response) => daemon.#answer(request, response));
    await new Promise((done) => daemon.#server.listen(0, '127.0.0.1', done));
    daemon.url = `http://127.0.0.1:${daemon.#server.address().port}/events`;
    return daemon;
  }

  stop() {
    this.cut();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  say(data) {
    this.#clock = Math.max(this.#clock + 1, Date.now());
    this.#number += 1;
    const event = { time: this.#clock, number: this.#number, data };
    this.events.push(event);
    for (const stream of this.streams) stream.write(wire(event));
  }

  // Breaks all streams, inside an event if there is one to break.
  cut(half = '') {
    for (const stream of this.streams) {
      if (half) stream.write(half);
      stream.destroy();
    }
    this.streams.clear();
  }

  // Another life, with nothing of the one before.
  beginAnew() {
    this.cut();
    this.events = [];
    this.#number = 0;
    this.#dropped = 0;
    this.#clock = Math.max(this.#clock + 1, Date.now());
    this.#began = this.#clock;
  }

  drop(count) {
    this.events.splice(0, count).forEach(({ number }) => (this.#dropped = number));
  }

  #answer(request, response) {
    this.asked += 1;
    const query = new URL(request.url, this.url).searchParams;
    if (this.refuses > 0) {
      this.refuses -= 1;
      return response.writeHead(502).end('bad gateway\n');
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`: sse-bridge\nretry: 2000\n${this.#begin(query)}`);
    if (query.get('follow') === '0' || query.has('before')) return response.end();
    this.streams.add(response);
    request.on('close', () => this.streams.delete(response));
  }

  #begin(query) {
    const id = query.get('lastEventId')?.match(/^(\d+)-(\d+)/);
    const before = query.get('before')?.match(/^(\d+)-(\d+)/);
    const tail = query.get('tail') === 'all' ? Infinity : Number(query.get('tail') ?? 10);
    if (before) return this.#texts(tailOf(this.events.filter(({ number }) => number < Number(before[2])), tail));
    if (!id) return this.#texts(tailOf(this.events, tail)) || this.#start();
    const [time, number] = [Number(id[1]), Number(id[2])];
    const isOurs = time >= this.#began && number <= this.#number;
    const rest = this.events.filter((event) => (isOurs ? event.number > number : event.time > time));
    if (!isOurs) return this.#gap('restart', rest, null) + this.#texts(rest);
    const lost = Math.max(0, this.#dropped - number);
    return (lost ? this.#gap('dropped', rest, lost) : '') + this.#texts(rest);
  }

  #start() {
    return `id: ${this.#position()}\nevent: start\ndata: {"channels":["a"]}\n\n`;
  }

  #position(rest = []) {
    if (!rest.length) return `${this.events.at(-1)?.time ?? this.#began}-${this.#number}`;
    return `${rest[0].time - 1}-${rest[0].number - 1}`;
  }

  #gap(reason, rest, lost) {
    return `id: ${this.#position(rest)}\nevent: gap\ndata: ${JSON.stringify({ reason, lost })}\n\n`;
  }

  #texts(events) {
    return events.map(wire).join('');
  }
}

const tailOf = (events, count) => (count === 0 ? [] : events.slice(-count));
const wire = ({ time, number, data }) => `id: ${time}-${number}/a\ndata: ${data}\n\n`;
