//! Who has seen what is judged by what all have seen together: an event has the same number for everybody.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::reader::{Record, Seen};
use super::{CHANNELS, line};

/// What is known of all events.
pub struct Truth {
    /// How many lines each source had. Its end is one event more.
    totals: [u64; 3],
    /// For each channel, by the daemon's number: which line it is.
    events: [BTreeMap<u64, u64>; 3],
    /// The same the other way round.
    numbers: [BTreeMap<u64, u64>; 3],
}

/// What one connection gave a client of one channel.
#[derive(Debug)]
struct Count {
    channel: usize,
    /// How many events lie before its beginning: from the least that it can be to the most.
    before: RangeInclusive<u64>,
    /// The last that it saw.
    last: u64,
    seen: u64,
}

/// What one connection gave a client.
#[derive(Debug)]
struct Part {
    counts: Vec<Count>,
    /// How many it was told to have lost.
    lost: Option<u64>,
}

impl Truth {
    pub fn new(totals: [u64; 3]) -> Self {
        Self { totals, events: Default::default(), numbers: Default::default() }
    }

    /// Learns from a client, which may not contradict any other.
    pub fn learn(&mut self, what: &str, record: &Record) {
        for seen in &record.seen {
            if !matches!(seen, Seen::Line { number: Some(_), .. } | Seen::End { .. }) {
                continue;
            }
            let (number, channel, which) = self.event(what, seen);
            let known = self.events[channel].insert(number, which).unwrap_or(which);
            let at = self.numbers[channel].insert(which, number).unwrap_or(number);
            assert_eq!((known, at), (which, number), "{what}: others know the event {number} of {} as another", CHANNELS[channel]);
        }
    }

    pub fn judge(&self, what: &str, record: &Record) {
        if record.manner.is_text { self.judge_text(what, record) } else { self.judge_events(what, record) }
    }

    fn judge_events(&self, what: &str, record: &Record) {
        assert!(record.is_whole, "{what} has not come to its end");
        let mut last = beginning(what, record);
        let mut part = self.part(record, last);
        for (at, seen) in record.seen.iter().enumerate() {
            let around = &record.seen[at.saturating_sub(4)..record.seen.len().min(at + 3)];
            let context = || format!("{what}\nat {at} of {}: {:#?}\n{part:?}", record.seen.len(), shortened(around));
            match seen {
                Seen::Start { number } => last = *number,
                Seen::Gap { from, to, lost } => {
                    assert!(*from == last && *to >= last, "{}\nthis gap is not behind {last}", context());
                    assert_ne!(*lost, Some(0), "{}\na gap of nothing", context());
                    last = *to;
                    part.lost = part.lost.zip(*lost).map(|(sum, lost)| sum + lost);
                }
                Seen::Line { .. } | Seen::End { .. } => {
                    let (number, channel, which) = self.event(what, seen);
                    assert!(number > last, "{}\n{number} comes behind {last}", context());
                    last = number;
                    let last_of_channel = part.count(what, channel).last;
                    assert!(which > last_of_channel, "{what}\nline {which} behind {last_of_channel}: {part:?}");
                    part.count(what, channel).see(which);
                    part.assert_told(what);
                }
                Seen::Cut | Seen::Left => {
                    self.close(what, &part, Some(last));
                    part = self.part(record, last);
                }
            }
        }
        self.close(what, &part, None);
    }

    /// An event with a number.
    fn event(&self, what: &str, seen: &Seen) -> (u64, usize, u64) {
        match seen {
            Seen::Line { number, channel, text } => (number.unwrap(), *channel, which(what, *channel, text)),
            Seen::End { number, channel } => (*number, *channel, self.totals[*channel] + 1),
            other => panic!("{what}: {other:?} is no event"),
        }
    }

    /// What a client has had that begins behind the event `start`.
    fn part(&self, record: &Record, start: u64) -> Part {
        let count = |channel: &usize| {
            let before = self.before(*channel, start);
            Count { channel: *channel, last: *before.start(), before, seen: 0 }
        };
        Part { counts: record.manner.channels.iter().map(count).collect(), lost: Some(0) }
    }

