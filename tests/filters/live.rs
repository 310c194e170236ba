//! Clients that come and go while lines come, and a history that drops.

use std::thread;

use crate::directory::Directory;
use crate::harness::parser::Message;
use crate::harness::{Bridge, Random, scale, seed};
use crate::model::{FILTERS, Filter, lines, names, passing, whole};
use crate::pipes::wait_for_lines;

/// One client through all its connections.
struct Guest {
    port: u16,
    path: String,
    id: String,
    got: Vec<Message>,
    /// What it was told it cannot get: between these numbers.
    gaps: Vec<(u64, u64)>,
    random: Random,
    /// How many events it stays for at most.
    stay: usize,
}

fn number(id: &str) -> u64 {
    id.split('-').nth(1).and_then(|rest| rest.split('/').next()?.parse().ok()).unwrap_or(0)
}

impl Guest {
    fn new(port: u16, path: String, seed: u64) -> Self {
        Self { port, path, id: String::new(), got: Vec::new(), gaps: Vec::new(), random: Random::new(seed), stay: 30 }
    }

    /// Comes, stays for a few events, and goes; true if it has seen the end.
    fn visit(&mut self) -> bool {
        let mut get = crate::harness::Get::new(self.port, &self.path, &[("Last-Event-ID", &self.id)]);
        if get.status() == 204 {
            return true;
        }
        let stay = self.random.below(self.stay);
        for _ in 0..stay {
            let Some(message) = get.next_event() else { return false };
            self.take(message);
            if self.got.last().is_some_and(|last| last.event == "end") {
                return true;
            }
        }
        get.assert_strict();
        false
    }

    fn take(&mut self, message: Message) {
        assert!(number(&message.id) >= number(&self.id), "{}: {} behind {}", self.path, message.id, self.id);
        let is_own = !message.id.contains('/');
        if is_own && message.event == "gap" {
            let gap: serde_json::Value = serde_json::from_str(&message.data).unwrap();
            assert_eq!(gap["lost"], serde_json::Value::Null, "nobody knows how many would have passed: {gap}");
            self.gaps.push((number(&self.id), number(&message.id)));
        }
        self.id = message.id.clone();
        if !is_own {
            self.got.push(message);
        }
    }
}

#[test]
fn clients_that_come_and_go_get_what_passes_once() {
    let seed = seed();
    let mut random = Random::new(seed);
    for round in 0..scale(2, 30) {
        // Every other time what is in memory is soon not enough, and clients go from the disk to the live edge.
        let place = Directory::new();
        let is_on_disk = round % 2 == 1;
        let mut bridge = if is_on_disk { place.start(&["--history", "256KiB"]) } else { Bridge::start(&["--heartbeat", "1s"]) };
        let guests: Vec<_> = (0..12)
            .map(|number| {
                let (which, reach) = (&FILTERS[number % 8], number % 4);
                let path = format!("/events?tail=all&{}&context={reach}", which.query);
                let mut guest = Guest::new(bridge.port, path, seed + round * 100 + number as u64);
                guest.stay = if is_on_disk { 2000 } else { 30 };
                thread::spawn(move || {
                    while !guest.visit() {}
                    (guest, which.matches, reach)
                })
            })
            .collect();
        for _ in 0..scale(40, 200) {
            let some = random.below(if is_on_disk { 600 } else { 40 });
            bridge.feed(lines(&mut random, some).as_bytes());
            if random.below(3) == 0 {
                thread::yield_now();
            }
        }
        bridge.end_input();
        bridge.wait_for_stderr("ended after");
        let stream = whole(&bridge);
        for guest in guests {
            let (guest, matches, reach) = guest.join().unwrap();
            let expected = names(&passing(&stream, matches, reach));
            let got = names(&guest.got);
            let differs =
                got.iter().zip(&expected).position(|(got, expected)| got != expected).unwrap_or(got.len().min(expected.len()));
            assert!(
                got == expected,
                "{}: got {} of {}; at {differs} {:?} for {:?}",
                guest.path,
                got.len(),
                expected.len(),
                got.get(differs),
                expected.get(differs)
            );
            assert!(guest.gaps.is_empty());
        }
    }
}

#[test]
fn what_the_history_drops_is_told_and_what_was_left_out_is_not() {
    let seed = seed();
    let mut random = Random::new(seed);
    for (options, round) in [(&["--history", "256KiB"][..], 0), (&["--history", "256KiB"], 1)].iter().cycle().take(scale(2, 30)) {
        let mut bridge = Bridge::start(options);
        let guests: Vec<_> = (0..6)
            .map(|index| {
                let Filter { query, matches } = &FILTERS[index % 5];
                let reach = [0, 0, 2][index % 3];
                let mut guest =
                    Guest::new(bridge.port, format!("/events?tail=all&{query}&context={reach}"), seed + round * 100 + index as u64);
                thread::spawn(move || {
                    loop {
                        if guest.visit() {
                            return (guest, *matches, reach);
                        }
                        if guest.random.below(4) == 0 {
                            thread::sleep(std::time::Duration::from_millis(guest.random.below(30) as u64)); // long enough that history moves on
                        }
                    }
                })
            })
            .collect();
        let mut text = Vec::new();
        for _ in 0..scale(60, 300) {
            let some = lines(&mut random, 300);
            bridge.feed(some.as_bytes());
            // A CR before the end of a line belongs to it; others are line breaks.
            let data = |line: &str| {
                let line = &line[..line.len() - 1];
                line.strip_suffix('\r').unwrap_or(line).replace("\r\n", "\n").replace('\r', "\n")
            };
            text.extend(some.split_inclusive('\n').map(data));
        }
        wait_for_lines(&bridge, text.len() as u64);
        bridge.end_input();
        for guest in guests {
            let (guest, matches, reach) = guest.join().unwrap();
            let mut before = 0;
            for message in guest.got.iter().filter(|message| message.event != "end") {
                let number = number(&message.id);
                assert!(number > before, "{} is repeated", message.id);
                before = number;
                assert!(reach > 0 || matches(&message.data), "{}: {message:?}", guest.path);
                assert_eq!(message.data, text[usize::try_from(number).unwrap() - 1]);
            }
            let has: std::collections::BTreeSet<_> = guest.got.iter().map(|message| number(&message.id)).collect();
            // A client that had no id yet came back as a new one.
            let began = has.iter().next().copied().unwrap_or(u64::MAX);
            for (line, number) in text.iter().zip(1..).filter(|(line, _)| matches(line)) {
                let is_told = guest.gaps.iter().any(|(from, to)| number > *from && number <= *to);
                assert!(
                    has.contains(&number) || is_told || number < began,
                    "{}: {line:?}, number {number}, is missing; gaps {:?}",
                    guest.path,
                    guest.gaps
                );
            }
        }
    }
}
