// What the plot reads in lines, by samples of what programs print, and by lines that are out to harm.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clean } from '../../src/viewer/plot/found.js';
import { READ, Reader } from '../../src/viewer/plot/numbers.js';
import { isEpoch, isTime, namesTime, quantity, unitOfName } from '../../src/viewer/plot/quantities.js';

// Each line's numbers as { name: value }, null where it has none.
function read(text, reader = new Reader()) {
  return text.split('\n').map((line) => {
    const found = reader.read(line);
    return found && Object.fromEntries(found.names.map((name, at) => [name, Number(found.values[at].toPrecision(12))]));
  });
}

const numbersOf = (text) => read(text).filter(Boolean);
const one = (text) => new Reader().read(text);

const VMSTAT = `procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----
 r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st
 3  0      0 21426780   9616 2925132    0    0  1124  5669  708 1285 52 15 33  0  0
 2  0      0 21426780   9616 2925132    0    0   148     0  687  637 49  3 48  0  0`;

test('vmstat has a name and a group for each column', () => {
  const reader = new Reader();
  const [groups, header, first, second] = read(VMSTAT, reader);
  assert.deepEqual([groups, header], [null, null]);
  assert.equal(Object.keys(first).length, 17);
  assert.deepEqual([first.free, first.us, first.cs, second.id], [21426780, 52, 1285, 48]);
  const found = reader.read(VMSTAT.split('\n')[3]);
  const group = (name) => found.groups[found.names.indexOf(name)];
  assert.deepEqual(['r', 'free', 'so', 'bo', 'cs', 'us', 'st'].map(group), [
    'procs',
    'memory',
    'swap',
    'io',
    'system',
    'cpu',
    'cpu',
  ]);
  assert.equal(found.units[found.names.indexOf('us')], '', 'user time is no microsecond');
});

test('vmstat goes on behind its repeated header and other lines', () => {
  const [, , , , again, , , last] = read(`${VMSTAT}\nsome words between\n${VMSTAT.split('\n').slice(0, 3).join('\n')}`);
  assert.equal(again, null);
  assert.equal(last.r, 3);
});

test('vmstat -t has times behind its columns', () => {
  const [row] = numbersOf(`procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu----- -----timestamp-----
 r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st                 UTC
 4  0      0 21357848   9620 2937128    0    0  1123  5663  708 1284 52  15  33  0  0 2026-11-30 13:54:36`);
  assert.deepEqual([row.free, row.st, Object.keys(row).length], [21357848, 0, 17]);
});

test('ping', () => {
  const rows = read(`PING 1.1.1.1 (1.1.1.1) 56(84) bytes of data.
64 bytes from 1.1.1.1: icmp_seq=1 ttl=57 time=12.4 ms
64 bytes from lb-1-2-3-4-fra.example.com (1.2.3.4): icmp_seq=2 ttl=57 time=13.1 ms
64 bytes from 1.1.1.1: icmp_seq=3 ttl=57 time=980 us
64 bytes from 1.1.1.1: icmp_seq=4 ttl=57 time=1.2 s
no answer yet for icmp_seq=5

--- 1.1.1.1 ping statistics ---
4 packets transmitted, 4 received, 0% packet loss, time 3004ms
rtt min/avg/max/mdev = 11.871/12.075/13.100/0.412 ms`);
  assert.deepEqual(rows.slice(0, 3), [null, { icmp_seq: 1, ttl: 57, time: 12.4 }, { icmp_seq: 2, ttl: 57, time: 13.1 }]);
  assert.deepEqual([rows[3].time, rows[4].time], [0.98, 1200]);
  assert.deepEqual(rows.slice(6), [null, null, null, null]);
  assert.equal(one('Reply from 1.1.1.1: bytes=32 time=12ms TTL=57').values[1], 12);
});

