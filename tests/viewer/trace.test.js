import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Traces } from '../../src/viewer/text/trace.js';
import { Random, seed } from './random.js';

// Each line of the text begins with `|` if it goes on with the trace above it, with a space if not.
function check(name, text) {
  test(name, () => {
    const traces = new Traces();
    const lines = text.split('\n').slice(1, -1);
    const got = [];
    let head = -1;
    lines.forEach((line, at) => {
      const back = traces.next('channel', line.slice(1).replaceAll('→', '\t'));
      if (back && (got.length - back !== head || head < 0)) head = head < 0 || back === 1 ? at - back : NaN;
      if (!back) head = -1;
      if (back) assert.equal(at - back, head, line);
      got.push((back ? '|' : ' ') + line.slice(1));
    });
    assert.deepEqual(got, lines);
  });
}

check(
  'Java and Kotlin',
  `
 12:00:00 ERROR something failed
 java.lang.IllegalStateException: no such thing
|→at com.example.Service.find(Service.java:12) ~[app.jar:1.0]
|→at java.base/java.lang.Thread.run(Thread.java:829)
|→at jdk.internal.reflect.NativeMethodAccessorImpl.invoke0(Native Method)
|→at com.example.MainKt$main$1.invokeSuspend(Main.kt:7)
|→Suppressed: java.io.IOException: closed
|→→at a.b.C.close(C.java:1)
|→→... 3 more
|Caused by: java.lang.RuntimeException: deep
|→at a.b(Unknown Source)
|→... 12 more
 12:00:01 INFO goes on
`,
);

check(
  'Java without its beginning',
  `
 a line
|→... 12 more
 next
 y.Z: w
|Caused by: java.io.IOException: x
|→at a.b.C.f(C.java:1)
 next
`,
);

check(
  'Python',
  `
 ERROR:root:failed
 Traceback (most recent call last):
|  File "/app/main.py", line 3, in <module>
|    main()
|  File "/app/main.py", line 9, in main
|    raise ValueError("x")
|ValueError: x
 INFO:root:goes on
`,
);

check(
  'Python, one behind the other',
  `
 Traceback (most recent call last):
|  File "a.py", line 1, in f
|    g()
|KeyError: 'a'
|
|During handling of the above exception, another exception occurred:
|
|Traceback (most recent call last):
|  File "a.py", line 3, in f
|    h()
|app.errors.Custom
 next: x
   indented
`,
);

check(
  'Python, cut by another line',
  `
 2026-11-30 12:00 ERROR Traceback (most recent call last):
|  File "a.py", line 1, in f
 2026-11-30 12:00 INFO other
 key: value
`,
);

check(
  'Python, a group',
  `
   + Exception Group Traceback (most recent call last):
|   |   File "a.py", line 1, in <module>
|   | ExceptionGroup: many (2 sub-exceptions)
|   +-+---------------- 1 ----------------
|     | ValueError: 1
 next
`,
);

check(
  'JavaScript',
  `
 /app/index.js:3
   throw new TypeError('x');
 
 TypeError: x
|    at f (/app/index.js:3:9)
|    at new Thing (file:///app/with space/b.mjs:1:2)
|    at Object.<anonymous> (/app/index.js:7:1)
|    at async Promise.all (index 0)
|    at Array.map (<anonymous>)
|    at /app/c.js:1:2
|    at async file:///app/d.js:10:20
|    at node:internal/main/run_main_module:28:49 {
|  code: 'ENOENT',
|  [cause]: Error: y
|      at g (/app/e.js:1:1)
|}
 next
`,
);

check(
  'Ruby',
  `
 main.rb:1:in 'Object#f': boom (RuntimeError)
|→from main.rb:5:in 'Object#g'
|→from main.rb:8:in '<main>'
 next
`,
);

check(
  'PHP',
  `
 PHP Fatal error:  Uncaught Exception: x in /app/a.php:3
|Stack trace:
|#0 /app/a b.php(12): f(1, 'x')
|#1 [internal function]: A->b()
|#2 {main}
|  thrown in /app/a.php on line 3
 next
`,
);

check(
  'Go',
  `
 panic: boom
|[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x1]
|
|goroutine 1 [running]:
|main.f(...)
|→/app/x.go:12 +0x1d
|main.(*Server[...]).Serve(0xc0000b2000, {0x1, 0x2})
|→/app/x.go:30 +0x2a
|created by main.main in goroutine 1
|→/app/x.go:3 +0x3b
|
|goroutine 18 [select, 2 minutes]:
|net/http.(*Server).Serve(...)
|→/go/src/net/http/server.go:1 +0x1
 exit status 2
`,
);

check(
  'Go, the stack alone',
  `
 dump follows
|goroutine 1 [running]:
|runtime/debug.Stack()
|→/go/debug.go:1 +0x5e
 done
`,
);

check(
  'Go, a panic without a stack',
  `
 panic: not now
 next line
   indented
`,
);

check(
  'Rust',
  `
 thread 'main' panicked at src/main.rs:2:5:
 explicit panic
|stack backtrace:
|   0: std::panicking::begin_panic
|             at /rustc/abc/library/std/src/panicking.rs:616:12
|   1: app::main
|             at ./src/main.rs:2:5
|   2: main
 note: Some details are omitted
`,
);

check(
  'C#',
  `
 Unhandled exception. System.InvalidOperationException: x
|   at App.Program.Find(String name, Int32 count) in /app/Program.cs:line 12
|   at App.Program.<Main>$(String[] args)
|--- End of stack trace from previous location ---
|   at App.Other.Run()
 next
`,
);

