// What the reader takes along: text in the clipboard, a file of what is shown, the address of the whole history.
import { KIND } from './lines/lines.js';
import { plain } from './text/ansi.js';

const SLICE = 20_000; // lines that are put together at once

// The address at which the daemon gives all that it retains of these channels, as text.
export function historyOf(base, channels) {
  const url = new URL(base);
  const params = [['format', 'text'], ['tail', 'all'], ['follow', '0'], ...channels.map((name) => ['channel', name])];
  params.forEach(([name, value]) => url.searchParams.append(name, value));
  return url.href;
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyOldly(text); // no secure origin, or no permission
  }
}

function copyOldly(text) {
  const area = document.createElement('textarea');
  area.className = 'unseen';
  area.value = text;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand('copy');
  area.remove();
  return isDone;
}

// Has the browser keep what is shown as a text file.
export async function download(lines, view, title) {
  const parts = [];
  for (let row = view.taken(lines.first), { end } = lines; row < end; ) {
    const texts = [];
    for (; row < end && texts.length < SLICE; row = view.taken(row + 1)) {
      const line = lines.get(row);
      if (line) texts.push(line.kind === KIND.line ? plain(line.text) : `[${line.text}]`);
    }
    parts.push(`${texts.join('\n')}\n`);
    await new Promise((next) => setTimeout(next)); // the page answers meanwhile
  }
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(parts, { type: 'text/plain' }));
  link.download = `${title.replace(/[^\p{L}\p{N}._-]+/gu, '-').slice(0, 80) || 'lines'}.txt`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