test('iostat -x prints two tables in turn', () => {
  const rows = numbersOf(`Linux 6.1.0-18-amd64 (web1) 	11/30/2026 	_x86_64_	(2 CPU)

avg-cpu:  %user   %nice %system %iowait  %steal   %idle
          12.50    0.00    3.20    0.10    0.00   84.20

Device            r/s     rkB/s   rrqm/s  %rrqm r_await rareq-sz     w/s     wkB/s   aqu-sz  %util
sda              1.20     45.10     0.30  20.00    0.61    37.58    3.10     51.20     0.00   0.31
nvme0n1          0.00      0.00     0.00   0.00    0.00     0.00    9.00     88.00     0.01   0.80

avg-cpu:  %user   %nice %system %iowait  %steal   %idle
          10.10    0.00    2.20    0.30    0.00   87.40`);
  assert.deepEqual(
    rows.map((row) => Object.keys(row)[0]),
    ['%user', 'sda r/s', 'nvme0n1 r/s', '%user'],
  );
  assert.deepEqual([rows[0]['%idle'], rows[1]['sda wkB/s'], rows[2]['nvme0n1 %util'], rows[3]['%user']], [84.2, 51.2, 0.8, 10.1]);
});

test('sar and mpstat, with both clocks', () => {
  const rows = numbersOf(`01:46:01 PM     CPU     %user     %nice   %system   %iowait    %steal     %idle
01:46:02 PM     all     12.50      0.00      3.20      0.10      0.00     84.20
01:46:02 PM       0     11.50      0.00      3.20      0.10      0.00     85.20

13:46:01        IFACE   rxpck/s   txpck/s
13:46:02         eth0     12.00     10.00
Average:         eth0     12.00     10.00`);
  assert.deepEqual(
    rows.map((row) => Object.entries(row)[0]),
    [
      ['all %user', 12.5],
      ['CPU 0 %user', 11.5],
      ['eth0 rxpck/s', 12],
    ],
  );
});

test('free, df, dstat, psql, nvidia-smi', () => {
  assert.equal(
    numbersOf(`               total        used        free      shared  buff/cache   available
Mem:            23Gi       684Mi        20Gi       8.7Mi       2.8Gi        22Gi
Swap:             0B          0B          0B`)[0]['Mem used'],
    684 * 2 ** 20,
  );
  assert.deepEqual(
    numbersOf(`Filesystem     1K-blocks     Used Available Use% Mounted on
/dev/vda       264212000 22906500  72379400  25% /`)[0]['/dev/vda Use%'],
    25,
  );
  const dstat = numbersOf(`----total-usage---- -dsk/total- -net/total- ---system--
usr sys idl wai stl| read  writ| recv  send| int   csw
  1   1  98   0   0|  12k   34k|   0     0 | 345   678`);
  assert.deepEqual([dstat[0].idl, dstat[0].writ, dstat[0].csw], [98, 34000, 678]);
  assert.deepEqual(numbersOf(' name | price \n------+-------\n AAPL | 189.2\n MSFT | 410.1'), [
    { 'AAPL price': 189.2 },
    { 'MSFT price': 410.1 },
  ]);
  assert.equal(
    numbersOf('# gpu   pwr gtemp    sm\n# Idx     W     C     %\n    0    43    35     -\n    1    45    36     2')[1][
      'gpu 1 sm'
    ],
    2,
  );
});

test('top: its summary, not its processes', () => {
  const rows = numbersOf(`top - 13:54:37 up 33 min,  0 user,  load average: 0.44, 1.09, 2.45
Tasks:  84 total,   1 running,  83 sleeping,   0 stopped,   0 zombie
%Cpu(s):  7.0 us,  3.0 sy,  0.0 ni, 90.0 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st
%Cpu(s):100.0 us,  0.0 sy,  0.0 ni,  0.0 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st
MiB Mem :  24105.6 total,  20859.7 free,    684.4 used,   2879.2 buff/cache

  PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND
18282 root      30  10  449376 163172  84136 S 106.7   0.7   0:01.75 rustc
14994 root      20   0  148912  14812  10128 S   6.7   0.1   0:33.88 sse_bridg+`);
  assert.equal(rows.length, 5);
  assert.deepEqual([rows[0]['load average'], rows[0]['load average 3']], [0.44, 2.45]);
  assert.deepEqual(
    [rows[1]['Tasks running'], rows[2]['%Cpu(s) us'], rows[3]['%Cpu(s) us'], rows[4]['MiB Mem used']],
    [1, 7, 100, 684.4],
  );
});

