//! What stands under a path: the same file as before, another one, or none.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use tracing::{debug, info, warn};

use super::follower::{Follower, Now};
use super::identity::{Identity, Stamp, born};
use super::links::{Way, way};
use super::place::Place;
use super::reader::{Reader, Standing};
use super::siblings::{self};
use super::trail::{Origin, Sight, Telling, Trail, Watching};
use crate::source::{Loss, News, PathKey, Sink, State, reason};

impl Follower {
    /// Looks at a path. What it leads to is read later, in turn.
    pub(super) fn look(&mut self, key: PathKey, now: Now, news: &mut Sink<'_>) {
        let Some(trail) = self.trails.get_mut(&key) else { return };
        trail.is_looked_for = false;
        if trail.is_way_stale {
            self.refresh_way(key);
        }
        let looked = self.look_behind(key, now, news);
        match &looked {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.look_at(key),
            Err(error) => self.fail(key, error, now, news),
        }
        let Some(trail) = self.trails.get_mut(&key) else { return };
        if matches!(looked, Ok(Sight::Clear)) {
            trail.looked = Some(now.stamp());
            trail.forget_places();
        }
        if trail.has_left_files() {
            self.read_at(key); // also to end them in time
        }
        self.tell_moved(key, news);
    }

    /// # Errors
    /// There is no descriptor left to see what has become of the files, or the path has led elsewhere meanwhile (an interruption); the next look
    /// sees it.
    fn look_behind(&mut self, key: PathKey, now: Now, news: &mut Sink<'_>) -> io::Result<Sight> {
        let Some(trail) = self.trails.get_mut(&key) else { return Ok(Sight::Clear) };
        match fs::metadata(&trail.path) {
            Ok(metadata) if metadata.is_file() => self.look_at_file(key, &metadata, now, news)?,
            Ok(metadata) => {
                self.leave_named(key, now)?;
                self.tell(key, State::Failing(kind_of(&metadata).to_owned()), news);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                self.find_nothing(key, now, news)?;
            }
            Err(error) => {
                if self.is_first {
                    trail.sight = Sight::Barred;
                }
                self.tell(key, State::Failing(reason(&error)), news);
                return Ok(Sight::Barred);
            }
        }
        Ok(Sight::Clear)
    }

    fn look_at_file(&mut self, key: PathKey, metadata: &Metadata, now: Now, news: &mut Sink<'_>) -> io::Result<()> {
        let Some(trail) = self.trails.get_mut(&key) else { return Ok(()) };
        let path = trail.path.clone();
        let last = trail.readers.len().saturating_sub(1);
        if let Some(reader) = trail.named()
            && Trail::is_same(reader, metadata, &path)?
        {
            reader.born = born(metadata);
            let stamp = Stamp::of(metadata);
            let (is_open, is_failing) = (reader.file().is_some(), reader.retry.is_pending());
            let has_changed = std::mem::replace(&mut reader.seen, stamp) != stamp;
            if has_changed || reader.is_unread {
                reader.is_unread = true;
                self.read_at(key);
            }
            if is_open && !is_failing {
                self.tell(key, State::Reading, news);
            }
            return if has_changed { self.find_early_copies(key, last, now) } else { Ok(()) };
        }
        self.refresh_way(key);
        if self.come_back_to(key, metadata, now)? {
            self.tell(key, State::Reading, news);
            return Ok(());
        }
        if self.give_way(key, metadata, now, news)? {
            return Ok(());
        }
        if self.may_be_copy(key, metadata, now)? {
            return self.leave_named(key, now);
        }
        // If it was the copy of a file that has been cut, that file's path reads it now.
        if self.give_way(key, metadata, now, news)? {
            return Ok(());
        }
        self.begin_file(key, metadata, now, news)
    }