check(
  'Dart, gdb and sanitizers',
  `
 Unhandled exception: x
|#0      main (file:///app/main.dart:3:3)
|#1      _start (dart:isolate-patch/isolate_patch.dart:300:19)
 
 ==1==ERROR: AddressSanitizer: heap-use-after-free
|    #0 0x4f3 in main /app/x.c:12:3
|    #1 0x7f1 in __libc_start_main
 Thread 1 received signal SIGSEGV
|#0  0x0000555555555131 in f () at x.c:3
|#1  main () at x.c:9
`,
);

check(
  'an empty line in front: the first frame is the head',
  `
 
     at f (/app/a.js:1:2)
|    at g (/app/a.js:2:2)
`,
);

check(
  'plain indented text is none',
  `
 procs -----------memory---------- ---swap-- -----io----
  r  b   swpd   free   buff  cache   si   so    bi    bo
  1  0      0 123456   1234  12345    0    0     1     2
 services:
   web:
     image: nginx:1.27
     ports:
       - "80:80"
     at: here (12:30)
 .
 ├── src
 │   └── main.rs
 total 4
     at 12:30
     at the end (see page 3)
     at noon (10:30:15)
     at localhost:8080
     from home: 12
     from Berlin:10:in a train
    1: first
    2: second
 #1 an issue (10:30)
   text
 # heading
 #define X(a) a
     if (x) {
       f(x);
     }
 Fri Nov 30
     at java
   File "x", line 3
`,
);

check(
  'indented text behind other text is none',
  `
 def f():
     return 1
 
 →tabs
 →→more tabs
   - caused by: nothing
     panic: not at the start
`,
);

test('channels do not disturb each other', () => {
  const traces = new Traces();
  assert.equal(traces.next('a', 'Error: x'), 0);
  assert.equal(traces.next('b', 'java.lang.Error: x'), 0);
  assert.equal(traces.next('a', '    at f (a.js:1:2)'), 1);
  assert.equal(traces.next('b', '\tat a.b.C(C.java:1)'), 1);
  assert.equal(traces.next('c', '  indented'), 0);
  assert.equal(traces.next('a', '    at g (a.js:1:2)'), 2);
  assert.equal(traces.next('b', 'done'), 0);
  assert.equal(traces.next('a', '    at h (a.js:1:2)'), 3);
});

test('colours do not hide a trace', () => {
  const traces = new Traces();
  traces.next('a', '\x1b[31mError: x\x1b[0m');
  assert.equal(traces.next('a', '\x1b[90m    at f (a.js:1:2)\x1b[39m'), 1);
  assert.equal(traces.next('a', '\x1b[2m    at g\x1b[0m'), 2);
  assert.equal(traces.next('a', '\x1b[2m\x1b[0m'), 0);
});

test('a trace has at most 1,000 lines; then another begins', () => {
  const traces = new Traces();
  traces.next('a', 'Error: x');
  const back = Array.from({ length: 2_500 }, () => traces.next('a', '    at f (a.js:1:2)'));
  assert.deepEqual(back.slice(0, 3), [1, 2, 3]);
  assert.equal(Math.max(...back), 999);
  assert.deepEqual(back.slice(998, 1_002), [999, 0, 1, 2]);
});

test('whatever comes: no error, and the head is always a line of the channel that is in no trace', () => {
  const random = new Random();
  const parts = [
    'Error: x',
    '    at f (a.js:1:2)',
    '\tat a.B.c(B.java:1)',
    '\t... 3 more',
    'Caused by: x',
    'Traceback (most recent call last):',
    '  File "a", line 1',
    'ValueError: x',
    '',
    ' ',
    '  indented',
    'panic: x',
    'goroutine 1 [running]:',
    'main.f()',
    'stack backtrace:',
    '  0: a::b',
    '#0 a.php(1): f()',
    '#1 {main}',
    '\tfrom a.rb:1:in `f`',
    'text',
    '}',
    'During handling of the above exception, x',
    '\x1b[31m',
    '\x1b',
    '(',
    ')',
    ':1:2',
    '\ud800',
    '\n',
    'at ',
  ];
  const traces = new Traces();
  const backs = new Map();
  for (let round = 0; round < 50_000; round += 1) {
    const channel = random.below(4);
    const text = random.pick(parts) + (random.below(3) ? '' : random.pick(parts));
    const back = traces.next(channel, text);
    const list = backs.get(channel) ?? [];
    backs.set(channel, list);
    const message = `${JSON.stringify(text)} seed ${seed}`;
    assert.ok(Number.isInteger(back) && back >= 0 && back < 1_000 && back <= list.length, message);
    if (back) assert.equal(list[list.length - back], 0, message);
    if (back > 1) assert.equal(list[list.length - 1], back - 1, message);
    list.push(back);
  }
});

test('hostile lines and many channels cost little', () => {
  const traces = new Traces();
  const lines = ['  at a.', '  at (a', ':1', '#1 (1', ' from a:1:in', '  1: a:', '\t', 'a(', 'x:'].map(
    (part) => part + part.trim().repeat(100_000),
  );
  const began = performance.now();
  for (let round = 0; round < 300; round += 1) for (const line of lines) traces.next(round % 3, line);
  for (let channel = 0; channel < 50_000; channel += 1) traces.next(`channel ${channel}`, 'Error: x');
  assert.ok(performance.now() - began < 30_000);
  assert.equal(traces.next('channel 49999', '    at f (a.js:1:2)'), 1);
  assert.equal(traces.next('channel 1', '    at f (a.js:1:2)'), 0);
});