test('CSV with a header: times are no series, text columns label', () => {
  const rows = read(`time,symbol,price,volume
2026-11-30T13:46:01Z,AAPL,189.20,100
2026-11-30T13:46:02Z,MSFT,410.05,"1,200"
# a line between
2026-11-30T13:46:03Z,AAPL,n/a,80`);
  assert.deepEqual(rows, [
    null,
    { 'AAPL price': 189.2, 'AAPL volume': 100 },
    { 'MSFT price': 410.05, 'MSFT volume': 1200 },
    null,
    { 'AAPL volume': 80 },
  ]);
  assert.deepEqual(numbersOf('\ufeff"t","temp ""out"""\n1,20.5\n2,21'), [{ 'temp "out"': 20.5 }, { 'temp "out"': 21 }]);
});

test('CSV without a header, with semicolons and tabs', () => {
  assert.deepEqual(numbersOf('12:00:01,AAPL,189.2,100'), [{ 'AAPL col 3': 189.2, 'AAPL col 4': 100 }]);
  assert.deepEqual(numbersOf('1764510000,3.5,4'), [{ 'col 2': 3.5, 'col 3': 4 }]);
  assert.deepEqual(numbersOf('Datum;Wert;Preis\n30.11.2026;1,5;1.234,50'), [{ Wert: 1.5, Preis: 1234.5 }]);
  assert.deepEqual(numbersOf('host\tcpu\tmem\nweb1\t12.5\t34%'), [{ 'web1 cpu': 12.5, 'web1 mem': 34 }]);
});

test('logfmt with units', () => {
  const found = one(
    'ts=2026-11-30T13:46:01.123Z level=info msg="done in 5ms, really" host=web1 dur=1.5ms slow=2m3.5s ' +
      'bytes=12KiB share=45% total=1,234 at=1764510000123',
  );
  const pairs = found.names.map((name, at) => `${name} ${Number(found.values[at].toPrecision(9))} ${found.units[at]}`.trim());
  assert.deepEqual(pairs, ['web1 dur 1.5 ms', 'web1 slow 123500 ms', 'web1 bytes 12288 B', 'web1 share 45 %', 'web1 total 1234']);
  assert.deepEqual(numbersOf('frame=  123 fps= 25 q=28.0 size=    1024kB time=00:00:05.00 speed=1.02x'), [
    { frame: 123, fps: 25, q: 28, size: 1024000, speed: 1.02 },
  ]);
  assert.deepEqual(numbersOf('cpu,host=a usage=0.5,idle=3i 1434055562000000000'), [{ 'a usage': 0.5, 'a idle': 3 }]);
  assert.deepEqual(numbersOf('Core 0:        +45.0°C  (high = +80.0°C, crit = +100.0°C)'), [
    { high: 80, crit: 100, 'Core 0': 45 },
  ]);
});

test('what has a sign of equality and is no pair', () => {
  for (const line of ['GET /a?x=1&y=2 HTTP/1.1', 'a==5', 'b != 4', 'x>=3', 'k=0x1f id=00123 v=1.2.3 addr=10.0.0.1'])
    assert.equal(one(line), null, line);
});

test('JSON: nested, labelled, behind a prefix, with numbers in quotes', () => {
  assert.deepEqual(
    numbersOf(
      '{"ts":1764510000.123,"host":"web1","cpu":{"user":12.5,"system":3},"load":[0.1,0.2],"id":12345678901234567890,' +
        '"up":true,"x":null}',
    ),
    [{ 'web1 cpu.user': 12.5, 'web1 cpu.system': 3, 'web1 load.1': 0.1, 'web1 load.2': 0.2 }],
  );
  assert.deepEqual(
    numbersOf('2026-11-30T13:46:01Z stdout F {"level":"info","symbol":"AAPL","price":1.5e2,"latency_seconds":0.25}'),
    [{ 'AAPL price': 150, 'AAPL latency_seconds': 250 }],
  );
  assert.deepEqual(numbersOf('{"p":"91234.50","q":"0.00120"}'), [{ p: 91234.5, q: 0.0012 }]);
  assert.deepEqual(numbersOf('[1, 2.5, -3e-1]'), [{ 1: 1, 2: 2.5, 3: -0.3 }]);
  assert.equal(one("{'python': 1}"), null);
});