    /// Leaves a file to the path that reads it already, if there is one.
    fn give_way(&mut self, key: PathKey, metadata: &Metadata, now: Now, news: &mut Sink<'_>) -> io::Result<bool> {
        let identity = Identity::of(metadata);
        let Some(owner) = self.owner_of(identity, metadata)?.filter(|owner| *owner != key) else { return Ok(false) };
        self.become_twin(key, identity, owner, now, news)?;
        Ok(true)
    }

    /// The path leads again to a file that it had left.
    fn come_back_to(&mut self, key: PathKey, metadata: &Metadata, now: Now) -> io::Result<bool> {
        let Some(trail) = self.trails.get(&key) else { return Ok(false) };
        let mut left = trail.readers.iter().filter(|reader| reader.standing != Standing::Named);
        let file = left.try_fold(None, |found, reader| {
            let is_it = found.is_none() && Trail::is_same(reader, metadata, &trail.path)?;
            io::Result::Ok(found.or(is_it.then_some(reader.key)))
        })?;
        if file.is_none() {
            return Ok(false);
        }
        self.leave_named(key, now)?;
        let Some(trail) = self.trails.get_mut(&key) else { return Ok(false) };
        let at = trail.readers.iter().position(|reader| Some(reader.key) == file);
        let Some(mut reader) = at.and_then(|at| trail.readers.remove(at)) else { return Ok(false) };
        reader.standing = Standing::Named;
        reader.is_postponed = false;
        trail.telling = Telling::Due;
        trail.readers.push_back(reader);
        forget_twin(&mut self.twins, trail);
        self.read_at(key);
        Ok(true)
    }

    /// Begins to read a file that the path has not led to before, behind those that stood there between the last two looks.
    fn begin_file(&mut self, key: PathKey, metadata: &Metadata, now: Now, news: &mut Sink<'_>) -> io::Result<()> {
        let identity = Identity::of(metadata);
        let done = self.place_of_done(key, metadata)?;
        self.leave_named(key, now)?;
        let before = self.begin_between(key, Some(metadata), now)?;
        let sight = self.trails.get_mut(&key).map(|trail| std::mem::replace(&mut trail.sight, Sight::Clear));
        let asked = self.trails.get(&key).map(|trail| trail.asked);
        let new_since = self.trails.get(&key).and_then(|trail| trail.new_since);
        let is_made_since = new_since.is_some_and(|since| born(metadata) >= since);
        let was_there = !is_made_since && (self.is_first || (sight == Some(Sight::Barred) && born(metadata) < self.began));
        let since = if was_there { now.stamp() } else { born(metadata) };
        let mut reader = Reader::new(self.new_file(), metadata, (now.instant, since));
        reader.seen = Stamp::of(metadata);
        reader.is_unread_yet = !was_there;
        if before.cut.is_some() {
            reader.place = Place::beginning_again();
        }
        reader.announce = before.cut;
        reader.begin_after(before.last);
        if was_there {
            reader.begin = asked.map(|asked| asked.opening);
            reader.old_until = metadata.len();
        }
        self.done.forget(metadata);
        if let Some(place) = done {
            (reader.place, reader.begin, reader.old_until) = (place, None, 0);
        }
        self.owners.insert(identity, key);
        let Some(trail) = self.trails.get_mut(&key) else { return Ok(()) };
        forget_twin(&mut self.twins, trail);
        trail.readers.push_back(reader);
        trail.telling = Telling::Due;
        trail.retry.reset();
        debug!("reading '{}' from its {}", trail.path.display(), if was_there { "last lines" } else { "beginning" });
        self.tell(key, State::Reading, news);
        self.read_at(key);
        Ok(())
    }

