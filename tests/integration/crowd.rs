//! Delivery to a crowd: many clients with all kinds of views, forms and manners read three sources at once through a history that is far too small.
//! Whoever comes late, stalls, leaves or reads a byte at a time gets each event once, in order, or is told exactly how many are missing.

#[path = "crowd/judge.rs"]
mod judge;
#[path = "crowd/reader.rs"]
mod reader;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::harness::{Bridge, PATIENCE, Random, in_background, scale, seed};
use crate::shell::shell;
use crate::wire::wait_for_metric;
use judge::Truth;
use reader::{Manner, Pace, Record};

/// The names of the sources.
const CHANNELS: [&str; 3] = ["a", "b", "c"];

/// What the daemon holds: a small part of what flows.
const HISTORY: &str = "1MiB";

/// The line `number` of a source, from 1: whoever sees it knows whether it is whole.
fn line(channel: usize, number: u64) -> String {
    let mut random = Random::new(number * 8 + channel as u64);
    // Most lines are short; a few are larger than what is sent at once.
    let length = if random.below(500) == 0 { 90_000 } else { random.below(600) };
    let letter = b'a' + u8::try_from(random.below(26)).unwrap();
    format!("{} {number} {}", CHANNELS[channel], char::from(letter).to_string().repeat(length))
}

/// Writes bursts of lines; gives how many lines it wrote, and the open end: the sources are to end together.
fn write(channel: usize, mut to: impl Write + Send + 'static, bytes: usize, seed: u64) -> Receiver<(u64, impl Send)> {
    in_background(move || {
        let mut random = Random::new(seed);
        let (mut number, mut written) = (0, 0);
        while written < bytes {
            let mut burst = String::new();
            for _ in 0..=random.below(400) {
                number += 1;
                burst.push_str(&line(channel, number));
                burst.push('\n');
            }
            to.write_all(burst.as_bytes()).unwrap();
            written += burst.len();
            thread::sleep(Duration::from_millis(random.below(70) as u64)); // a burst is followed by a pause
        }
        (number, to)
    })
}

/// Starts a daemon with standard input as one source and two pipes, each of which ends when its writer closes it.
fn start(place: &Path, clients: usize) -> (Bridge, [PathBuf; 2]) {
    let pipes = ["b", "c"].map(|name| place.join(name));
    pipes.iter().for_each(|pipe| mkfifo(pipe, Mode::S_IRWXU).unwrap());
    let script = format!(
        "exec sse-bridge --port 0 --history {HISTORY} --max-clients {} --write-timeout 1h a=- b=<(cat '{}') c=<(cat '{}')",
        clients * 2, // one that comes back may be faster than the daemon, which has yet to see it leave
        pipes[0].display(),
        pipes[1].display()
    );
    (Bridge::spawn(shell(&script)), pipes)
}

/// Any kind of client.
fn manner(random: &mut Random) -> Manner {
    let views: [(&str, &[usize]); 6] = [
        ("/events?", &[0, 1, 2]),
        ("/events/a?", &[0]),
        ("/events/b?", &[1]),
        ("/events/c?", &[2]),
        ("/events?channel=a&channel=c&", &[0, 2]),
        ("/events?channel=b&", &[1]),
    ];
    let (path, channels) = views[random.below(views.len())];
    Manner {
        path,
        channels,
        is_text: random.below(4) == 0,
        is_old: random.below(4) == 0,
        tail: [Some(0), Some(5), None][random.below(3)],
        is_narrow: random.below(3) == 0,
        leaves: random.below(3) == 0,
        pace: [Pace::AtOnce, Pace::Stalling, Pace::Slow][random.below(3)],
        delay: Duration::from_millis([0, 0, random.below(1500) as u64][random.below(3)]),
    }
}

/// One that sleeps through all of it.
const SLEEPER: Manner = Manner {
    path: "/events?",
    channels: &[0, 1, 2],
    is_text: false,
    is_old: false,
    tail: None,
    is_narrow: true,
    leaves: false,
    pace: Pace::Asleep,
    delay: Duration::ZERO,
};

#[test]
fn everybody_gets_everything_once_in_order_or_is_told_how_much_is_missing() {
    let seed = seed();
    let mut random = Random::new(seed);
    let count = scale(30, 200);
    let place = tempfile::tempdir().unwrap();
    let (mut bridge, pipes) = start(place.path(), count);
    let mut manners = vec![SLEEPER, Manner { path: "/events/b?", channels: &[1], ..SLEEPER }, Manner { is_old: true, ..SLEEPER }];
    manners.resize_with(count, || manner(&mut random));
    let mut alarms = Vec::new();
    let clients: Vec<_> = manners
        .into_iter()
        .enumerate()
        .map(|(number, manner)| {
            let (alarm, awake) = channel();
            alarms.push(alarm);
            let (port, seed) = (bridge.port, seed ^ (number as u64 + 1) << 20);
            let what = format!("client {number}, {manner:?}");
            (what, in_background(move || reader::read(port, manner, seed, &awake)))
        })
        .collect();

    let bytes = scale(3 << 20, 10 << 20);
    let stdin = bridge.take_stdin();
    let [b, c] = pipes.map(|pipe| File::options().write(true).open(pipe).unwrap());
    let writers = (write(0, stdin, bytes, seed ^ 1), write(1, b, bytes, seed ^ 2), write(2, c, bytes, seed ^ 3));
    let patience = PATIENCE * scale(2, 10);
    let (a, b, c) = (writers.0.recv_timeout(patience), writers.1.recv_timeout(patience), writers.2.recv_timeout(patience));
    let why = "no client slows a writer";
    let ((lines_a, a), (lines_b, b), (lines_c, c)) = (a.expect(why), b.expect(why), c.expect(why));
    let totals = [lines_a, lines_b, lines_c];
    wait_for_metric(&bridge, "input_lines_total", totals.iter().sum());
    drop((a, b, c));
    drop(alarms); // whoever sleeps wakes
    judge(&collect(clients, patience), totals);
    wait_for_metric(&bridge, "clients", 0);
    assert_eq!(crate::wire::metric(&bridge, "stalled_connections_total"), 0);
}

/// What all clients have seen, once they have read to the end.
fn collect(clients: Vec<(String, Receiver<Record>)>, patience: Duration) -> Vec<(String, Record)> {
    let deadline = Instant::now() + patience;
    let finish = |(what, client): (String, Receiver<Record>)| {
        let record = client.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        (what.clone(), record.unwrap_or_else(|error| panic!("{what} has not come to its end: {error}")))
    };
    clients.into_iter().map(finish).collect()
}

fn judge(records: &[(String, Record)], totals: [u64; 3]) {
    let mut truth = Truth::new(totals);
    for (what, record) in records {
        truth.learn(what, record);
    }
    let (mut gaps, mut unknown, mut cuts, mut needless) = (0, 0, 0, 0);
    for (what, record) in records {
        truth.judge(what, record);
        gaps += record.gaps().count();
        unknown += record.gaps().filter(|lost| lost.is_none()).count();
        cuts += record.cuts().0;
        needless += record.cuts().1;
    }
    let lines = totals.iter().sum::<u64>();
    println!(
        "{lines} lines; {gaps} gaps, {unknown} of them without a count; {cuts} streams cut, {needless} of them without a loss"
    );
    assert!(gaps > 2, "those who slept through it all have missed something");
}