test('JSON that was cut gives what stood before the cut', () => {
  const line = `{"a":1,"text":"${'x'.repeat(READ)}","b":2}`;
  assert.deepEqual(numbersOf(line), [{ a: 1 }]);
  assert.deepEqual(numbersOf('{"a":1,"b":12'), [{ a: 1 }], 'a number at the cut may be the half of one');
});

test('single numbers, and rows of them', () => {
  assert.deepEqual(
    numbersOf('1\n2.5\n1,234\n1e5\n-3\n.5\n12%'),
    [1, 2.5, 1234, 100000, -3, 0.5, 12].map((value) => ({ value })),
  );
  assert.deepEqual(numbersOf('2026-11-30 13:46:01 42.5\nNov 30 13:46:01 7'), [{ value: 42.5 }, { value: 7 }]);
  assert.deepEqual(numbersOf('0.20 0.18 0.12 1/80 11206'), [{ 'col 1': 0.2, 'col 2': 0.18, 'col 3': 0.12, 'col 5': 11206 }]);
  assert.deepEqual(numbersOf('servers.web1.cpu 12.5 1764510000\n  12 ./src'), [{ 'servers.web1.cpu': 12.5 }, { './src': 12 }]);
  assert.deepEqual(numbersOf('10%\r\n20%\n'.replace('\r', '')), [{ value: 10 }, { value: 20 }]);
  assert.deepEqual(numbersOf('x=1'.concat('\n')), [{ x: 1 }]);
  assert.equal(one('10%\n20%\n30%').values[0], 30, 'of a line that was overwritten the last state counts');
});

test('sentences', () => {
  assert.deepEqual(numbersOf('request took 12 ms'), [{ 'request took': 12 }]);
  assert.deepEqual(numbersOf('completed in 3.2s'), [{ 'completed in': 3200 }]);
  assert.deepEqual(numbersOf('Temp: 45.2 C, Fan: 1200 rpm'), [{ Temp: 45.2, Fan: 1200 }]);
  for (const line of [
    'listening on 8080',
    'kernel: 123 foo',
    '[INFO] worker 5 finished 12 jobs',
    'INFO: 5',
    '[123.456] usb 1-1: new device',
    '127.0.0.1 - - [30/Nov/2026:13:00:00 +0000] "GET / HTTP/1.1" 200 612 "-" "curl/8.0"',
  ])
    assert.equal(one(line), null, line);
});

test('what looks like a number and is none', () => {
  for (const word of [
    '0x1f',
    '10.0.0.1',
    '550e8400-e29b-41d4-a716-446655440000',
    '13:46:01',
    '2026-11-30',
    '1.2.3',
    'v1.2',
    '1234e56',
    '007',
    '12345678901234567890',
    '2nd',
    '3.14.15',
    '1,23,45',
    '12:30',
    'deadbeef',
    '::1',
    '1-2',
    '5-',
    '',
    '-',
    '.',
    'e5',
    '%',
    '1..2',
  ])
    assert.equal(quantity(word), null, word);
  assert.ok(
    isTime('2026-11-30T13:46:01.123+01:00') && isTime('[30/11/2026') && isTime('13:46') && isTime('0:01.75') && !isTime('13.46'),
  );
  assert.ok(isEpoch(1764510000) && isEpoch(1764510000123) && !isEpoch(123456));
  assert.ok(
    ['ts', 'time', '@timestamp', 'created_at', 'datetime'].every(namesTime) && !namesTime('uptime') && !namesTime('latency'),
  );
});

test('quantities and their units', () => {
  const all = {
    '1.5ms': [1.5, 'ms'],
    '950us': [0.95, 'ms'],
    '2µs': [0.002, 'ms'],
    '3s': [3000, 'ms'],
    '1h2m3s': [3723000, 'ms'],
    '1MiB': [2 ** 20, 'B'],
    '1MB': [1e6, 'B'],
    '3.4MB/s': [3.4e6, 'B/s'],
    '10Mbps': [1e7, 'bit/s'],
    '2.4GHz': [2.4e9, 'Hz'],
    '$12.50': [12.5, ''],
    '(5)': [5, ''],
    '5,': [5, ''],
    '−4': [-4, ''],
    '0,25': [0.25, ''],
    '05%': [5, '%'],
  };
  for (const [word, [value, unit]] of Object.entries(all)) {
    const found = quantity(word);
    assert.deepEqual([Number(found.value.toPrecision(9)), found.unit], [value, unit], word);
  }
  assert.deepEqual(unitOfName('latency_ms'), [1, 'ms']);
  assert.deepEqual(unitOfName('latencySeconds'), [1000, 'ms']);
  assert.deepEqual(
    [unitOfName('rss_bytes')[1], unitOfName('%iowait')[1], unitOfName('Use%')[1], unitOfName('us')[1], unitOfName('items')[1]],
    ['B', '%', '%', '', ''],
  );
});