    /// The file that the path led to is kept only for its last lines. If it was closed, it must be found under its new name.
    pub(super) fn leave_named(&mut self, key: PathKey, now: Now) -> io::Result<()> {
        let (wait, has_spare) = (self.options.rotate_wait, self.has_spare());
        let closed = self.trails.get_mut(&key).and_then(Trail::named).filter(|reader| reader.file().is_none());
        let other_names = closed.map(|reader| reader.identity).map(|identity| self.other_names(identity)).unwrap_or_default();
        let Some(trail) = self.trails.get_mut(&key) else { return Ok(()) };
        let is_polled = trail.watching != Watching::Hinted;
        let last = trail.readers.len().saturating_sub(1);
        let places = trail.places.clone();
        let Some(reader) = trail.named() else { return Ok(()) };
        let is_postponed = reader.file().is_none() && !has_spare;
        if reader.file().is_none() && has_spare {
            let found = siblings::same(&mut self.listings, &places, &other_names, reader)?;
            if found.is_some_and(|sibling| reader.attach(sibling.file).is_ok()) {
                self.open += 1;
            }
        }
        // If it was cut as well, its copies are not taken for files that stood under the path.
        let loss = match reader.file() {
            Some(file) => reader.place.loss_in(file),
            None if is_postponed => None,
            None => (reader.is_unread || is_polled).then_some(Loss::Vanished),
        };
        match loss {
            Some(loss) => self.restart(key, last, loss, now)?,
            None => self.find_early_copies(key, last, now)?,
        }
        if let Some(reader) = self.trails.get_mut(&key).and_then(Trail::named) {
            reader.leave(now.instant, wait);
            reader.is_postponed = is_postponed;
        }
        Ok(())
    }

    fn find_nothing(&mut self, key: PathKey, now: Now, news: &mut Sink<'_>) -> io::Result<()> {
        self.leave_named(key, now)?;
        self.begin_between(key, None, now)?;
        let Some(trail) = self.trails.get_mut(&key) else { return Ok(()) };
        trail.sight = Sight::Clear;
        forget_twin(&mut self.twins, trail);
        if !trail.readers.is_empty() {
            return Ok(()); // what is left is read first; what comes back at once was never away
        }
        match trail.origin {
            Origin::Named => self.tell(key, State::Absent, news),
            Origin::Matched(_) => self.forget(key, news),
        }
        Ok(())
    }

    /// A file that another path reads already is not read twice.
    fn become_twin(&mut self, key: PathKey, identity: Identity, owner: PathKey, now: Now, news: &mut Sink<'_>) -> io::Result<()> {
        self.leave_named(key, now)?;
        let Some(owning) = self.trails.get_mut(&owner) else { return Ok(()) };
        let other = owning.path.display().to_string();
        let is_shared = owning.readers_of(identity).any(|reader| reader.standing == Standing::Named);
        let Some(trail) = self.trails.get_mut(&key) else { return Ok(()) };
        if trail.twin != Some(identity) {
            forget_twin(&mut self.twins, trail);
            trail.twin = Some(identity);
            self.twins.entry(identity).or_default().push(key);
        }
        let reason = if is_shared { "the same file as" } else { "what rotation has made of" };
        if is_shared {
            self.say_once(&format!("'{}' is not read: it is the same file as '{other}'", self.trails[&key].path.display()));
        }
        self.tell(key, State::Elsewhere(format!("{reason} '{other}', where it is read")), news);
        Ok(())
    }

    /// Who reads a file, if that is still the one with this identity.
    pub(super) fn owner_of(&mut self, identity: Identity, metadata: &Metadata) -> io::Result<Option<PathKey>> {
        let Some(owner) = self.owners.get(&identity).copied() else { return Ok(None) };
        if self.trails.get(&owner).map_or(Ok(false), |trail| trail.reads(identity, metadata))? {
            return Ok(Some(owner));
        }
        self.owners.remove(&identity);
        self.look_at(owner);
        // It was the owner of another file with this inode. Whoever reads the one that has it now may have been told so later.
        for trail in self.trails.values() {
            if trail.reads(identity, metadata)? {
                self.owners.insert(identity, trail.key);
                return Ok(Some(trail.key));
            }
        }
        Ok(None)
    }

