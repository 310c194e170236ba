// Which lines belong to a stack trace, so that all but its head can be folded away.
//
// A trace is begun by a line that nothing but a trace has (a frame, or a heading such as Python's), never by indentation alone:
// tables and listings stay as they are. Its head is the line before the first frame, where the error is told, or the heading
// itself. From then on indented lines belong to it, and those that its language writes without indentation. Each channel has a
// trace of its own.
import { plain } from './ansi.js';

const MOST_LINES = 1_000; // of one trace, with its head
const MOST_CHANNELS = 10_000;
const LOOKED_AT = 1_000; // characters of a line

// What goes on without indentation: `goes`; `last` does, and ends the trace. A line in `bridge` may follow an empty one, also
// behind the end, and the trace goes on; where nothing of the kind comes, the empty line is all that was taken too much.
// `strict`: until the trace has come to its frames, indented lines are not enough.
const LANGUAGES = {
  at: { goes: /^(?:Caused by:|Suppressed: |Wrapped by: |\.\.\. \d+ (?:more|common)|--- End of |\}$)/ },
  python: {
    last: /^(?:[\w.]+(?::|$)|\S+:\d+:in )/,
    bridge: /^(?:During handling of the above|The above exception was|Traceback \(most recent call last\):$)/,
  },
  go: {
    goes: /^(?:goroutine \d+ |created by |\[signal |\[recovered|\.\.\.additional |[^\s(]+(?:\([^\s()]*\)[^\s(]*)?\(.*\)$)/,
    bridge: /^(?:goroutine \d+ |runtime stack:$)/,
    strict: /^(?:goroutine \d+ |\[signal |\[recovered|\tpanic: |PC=0x)/,
  },
  numbered: { goes: /^(?:#\d+\s|Stack trace:$|Next \S+: )/ },
  rust: {},
  ruby: {},
  inset: {},
};

const TRACEBACK = 'Traceback (most recent call last):';

// What begins a trace. `heads`: it is the head itself.
const BEGINNINGS = [
  { language: 'python', test: (line) => /^\S/.test(line) && line.endsWith(TRACEBACK), heads: true },
  { language: 'inset', test: (line) => line.endsWith(TRACEBACK), heads: true }, // of a group, or in a report
  { language: 'at', test: isAt },
  { language: 'at', test: (line) => /^\s*(?:Caused by:(?: |$)|Suppressed: \S|\.\.\. \d+ (?:more|common frames .*)$)/.test(line) },
  { language: 'ruby', test: (line) => /^\s+(?:\d+: )?from \S.*:\d+:in [`'<]/.test(line) },
  { language: 'rust', test: (line) => /^(?:stack backtrace:$|\s+\d+:\s+(?:0x[\da-f]+ - )?[^\s:]\S*::\S)/.test(line) },
  { language: 'numbered', test: isNumbered },
  { language: 'go', test: (line) => /^goroutine \d+ (?:gp=\S+ )?(?:m=\S+ )?(?:mp=\S+ )?\[[^\]]+\]:$/.test(line) },
  { language: 'go', test: (line) => /^(?:panic|fatal error|SIG[A-Z]+): \S/.test(line), heads: true, strict: true },
];
const FIRST = /^[\s#CSP.sgpf]|\):$/; // what any of them begins or ends with

export class Traces {
  #channels = new Map(); // channel -> { trace, isTold }

  // To be called for each line in order: how many lines of its channel back the head of its trace is. 0 if it belongs to none, or
  // is the head.
  next(channel, text) {
    let state = this.#channels.get(channel);
    if (!state) {
      if (this.#channels.size >= MOST_CHANNELS) this.#channels.delete(this.#channels.keys().next().value);
      this.#channels.set(channel, (state = { trace: null, isTold: false }));
    }
    const part = text.length > LOOKED_AT ? text.slice(0, LOOKED_AT) : text;
    const line = part.includes('\x1b') ? plain(part) : part;
    if (!state.trace || !goesOn(state.trace, line)) state.trace = begin(line, state.isTold);
    const back = state.trace?.count ?? 0;
    state.isTold = back === 0 && !isEmpty(line);
    return back;
  }
}

const isEmpty = (line) => line.trimStart() === '';

// A trace is { language, count, isStrict, hasEnded, isBridge }; count: how far back its head is.
function begin(line, isTold) {
  const found = FIRST.test(line) && BEGINNINGS.find(({ test }) => test(line));
  if (!found) return null;
  return {
    language: LANGUAGES[found.language],
    count: found.heads || !isTold ? 0 : 1,
    isStrict: Boolean(found.strict),
    hasEnded: false,
    isBridge: false,
  };
}

function goesOn(trace, line) {
  trace.count += 1;
  return trace.count < MOST_LINES && belongs(trace, trace.language, line);
}

function belongs(trace, { goes, last, bridge, strict }, line) {
  if (isEmpty(line)) {
    if (!bridge || trace.isBridge) return false;
    trace.isBridge = true;
    return true;
  }
  if (trace.isBridge) {
    trace.isBridge = trace.isStrict = false;
    trace.hasEnded = /^(?:During|The) /.test(line);
    return bridge.test(line);
  }
  if (trace.hasEnded) return false;
  if (trace.isStrict) {
    trace.isStrict = !line.startsWith('goroutine ');
    return strict.test(line);
  }
  if (/^\s/.test(line) || goes?.test(line)) return true;
  trace.hasEnded = Boolean(last?.test(line)) && trace.count > 1;
  return trace.hasEnded;
}

// Java and Kotlin `at a.b.C.f(C.java:1)`, JavaScript `at f (file:1:2)` and `at file:1:2`, C# `at A.B.F(Int32 x) in file:line 1`,
// and the places of Rust `at ./src/main.rs:1:2`.
function isAt(line) {
  if (!/^\s+at \S/.test(line)) return false;
  const called = /^\s+at ([^\s(]+)\(/.exec(line)?.[1];
  if (called?.includes('.', 1)) return true;
  const place = /^\s+at (?:async )?(\S+?):\d+:\d+(?: \{)?$/.exec(line)?.[1];
  return place ? /[A-Za-z>]/.test(place) : hasPlace(line);
}

// PHP `#0 file(12): f()` and `#1 {main}`, Dart `#0 main (file:1:2)`, gdb and sanitizers `#1 0x4f3 in main`.
function isNumbered(line) {
  if (/^(?:PHP )?Stack trace:$/.test(line)) return true;
  if (!/^\s*#\d+\s+\S/.test(line)) return false;
  return /^\s*#\d+\s+(?:0x[\da-f]+ |\{main\}$|\[internal function\]: )/.test(line) || /\(\d+\): \S/.test(line) || hasPlace(line);
}

// Whether the last brackets hold a place in a program: `file:1`, `file:1:2`, or what stands for one that is not known.
function hasPlace(line) {
  const from = line.lastIndexOf('(');
  const to = line.indexOf(')', from);
  if (from < 0 || to < 0) return false;
  const inside = line.slice(from + 1, to);
  if (/^(?:<anonymous>|native|native code|Native Method|Unknown Source|index \d+)$/.test(inside)) return true;
  const place = /:\d+(?::\d+)?$/.exec(inside);
  return place !== null && /[^\d:.\s]/.test(inside.slice(inside.lastIndexOf(' ', place.index) + 1, place.index));
}
