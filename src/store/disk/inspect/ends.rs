//! What a segment says of itself at its end.

use std::io;

use super::super::record::{self, Commit};
use super::{Seen, Subject, Tell, What, search};

/// Looks at the last commits of a segment with so many events `before` it, whose records begin at `start`. What it holds is taken from the counts.
pub(super) fn look(subject: &Subject, before: u64, start: u64, tell: &mut Tell<'_>) -> io::Result<Option<Seen>> {
    let file = &*subject.file;
    let (mut end, mut committed, mut last) = (subject.length, None, None);
    let mut is_damaged = false;
    // The newline before the first record is the head's.
    while let Some(at) = search::last_commit_line(file, start.saturating_sub(1)..end)? {
        end = at;
        let Some(line) = search::line_at(file, at..subject.length)? else { continue };
        let Some(commit) = record::commit_in(&line) else {
            tell(subject.finding(at, What::Commit));
            is_damaged = true;
            continue;
        };
        if committed.is_none() && !commit.is_whole() {
            continue; // what it belongs with is missing
        }
        let Commit { total, count, .. } = commit;
        committed.get_or_insert((total, at + line.len() as u64 + 1));
        if count > 0 {
            last = Some(commit.last);
            break;
        }
    }
    let behind = committed.map_or(start, |(_, behind)| behind);
    if behind < subject.length && !is_damaged {
        tell(subject.not_to_its_end(behind));
    }
    subject.check_order(last, tell);
    let Some((total, _)) = committed else { return Ok(None) };
    let Some(events) = total.checked_sub(before) else {
        tell(subject.finding(0, What::Head));
        return Ok(None);
    };
    Ok(Some(Seen { before, total, events, first: None, last, above: 0 }))
}