    /// Notes by which names the path leads to its file, and watches their directories.
    pub(super) fn refresh_way(&mut self, key: PathKey) {
        let Some(trail) = self.trails.get_mut(&key) else { return };
        let Way { names: way, target } = way(&trail.path);
        trail.lead_to(target);
        let old = std::mem::replace(&mut trail.way, way.clone());
        for name in old.iter().filter(|name| !way.contains(name)) {
            self.forget_interest(name, key);
        }
        let mut watched = Ok(true);
        for name in way {
            let directory = name.parent().map(ToOwned::to_owned).unwrap_or_default();
            let this = self.watch(&directory);
            watched = watched.and_then(|all| this.map(|this| this && all));
            let interested = self.interest.entry(name).or_default();
            if !interested.contains(&key) {
                interested.push(key);
            }
        }
        if let Some(trail) = self.trails.get_mut(&key) {
            if old != trail.way {
                trail.places = old;
                trail.places.extend(trail.way.iter().cloned());
                trail.places.sort();
                trail.places.dedup();
            }
            trail.watching = match trail.watching {
                Watching::Far => Watching::Far,
                _ if watched == Ok(true) => Watching::Hinted,
                _ => Watching::Polled,
            };
            // A directory may come; what the kernel has refused is asked for again in its own time.
            trail.is_way_stale = watched == Ok(false);
        }
    }

    fn forget_interest(&mut self, name: &Path, key: PathKey) {
        if let Some(interested) = self.interest.get_mut(name) {
            interested.retain(|other| *other != key);
            if interested.is_empty() {
                self.interest.remove(name);
            }
        }
    }

    /// Follows a path no more.
    pub(super) fn forget(&mut self, key: PathKey, news: &mut Sink<'_>) {
        let Some(mut trail) = self.trails.remove(&key) else { return };
        forget_twin(&mut self.twins, &mut trail);
        if self.paths.get(&trail.path) == Some(&key) {
            self.paths.remove(&trail.path);
        }
        if let Some(looked) = trail.looked {
            self.forgotten.insert(trail.path.clone(), looked);
        }
        if let Origin::Matched(index) = trail.origin {
            self.matched_again.remove(&(index, trail.path.clone()));
        }
        trail.way.iter().for_each(|name| self.forget_interest(name, key));
        debug!("'{}' has gone", trail.path.display());
        news(News::Left { path: key });
    }

    /// Tells a change of state, in the log as well.
    pub(super) fn tell(&mut self, key: PathKey, state: State, news: &mut Sink<'_>) {
        let is_first = self.is_first;
        let Some(trail) = self.trails.get_mut(&key).filter(|trail| trail.state != state) else { return };
        let path = trail.path.display();
        match (&state, &trail.state) {
            (State::Reading, State::Failing(_)) => info!("reading '{path}'"),
            (State::Reading, _) if trail.origin == Origin::Named && !is_first => info!("'{path}' has appeared"),
            (State::Reading, _) => {}
            (State::Absent, _) if is_first => info!("waiting for '{path}': no such file yet"),
            (State::Absent, _) => info!("'{path}' has gone; waiting for it to come back"),
            (State::Failing(reason), _) => warn!("could not read '{path}': {reason}; trying again"),
            (State::Elsewhere(reason), _) => debug!("'{path}' is not read: it is {reason}"),
        }
        trail.state = state.clone();
        news(News::State { path: key, state });
    }
}

fn forget_twin(twins: &mut HashMap<Identity, Vec<PathKey>>, trail: &mut Trail) {
    let Some(identity) = trail.twin.take() else { return };
    if let Some(keys) = twins.get_mut(&identity) {
        keys.retain(|key| *key != trail.key);
        if keys.is_empty() {
            twins.remove(&identity);
        }
    }
}

fn kind_of(metadata: &Metadata) -> &'static str {
    match metadata.file_type() {
        kind if kind.is_dir() => "it is a directory",
        kind if kind.is_fifo() => "it is a named pipe by now (fifo:PATH follows one)",
        kind if kind.is_socket() => "it is a socket",
        _ => "it is a device",
    }
}