    /// Whether all that is missing of what one connection should have given was told. The connection ended behind the event `end`, or when all had
    /// been sent.
    fn close(&self, what: &str, part: &Part, end: Option<u64>) {
        let through = |count: &Count| {
            end.map_or(self.totals[count.channel] + 1..=self.totals[count.channel] + 1, |end| self.before(count.channel, end))
        };
        let least: u64 =
            part.counts.iter().map(|count| through(count).start().saturating_sub(count.before.end() + count.seen)).sum();
        let most: u64 =
            part.counts.iter().map(|count| through(count).end().saturating_sub(count.before.start() + count.seen)).sum();
        let Some(lost) = part.lost else { return };
        assert!(least <= lost, "{what}\nat least {least} events are missing and {lost} were told: {part:?}");
        // With several channels a gap also tells of losses between events that are still to come. Who leaves before them is told once more.
        let is_exact = end.is_none() || part.counts.len() == 1;
        assert!(!is_exact || lost <= most, "{what}\nat most {most} events are missing and {lost} were told: {part:?}");
    }

    /// How many events of a channel have numbers up to this one: from the least that it can be to the most.
    fn before(&self, channel: usize, number: u64) -> RangeInclusive<u64> {
        if number == 0 {
            return 0..=0;
        }
        let least = self.events[channel].range(..=number).next_back().map_or(0, |(_, which)| *which);
        let most = self.events[channel].range(number + 1..).next().map_or(self.totals[channel] + 1, |(_, which)| *which - 1);
        least..=most
    }

    /// Lines alone: in order, and without a hole until the stream ends.
    fn judge_text(&self, what: &str, record: &Record) {
        let mut lasts = BTreeMap::new();
        let mut firsts = BTreeMap::new();
        let (mut newest, mut opening) = (0, Some(0));
        for (at, seen) in record.seen.iter().enumerate() {
            match seen {
                Seen::Gap { lost, .. } if at == 0 => opening = *lost,
                Seen::Line { channel, text, .. } => {
                    let which = which(what, *channel, text);
                    assert!(record.manner.channels.contains(channel), "{what}: {} is not of its view", CHANNELS[*channel]);
                    let before = lasts.insert(*channel, which);
                    assert!(
                        before.is_none_or(|before| which == before + 1),
                        "{what}: line {which} of {} behind {before:?}",
                        CHANNELS[*channel]
                    );
                    firsts.entry(*channel).or_insert(which);
                    if let Some(number) = self.numbers[*channel].get(&which) {
                        assert!(*number > newest, "{what}: event {number} behind {newest}");
                        newest = *number;
                    }
                }
                other => panic!("{what}: {other:?} among lines"),
            }
        }
        if !record.is_whole {
            return;
        }
        for channel in record.manner.channels {
            let last = lasts.get(channel).copied();
            assert!(last.is_none_or(|last| last == self.totals[*channel]), "{what}: a clean end behind {last:?}");
        }
        if record.manner.tail.is_none() {
            let missing: u64 = record
                .manner
                .channels
                .iter()
                .map(|channel| firsts.get(channel).map_or(self.totals[*channel], |first| first - 1))
                .sum();
            assert!(opening.is_none_or(|lost| lost == missing), "{what}: {missing} lines are missing and {opening:?} were told");
        }
    }
}

/// Behind which event a client begins.
fn beginning(what: &str, record: &Record) -> u64 {
    match (record.manner.tail, record.seen.first()) {
        (None, _) => 0,
        (_, Some(Seen::Start { number })) => *number,
        (_, Some(Seen::Line { number: Some(number), .. } | Seen::End { number, .. })) => number - 1,
        (_, Some(Seen::Gap { from, .. })) => *from,
        (_, other) => panic!("{what} begins with {other:?}"),
    }
}

impl Part {
    fn count(&mut self, what: &str, channel: usize) -> &mut Count {
        let count = self.counts.iter_mut().find(|count| count.channel == channel);
        count.unwrap_or_else(|| panic!("{what}\nsaw {}, which is not of its view", CHANNELS[channel]))
    }

    /// What is missing up to here was told before.
    fn assert_told(&self, what: &str) {
        let missing: u64 = self.counts.iter().map(|count| count.last.saturating_sub(count.before.end() + count.seen)).sum();
        assert!(self.lost.is_none_or(|lost| missing <= lost), "{what}\n{missing} events are missing in silence: {self:?}");
    }
}

impl Count {
    fn see(&mut self, which: u64) {
        self.last = which;
        self.seen += 1;
    }
}

/// Which line it is; it must be whole.
fn which(what: &str, channel: usize, text: &str) -> u64 {
    let number = text.split(' ').nth(1).and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{what}: {text:?}"));
    assert_eq!(text, line(channel, number), "{what}");
    number
}

fn shortened(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(|seen| format!("{seen:?}").chars().take(90).collect()).collect()
}
