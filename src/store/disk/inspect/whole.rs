//! Every record of a segment.

use std::io;
use std::sync::Arc;

use super::super::record::Commit;
use super::super::segment::{self, Next, Reading, Records, Rest};
use super::{Position, Seen, Subject, Tell, What, search};

/// Looks at every record behind `start`. `before` says how many events the channel has had before them, if the head could be read.
pub(super) fn look(subject: &Subject, before: Option<u64>, start: u64, tell: &mut Tell<'_>) -> io::Result<Option<Seen>> {
    let from = |place| Records::new(Reading::Open(Arc::clone(&subject.file)), place..subject.length, segment::BLOCK);
    let mut records = from(start);
    let mut tally = Tally { before, ..Tally::default() };
    // Where the damage began that is being passed. That of the head has been told of.
    let mut bad = before.is_none().then_some(0);
    let end = loop {
        let place = records.place();
        let rest = match records.peek()? {
            Next::Record(range, commit, _) => {
                tell_damage(subject, bad, place, tell);
                tally.take(subject, range.start, commit, bad.take().is_some(), tell);
                records.pass();
                continue;
            }
            Next::End => break place,
            Next::Rest(rest) => rest,
        };
        // From the newline on that ends the record before: this one may be a commit alone.
        let line = search::next_commit_line(&*subject.file, place.saturating_sub(1)..subject.length)?;
        if line.is_none() && rest == Rest::Unfinished && start > 0 {
            break place;
        }
        bad.get_or_insert(place);
        records = from(line.map_or(subject.length, |line| line.end));
    };
    tell_damage(subject, bad, end, tell);
    let end = tally.open.map_or(end, |open| open.begin);
    if end < subject.length {
        tell(subject.not_to_its_end(end));
    }
    subject.check_order(tally.seen.and_then(|seen| seen.last), tell);
    Ok(tally.seen)
}

/// Says what is between two places, if it is not as it was written: behind one byte that is not, the line that commits may be taken for a part of the
/// next, so there may be several pieces.
fn tell_damage(subject: &Subject, from: Option<u64>, to: u64, tell: &mut Tell<'_>) {
    if let Some(from) = from.filter(|from| *from > 0) {
        tell(subject.finding(from, What::Record(to - from)));
    }
}

/// What the records have said until now.
#[derive(Default)]
struct Tally {
    before: Option<u64>,
    /// The commit before.
    previous: Option<Commit>,
    /// What the records hold that count.
    seen: Option<Seen>,
    /// What those hold that count only if the next does.
    open: Option<Open>,
}

/// Records that belong with one that has not come.
#[derive(Clone, Copy)]
struct Open {
    /// Where the first of them begins.
    begin: u64,
    events: u64,
    above: u64,
    first: Option<Position>,
    last: Option<Position>,
}

impl Tally {
    /// Takes a record; behind a damaged place, any number of events may be missing before it.
    fn take(&mut self, subject: &Subject, begin: u64, commit: &Commit, is_behind_damage: bool, tell: &mut Tell<'_>) {
        if !self.is_next(commit, is_behind_damage) {
            tell(subject.finding(begin, What::Order));
        }
        if let Some(early) = commit.first().filter(|first| *first < subject.name.number) {
            tell(subject.finding(begin, What::Early(early)));
        }
        let first = commit.first().map(|number| Position { number, time: commit.last.time });
        let open = self.open.get_or_insert(Open { begin, events: 0, above: 0, first: None, last: None });
        open.events += commit.count;
        open.above += commit.count.min(commit.last.number.saturating_sub(subject.synced));
        open.first = open.first.or(first);
        open.last = first.map(|_| commit.last).or(open.last);
        let open = *open;
        if commit.is_whole() {
            self.count(commit.total, open);
            self.open = None;
        }
        self.previous = Some(commit.clone());
    }

    fn is_next(&self, commit: &Commit, is_behind_damage: bool) -> bool {
        let Some(previous) = &self.previous else {
            return is_behind_damage || self.before.is_none_or(|before| before.checked_add(commit.count) == Some(commit.total));
        };
        let is_later = commit.first().is_none_or(|first| first > previous.last.number) && commit.total >= previous.total;
        if is_behind_damage { is_later } else { commit.follows(previous) }
    }

    fn count(&mut self, total: u64, open: Open) {
        let before = self.before.unwrap_or_else(|| total.saturating_sub(open.events));
        let seen = self.seen.get_or_insert(Seen { before, total: before, events: 0, first: None, last: None, above: 0 });
        seen.total = total.max(seen.total);
        seen.events += open.events;
        seen.above += open.above;
        seen.first = seen.first.or(open.first);
        seen.last = open.last.or(seen.last);
    }
}
