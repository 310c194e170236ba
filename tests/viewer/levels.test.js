import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LEVELS, level } from '../../src/viewer/lines/levels.js';
import { Random, seed } from './random.js';

const CASES = {
  trace: `
2026-11-30T12:00:00.000000Z TRACE app::db: rows
[TRACE] x
V/Tag: x
FINER: x
{"level":10,"msg":"x"}
{"level":"trace"}
level=trace msg=x
12:00PM TRC x
trce: Microsoft.Hosting[0]
verbose: x`,
  debug: `
DEBUG:root:x
[debug] x
FINE: x
D/Tag( 123): x
{"time":1,"level":20}
time=x level=debug msg=y
<7>x
dbug: Microsoft.Hosting[0]
DEBU[0000] x
[2026-11-30 12:00:00.000][12][debug][main] x
D1130 12:00:00.000000 1 x.go:1] y
{"version":"1.1","level":7,"short_message":"x"}`,
  info: `
2026-11-30 12:00:00,123 INFO  [main] c.e.App - the error handling is on
INFO:     127.0.0.1:1 - "GET /error.html HTTP/1.1" 200 OK
[info] x
[2026-11-30T12:00:00Z INFO  app] x
{"level":30,"time":1,"pid":2,"hostname":"h","msg":"no error"}
{"msg":"ERROR: x","level":"info"}
{"error":"TypeError: x","level":"info"}
{"t":{"$date":"x"},"s":"I","c":"NETWORK"}
level=info msg="error: foo"
ts=1 caller=x.go:1 level=info err=null
<6>x
<14>x
I1130 12:00:00.000000       1 x.go:1] y
I/ActivityManager( 123): x
11-30 12:00:00.000  123  4567 I Tag: x
I, [2026-11-30T12:00:00 #1]  INFO -- : x
[I 12:00:00.000 NotebookApp] x
info: Microsoft.Hosting[0]
info: server started
2026-11-30 12:00:00.000 UTC [1] LOG:  database system is ready
[2026-11-30] production.INFO: x
<info>  [1732968000.1] x
note: run with it
INFO[0000] x
12:00PM INF x
{"severity":"INFO","message":"x"}
2026-11-30 | INFO     | app:main:1 - x
[NOTICE] x
2026/11/30 12:00:00 [notice] 1#1: x`,
  warn: `
2026-11-30 12:00:00 WARN x
[warn] x
WARNING:root:x
npm WARN deprecated x
npm warn deprecated x
warning: unused variable: x
src/x.c:1:2: warning: unused [-Wunused]
CMake Warning at CMakeLists.txt:1 (message):
[ssl:warn] [pid 1] x
W1130 12:00:00.000000 1 x.go:1] y
W/Tag: x
{"level":40}
{"@t":"x","@l":"Warning","@m":"y"}
<4>x
level=warning msg=x
lvl=warn msg=x
severity="WARN" x
[WARNING] 1/1 (1) : x
2026-11-30 12:00:00 0 [Warning] [MY-1] x
WARN[0001] x
12:00PM WRN x
  1:2  warning  msg  rule
PHP Warning:  x
W: Failed to fetch x
warn  - Fast Refresh had to reload
Warning: x
\x1b[33mWARN\x1b[0m x`,
  error: `
2026-11-30 12:00:00 ERROR x
2026-11-30T12:00:00.000000Z ERROR app: x
2026/11/30 12:00:00 [error] 123#0: *1 open() "/x" failed
[core:error] [pid 1] x
ERROR:root:x
ERROR: 3 tests failed
ERROR: 0 rows were found
SEVERE: x
npm ERR! code ENOENT
npm error code ENOENT
error: no such file or directory
error[E0308]: mismatched types
src/x.rs:1:2: error: x
src/x.c:1:2: fatal error: x.h: No such file or directory
src/x.ts(1,2): error TS2322: Type
x.cpp(1): error C2065: y
make: *** [Makefile:3: all] Error 2
make[1]: *** [all] Error 1
E1130 12:00:00.000000 1 x.go:1] y
E20261130 12:00:00.000000 1 x.cc:1] y
E/AndroidRuntime( 123): x
11-30 12:00:00.000  123  4567 E Tag: x
[E 12:00:00.000 NotebookApp] x
{"name":"app","hostname":"h","pid":1,"level":50,"msg":"x"}
{"level":"error","msg":"x"}
{"level":"ERROR"}
{"log.level":"error"}
{"levelname": "ERROR"}
{"level":400,"level_name":"ERROR"}
<3>x
<11>x
level=error msg=x
lvl=eror msg=x
severity=ERROR x
time="x" level=ERROR msg=y
[ error ] x
|ERROR| x
java.lang.IllegalStateException: x
Caused by: java.io.IOException: x
Exception in thread "main" java.lang.Error
Unhandled exception. System.InvalidOperationException: x
Traceback (most recent call last):
ValueError: x
KeyError
app.errors.CustomError: x
Uncaught TypeError: x is not a function
Error: x
ERRO[0000] x
12:00PM ERR x
[12:00:00 ERR] x
  1:2  error  msg  rule
[2026-11-30] local.ERROR: x
--- FAIL: TestX (0.00s)
fail: Microsoft.Hosting[0]
\x1b[1;31merror\x1b[0m: x
\x1b[31mERROR\x1b[0m x
E   AssertionError: x
PHP Parse error:  x
E: Unable to locate package x
there was an error: x`,
  fatal: `
FATAL: x
2026-11-30 FATAL x
panic: runtime error: x
thread 'main' panicked at src/x.rs:1:2:
fatal: not a git repository
CRITICAL:root:x
[crit] 1#1: x
{"level":60}
<0>x
<2>x
F1130 12:00:00.000000 1 x.go:1] y
F/libc: x
level=fatal msg=x
[emerg] 1#1: x
FATA[0000] x
2026-11-30 12:00:00.000 UTC [1] PANIC:  x
[2026-11-30] request.CRITICAL: Uncaught`,
  none: `
 
a line
0 errors, 0 warnings
no error
NO ERROR
no errors found
errors: 0
error_count=0
ERROR: 0, WARN: 0
ERROR: 0 WARN: 0
error: 0
error: null
"error":null
{"error":null,"errors":[],"warning":false}
{ error: undefined }
error=nil
error: none
GET /error.html HTTP/1.1
127.0.0.1 - - [30/Nov/2026:12:00:00 +0000] "GET /error?level=error HTTP/1.1" 200 1 "-" "x"
/var/log/error.log
/var/log/ERROR.log
error.log was rotated
the error handling is on
this was an Error in judgement
ExceptionHandler initialised
catch (FooException e) {
import app.FooException;
lastError: 0
onError: f
DEBUG=1 ./run
--error: x
on-error: x
for more info: see
http://error:80/
error://x
terror: x
mirror
information is power
a fine: 10
Config
<error>x</error>
<999>x
<12
INFORMATIVE
ERRORS
EOF
WARNINGS
I1 am
E/x
I: x
warnings: 0
{"levels":[1]}
${'x'.repeat(250)} ERROR`,
};

