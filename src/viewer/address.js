// The view in the page's address, behind the #, so that a link shows the same: nothing of it is ever sent to a server.
//
//   #q=timeout&re=1&case=1&only=1&context=3&level=warn&channel=web&channel=db&at=1763660000123-4821/web
const FLAGS = { isRegex: 're', isCase: 'case', only: 'only' };

// What the address says: { text, isRegex, isCase, only, context, level, channels, at }.
export function read() {
  const params = new URLSearchParams(location.hash.slice(1));
  const view = { text: params.get('q') ?? '', context: Math.min(100, Math.max(0, Number(params.get('context')) || 0)) };
  for (const [name, flag] of Object.entries(FLAGS)) view[name] = params.get(flag) === '1';
  return { ...view, level: params.get('level') ?? '', channels: params.getAll('channel').filter(Boolean), at: params.get('at') ?? '' };
}

// The address of a view; '' where there is nothing to say.
export function write({ text, context, level, channels, at, ...view }) {
  const params = new URLSearchParams();
  if (text) params.set('q', text);
  for (const [name, flag] of Object.entries(FLAGS)) if (text && view[name]) params.set(flag, '1');
  if (text && view.only && context) params.set('context', context);
  if (level) params.set('level', level);
  channels.forEach((channel) => params.append('channel', channel));
  if (at) params.set('at', at);
  // Ids and names are easier to read as they are.
  const hash = params.toString().replaceAll('%2F', '/').replaceAll('%7E', '~');
  return hash ? `#${hash}` : '';
}

// Puts it in the address bar, without a step in the history.
export function keep(view) {
  const hash = write(view);
  if (hash !== location.hash) history.replaceState(null, '', hash || location.pathname + location.search);
}
