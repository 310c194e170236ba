// A page of somebody else: it imports the daemon's module and keeps what it hears, for the test.
window.violations = [];
addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => violations.push(`${violatedDirective} ${blockedURI}`));

const params = new URLSearchParams(location.search);
const daemon = params.get('daemon');
if (params.has('element')) {
  const early = document.body.appendChild(document.createElement('sse-log'));
  early.id = 'log';
  early.setAttribute('src', new URL(params.get('element'), daemon));
}
const bridge = await import(`${daemon}sse-bridge.js`);

window.daemon = daemon;
window.exported = Object.keys(bridge).sort();
window.heard = {}; // by name of the stream, then by kind: what came
window.streams = {};
window.asked = new Set(); // kinds that the module has looked for

window.follow = (name, path, options) => {
  const kept = (heard[name] = {});
  const keep = (kind) => (kept[kind] ??= []);
  const handlers = new Proxy({}, {
    get(_, kind) {
      asked.add(kind);
      return (...told) => keep(kind).push(kind === 'line' || kind === 'state' ? told[0] : told);
    },
  });
  streams[name] = bridge.connect(new URL(path, daemon), handlers, options);
};

window.put = (attributes, id = 'log') => {
  const element = document.createElement('sse-log');
  element.id = id;
  for (const kind of ['line', 'gap', 'end', 'progress', 'state']) {
    element.addEventListener(kind, ({ detail }) => ((heard[id] ??= {})[kind] ??= []).push(detail));
  }
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  document.body.append(element);
};
