//! Whether what was written is still there: a state directory may be removed, replaced or partly deleted while the daemon runs.
//!
//! A file that is held open is written to also when its name is gone, and nobody is told. So once a second [`Archive::check`] compares names with what
//! they stood for: `@life`, which is held open, for the directory itself; the files that are open to be appended to; and of some channels in turn the
//! time at which their directory was changed last. What is gone is a hole, and the history goes on behind it. A file that is gone and was in none of
//! these is found by whoever reads it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::ops::Bound;

use super::archive::Archive;
use super::layout;
use super::life::{self, NOT_OURS, NoLife};
use super::log::Log;
use super::retention::LetGo;
use super::segment::Segment;
use super::volume::Kind;
use crate::event::ChannelName;

/// How many channels' directories are looked at each time.
const IN_TURN: usize = 256;

impl Archive {
    /// Whether the state directory is the one that was opened, or has been made again by [`Self::check`] since.
    #[must_use]
    pub fn is_there(&self) -> bool {
        let (held, name) = match &self.life {
            Some(life) => (life.identity().ok(), self.root.join(layout::LIFE)),
            None => (self.place, self.root.clone()),
        };
        let named = self.volume.stamp(&name).map(|stamp| stamp.identity);
        held.zip(named.ok()).is_some_and(|(held, named)| held == named)
    }

    /// Looks after what was written, which is to be done once a second, and makes again what is missing. Gives the segments that are gone and were not
    /// let go. Whoever holds a lock in the directory takes it anew if [`Self::is_there`] was false before this.
    ///
    /// # Errors
    /// What the kernel says, or another archive is in the place; what is gone is told by the next call that succeeds.
    pub fn check(&mut self) -> io::Result<Vec<LetGo>> {
        let looked_at = if self.is_there() {
            self.chosen()
        } else {
            self.begin_again()?;
            self.logs.keys().cloned().collect()
        };
        let mut outcome = Ok(());
        for channel in looked_at {
            let Some(log) = self.logs.get_mut(&channel) else { continue };
            outcome = outcome.and(log.look());
            self.account(&channel);
        }
        outcome?;
        let mut gone = Vec::new();
        for channel in std::mem::take(&mut self.troubled) {
            gone.extend(self.logs.get_mut(&channel).map(|log| std::mem::take(&mut log.lost)).into_iter().flatten());
            let _ = self.pay_source(&channel); // or the next append does, or the next check
        }
        if !gone.is_empty() {
            self.note_more_missing();
        }
        Ok(gone)
    }

    /// Writes the source's position of a log whose newest segment is gone.
    pub(super) fn pay_source(&mut self, channel: &ChannelName) -> io::Result<()> {
        let Some(log) = self.logs.get_mut(channel).filter(|log| log.owes_source) else { return Ok(()) };
        let paid = log.write_source(self.newest, &mut self.scratch);
        self.account(channel);
        paid
    }

    /// Makes the directory again, with the life that it had.
    fn begin_again(&mut self) -> io::Result<()> {
        self.volume.make_directory(&self.root)?;
        match life::began(&*self.volume, &self.root) {
            Ok(began) if began == self.began => {}
            Err(NoLife::New) => life::begin(&*self.volume, &self.root, self.began)?,
            Err(NoLife::Unreadable(error) | NoLife::Directory { error, .. }) => return Err(error),
            Ok(_) | Err(NoLife::Damaged | NoLife::Newer(_)) => {
                return Err(io::Error::other(NOT_OURS));
            }
        }
        if self.uncounted.count > 0 {
            self.note_uncounted(self.uncounted)?;
        }
        self.life = Some(self.volume.open(&self.root.join(layout::LIFE))?);
        Ok(())
    }

    /// Whose files are open, and some of the others in turn.
    fn chosen(&mut self) -> BTreeSet<ChannelName> {
        let after = self.looked_at.take().map_or(Bound::Unbounded, Bound::Excluded);
        let in_turn: Vec<_> =
            self.logs.range((after, Bound::Unbounded)).take(IN_TURN).map(|(channel, _)| channel.clone()).collect();
        self.looked_at = in_turn.last().filter(|_| in_turn.len() == IN_TURN).cloned();
        self.open.iter().cloned().chain(in_turn).collect()
    }
}

impl Log {
    /// Takes out of the list what is not there any more.
    ///
    /// # Errors
    /// What the kernel says; then nothing is taken out.
    fn look(&mut self) -> io::Result<()> {
        let stamp = match self.volume.stamp(self.book.directory()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            stamp => Some(stamp?),
        };
        let is_writer_there = self.is_writer_there()?;
        if !is_writer_there {
            // Whatever has its name now may be longer.
            (self.writer, self.is_torn) = (None, true);
        }
        if stamp.is_some() && stamp == self.stamp && is_writer_there {
            return Ok(());
        }
        let entries = self.entries()?;
        let files = entries.into_iter().filter(|entry| matches!(entry.kind, Kind::File(_)));
        let names: BTreeSet<OsString> = files.map(|entry| entry.name).collect();
        self.lose(|segment| !names.contains(&OsString::from(layout::segment_name(segment.first))));
        self.stamp = stamp;
        Ok(())
    }

    /// Whether the file that is open has its name still.
    fn is_writer_there(&self) -> io::Result<bool> {
        let (Some(writer), Some(last)) = (&self.writer, self.book.last()) else { return Ok(true) };
        match self.volume.stamp(&self.book.path_of(last.first)) {
            Ok(stamp) => Ok(stamp.identity == writer.identity()?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes segments out of the list whose files are gone.
    pub(super) fn lose(&mut self, is_gone: impl Fn(&Segment) -> bool) {
        let (gone, kept): (Vec<_>, Vec<_>) = self.book.iter().cloned().partition(is_gone);
        let Some(last) = gone.last() else { return };
        if self.book.last() == Some(last) {
            self.writer = None;
            (self.is_torn, self.is_noted, self.owes_source) = (false, false, true);
        }
        self.bytes = kept.iter().map(|segment| segment.length).sum();
        let gone: Vec<_> = gone.iter().map(|segment| LetGo::new(self, segment)).collect();
        self.lost.extend(gone);
        self.book.set(kept);
    }
}
