// The hub of all tabs of one origin that show the same URL, which is the worker's name.
import { Hub } from './hub.js';

const hub = new Hub(self.name);

self.addEventListener('connect', ({ ports: [port] }) => {
  port.onmessage = ({ data }) => hub.hear(port, data);
  hub.add(port);
});
self.addEventListener('online', () => hub.wake());