test('texts that are never the same twice are no labels', () => {
  const reader = new Reader();
  const results = Array.from({ length: 40 }, (_, at) => reader.read(`{"word":"w${at}","n":${at}}`));
  assert.equal(results[0].names[0], 'w0 n');
  assert.equal(results.filter((found) => found.fresh).length, 1, 'the channel begins anew once');
  assert.equal(results.at(-1).names[0], 'n');
  const trades = ['BTC', 'ETH', 'BTC'].map((pair, at) => reader.read(`{"e":"trade","s":"${pair}","p":${at}}`));
  assert.deepEqual(
    trades.map((found) => found.label),
    ['trade', 'ETH', 'BTC'],
  );
});

test('names that are out to harm', () => {
  const { names } = one('{"__proto__":{"x":1},"constructor":2,"hasOwnProperty":3,"toString":4}');
  assert.deepEqual(names, ['__proto__.x', 'constructor', 'hasOwnProperty', 'toString']);
  assert.equal({}.x, undefined);
  assert.equal(one('{"a\u202eb\\u0007c":1}').names[0], 'a\ufffdb\ufffdc');
  assert.equal(one('{"<img src=x onerror=alert(1)>":1}').names[0], '<img src=x onerror=alert(1)>', 'text stays text');
  assert.equal([...clean('é'.repeat(500))].length, 40);
  assert.notEqual(clean(`${'x'.repeat(50)}1`), clean(`${'x'.repeat(50)}2`));
  assert.ok(one(`{"${'k'.repeat(3000)}":1}`).names[0].length <= 40);
});

test('the work for a line is bounded', () => {
  assert.equal(one(Array.from({ length: 500 }, (_, at) => `k${at}=1`).join(' ')).values.length, 64);
  assert.equal(one(`${' '.repeat(READ)}a=1`), null);
  const harm = [
    '=',
    'a="',
    '{"a":',
    '[',
    '[[1,',
    '1,',
    '-',
    '--a ',
    'a: 1, ',
    '1e5 ',
    '"1",',
    '{"',
    '12:00:00 ',
    '\\"',
    '1\n',
    '| 1 ',
    '5 ms ',
    'Ab Ab 12 ',
  ];
  for (const unit of harm) {
    const line = unit.repeat(200_000 / unit.length);
    const quickest = Math.min(
      ...[1, 2, 3].map(() => {
        const begin = performance.now();
        const reader = new Reader();
        reader.read('some words');
        reader.read(line);
        return performance.now() - begin;
      }),
    );
    assert.ok(quickest < 1_000, `${unit} took ${quickest} ms`);
  }
});

test('any text is read without an error', () => {
  let seed = 11;
  const random = (below) => (seed = (seed * 16807) % 2147483647) % below;
  const parts = [
    'a',
    '1',
    '0',
    '.',
    ',',
    ';',
    '=',
    ':',
    '"',
    '{',
    '}',
    '[',
    ']',
    ' ',
    '\t',
    '-',
    '%',
    'ms',
    '|',
    '\\',
    'e',
    '\n',
    '/',
    '(',
    '\ud800',
    '\u202e',
  ];
  const reader = new Reader();
  for (let turn = 0; turn < 20_000; turn += 1) {
    const line = Array.from({ length: random(30) }, () => parts[random(parts.length)]).join('');
    const found = reader.read(line);
    if (found === null) continue;
    assert.ok(found.values.every(Number.isFinite) && found.names.length === found.values.length, JSON.stringify(line));
    assert.ok(
      found.names.every((name) => !/[\p{Cc}\p{Cf}\p{Cs}]/u.test(name)),
      JSON.stringify(line),
    );
  }
});
