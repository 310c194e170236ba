//! The files of one directory, and the daemon that follows them; what is done to them between two of its runs.

use super::super::super::position::StoredFile;
use super::*;

/// Followed files in a directory of their own.
pub(super) struct Scene {
    root: tempfile::TempDir,
    pub(super) bench: Bench,
}

impl Scene {
    /// The first run has seen the lines `1` and `2` of `app.log`, and the beginning of the next.
    pub(super) fn new(files: impl FnOnce(&Path) -> Vec<Wanted>, options: Options) -> Self {
        let root = tempfile::tempdir().unwrap();
        append(&root.path().join("app.log"), "1\n2\nhal");
        Self { bench: Bench::start(files(root.path()), options), root }
    }

    /// Both ways of holding files.
    pub(super) fn both(files: impl Fn(&Path) -> Vec<Wanted>) -> [Self; 2] {
        [100, 0].map(|open_files| Self::new(&files, Options { open_files, ..options() }))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let_the_clock_step();
        append(&self.path(name), text);
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        let_the_clock_step();
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub(super) fn copy(&self, from: &str, to: &str) {
        let_the_clock_step();
        fs::copy(self.path(from), self.path(to)).unwrap();
    }

    pub(super) fn delete(&self, name: &str) {
        let_the_clock_step();
        fs::remove_file(self.path(name)).unwrap();
    }

    pub(super) fn truncate(&self) {
        let_the_clock_step();
        OpenOptions::new().write(true).truncate(true).open(self.path("app.log")).unwrap();
    }

    pub(super) fn copy_and_truncate(&self, to: &str) {
        self.copy("app.log", to);
        self.truncate();
    }

    /// Does something between two runs, and gives what the second one has committed.
    pub(super) fn while_down(&mut self, work: impl FnOnce(&Self)) -> Vec<String> {
        let before = self.bench.disk.lines.len();
        self.bench.end();
        let_the_clock_step();
        work(self);
        let_the_clock_step();
        self.bench.look();
        self.bench.look();
        self.bench.lines()[before..].iter().map(|line| (*line).to_owned()).collect()
    }

    /// Changes what was stored of the first file, in the position that has most of them.
    pub(super) fn edit(&mut self, change: impl FnOnce(&mut StoredFile)) {
        let all = self.bench.disk.positions.values_mut().map(|stored| (Position::parse(stored).unwrap(), stored));
        let (mut position, stored) = all.max_by_key(|(position, _)| position.files.len()).unwrap();
        change(&mut position.files[0]);
        let mut text = String::new();
        position.write(&mut text);
        *stored = text.into();
    }

    /// The names of the paths that are followed.
    pub(super) fn followed(&self) -> Vec<String> {
        let (run, _) = self.bench.run.as_ref().unwrap();
        let names = run.follower.trails.values().map(|trail| trail.path.file_name().unwrap().to_string_lossy().into_owned());
        names.collect()
    }

    /// What the run has committed.
    pub(super) fn commits(&self) -> usize {
        let (run, _) = self.bench.run.as_ref().unwrap();
        run.store.recorded().len()
    }
}