for (const [name, lines] of Object.entries(CASES)) {
  test(`lines that are ${name}`, () => {
    for (const line of lines.split('\n').slice(1)) assert.equal(LEVELS[level(line)], name, JSON.stringify(line));
  });
}

test('the order of levels', () => {
  assert.deepEqual(LEVELS, ['none', 'trace', 'debug', 'info', 'warn', 'error', 'fatal']);
});

test('whatever comes: an index, and soon', () => {
  const random = new Random();
  const parts = [
    'ERROR',
    'error',
    'Error',
    'Exception',
    'warn',
    'INFO',
    'level',
    'level=',
    '"level":',
    '"',
    ':',
    '=',
    '[',
    ']',
    '<',
    '>',
    '3',
    '0',
    ' ',
    'no ',
    '.',
    '/',
    'x',
    '{',
    '}',
    '\x1b',
    '\x1b[31m',
    '\n',
    '😀',
    '\ud800',
    'E0412 ',
    'panicked at',
    'Traceback (most recent call last):',
    '-',
    '|',
    '(',
  ];
  for (let round = 0; round < 50_000; round += 1) {
    const text = Array.from({ length: random.below(30) }, () => random.pick(parts)).join('');
    const found = level(text);
    assert.ok(Number.isInteger(found) && found >= 0 && found < LEVELS.length, `${JSON.stringify(text)} seed ${seed}`);
  }
  const began = performance.now();
  for (const part of parts) for (let round = 0; round < 100; round += 1) level(part.repeat(100_000));
  assert.ok(performance.now() - began < 50_000);
});
