//! What the daemon was in the middle of when it ended: a line, a loss, a look, a rotation.

use std::io::{Seek, SeekFrom};

use super::scene::Scene;
use super::*;
use crate::event::Age;

fn scene(options: Options) -> Scene {
    Scene::new(|root| one(&root.join("app.log")), options)
}

#[test]
fn a_long_line_is_divided_where_it_would_have_been() {
    for length in [29, 30, 31, 32, 45, 60, 61, 90] {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("app.log");
        let line: String = ('a'..='z').cycle().take(length).collect();
        for cut in 1..length {
            let _ = fs::remove_file(&path);
            append(&path, &line[..cut]);
            let mut bench = Bench { max_line: 30, ..Bench::new(one(&path), options()) };
            bench.look();
            bench.while_down(|| append(&path, format!("{}\nnext\n", &line[cut..])));
            let parts = line.as_bytes().chunks(30).map(|part| str::from_utf8(part).unwrap());
            let expected: Vec<_> = parts.chain(["next"]).collect();
            assert_eq!(bench.lines(), expected, "{length} bytes, {cut} of them first");
        }
    }
}

#[test]
fn marks_and_holes_are_passed_over_again() {
    for hole in [10, 100_000] {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("app.log");
        append(&path, b"\xef\xbb\xbfon");
        let mut bench = Bench::start(one(&path), options());
        bench.while_down(|| append(&path, "e\n"));
        // Somebody who does not append goes on behind a truncation.
        let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
        writer.set_len(0).unwrap();
        bench.look();
        for (offset, text) in [(0, "tw"), (2, "o\nthr"), (7, "ee\n")] {
            bench.while_down(|| {
                writer.seek(SeekFrom::Start(hole + offset)).unwrap();
                writer.write_all(text.as_bytes()).unwrap();
            });
        }
        assert_eq!(bench.lines(), ["one", "LOST", "two", "three"]);
    }
}

#[test]
fn a_loss_is_told_once_whenever_the_daemon_ends() {
    for at in 0..4 {
        let mut scene = scene(options());
        scene.truncate();
        scene.write("app.log", "3\n");
        let (mut run, done) = scene.bench.run.take().unwrap();
        run.settle();
        let commits = run.store.recorded();
        scene.bench.disk.take(&commits[done..commits.len().min(done + at)]);
        let mut expected = scene.bench.lines().into_iter().map(ToOwned::to_owned).collect::<Vec<_>>();
        drop(run);
        let rest = ["LOST", "3"].into_iter().filter(|line| !expected.iter().any(|given| given == line)).map(ToOwned::to_owned);
        let rest = rest.collect::<Vec<_>>();
        expected.extend(rest);
        scene.bench.look();
        assert_eq!(scene.bench.lines(), expected, "ended behind {at} commits");
    }
}

#[test]
fn a_file_is_handed_over_from_one_path_to_the_other_whenever_the_daemon_ends() {
    for at in 0..8 {
        let root = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| root.path().join(name));
        append(&first, "1\n");
        fs::hard_link(&first, &second).unwrap();
        let mut bench = Bench::start(vec![named("a", &first), named("b", &second)], options());
        append(&second, "2\nhal");
        bench.look();
        fs::remove_file(&first).unwrap();
        let (mut run, done) = bench.run.take().unwrap();
        run.settle();
        let commits = run.store.recorded();
        bench.disk.take(&commits[done..commits.len().min(done + at)]);
        drop(run);
        bench.look();
        append(&second, "f\n3\n");
        bench.look();
        bench.while_down(|| append(&second, "4\n"));
        assert_eq!((bench.disk.lines_of("a"), bench.disk.lines_of("b")), (vec!["1", "2", "hal"], vec!["f", "3", "4"]), "{at}");
    }
}

#[test]
fn old_lines_stay_old_and_begin_where_they_began() {
    for (begin, expected) in [(Begin::Start, vec!["1", "2", "3"]), (Begin::Last(1), vec!["2", "3"]), (Begin::End, vec!["3"])] {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("app.log");
        append(&path, "1\n2\n");
        let mut bench = Bench::new(beginning(begin, one(&path)), options());
        bench.look_and_end_behind(1);
        assert_eq!(bench.lines(), [""; 0], "the first commit says that the file is known");
        bench.while_down(|| append(&path, "3\n"));
        assert_eq!(bench.lines(), expected);
        let (run, _) = bench.run.as_ref().unwrap();
        let ages = run.store.recorded().into_iter().filter(|commit| !commit.encoded.is_empty()).map(|commit| commit.age);
        let new = ages.last();
        assert_eq!(new, Some(Age::New), "what was written since is new");
        bench.while_down(|| append(&path, "4\n"));
        let (run, _) = bench.run.as_ref().unwrap();
        assert!(run.store.recorded().iter().all(|commit| commit.age == Age::New));
    }
}

impl Bench {
    /// Looks for the first time, and ends behind so many commits.
    fn look_and_end_behind(&mut self, kept: usize) {
        let run = Run::start(self);
        self.disk.take(&run.store.recorded()[..kept]);
    }
}

#[test]
fn a_line_that_was_given_unfinished_is_not_given_again() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("app.log");
    append(&path, "1\nhal");
    let flush_partial = Some(Duration::ZERO);
    let mut bench = Bench { flush_partial, ..Bench::new(one(&path), options()) };
    bench.look();
    assert_eq!(bench.lines(), ["1", "hal"]);
    bench.while_down(|| append(&path, "f\n3\n"));
    assert_eq!(bench.lines(), ["1", "hal", "f", "3"]);
}

#[test]
fn a_file_that_has_been_left_has_not_ended_before_it_is_read_again() {
    let mut scene = scene(Options { rotate_wait: Duration::from_secs(100), ..options() });
    scene.write("app.log", "f\n");
    scene.bench.look();
    scene.write("app.log", "3\n");
    scene.rename("app.log", "app.log.1");
    scene.write("app.log", "4\n");
    let (mut run, done) = scene.bench.run.take().unwrap();
    run.settle();
    let commits = run.store.recorded();
    // The first commit behind the look says that the path has left it, the second has its rest.
    for kept in 1..=2 {
        let mut disk = scene.bench.disk.clone();
        disk.take(&commits[done..done + kept]);
        assert_eq!(Position::parse(disk.positions.values().next().unwrap()).unwrap().files[0].kind, Kind::Left);
    }
}

/// Each run begins somewhere in a rotation.
#[test]
fn nothing_is_lost_while_files_are_renamed_all_the_time() {
    for open_files in [100, 0] {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("app.log");
        append(&path, "");
        let rotate_wait = Duration::from_secs(100);
        let mut bench = Bench::start(one(&path), Options { rotate_wait, open_files, ..options() });
        let written = thread::scope(|scope| {
            let writer = scope.spawn(|| write_and_rotate(&path));
            while !writer.is_finished() {
                bench.end();
                bench.look();
            }
            writer.join().unwrap()
        });
        bench.look();
        assert_eq!(bench.lines(), written);
    }
}

/// Writes some lines to each of many files under a path, and gives them.
fn write_and_rotate(path: &Path) -> Vec<String> {
    let name = |number: usize| PathBuf::from(format!("{}.{number}", path.display()));
    let mut written = Vec::new();
    for generation in 0..60 {
        for number in (1..generation).rev() {
            fs::rename(name(number), name(number + 1)).unwrap();
        }
        if generation > 0 {
            fs::rename(path, name(1)).unwrap();
        }
        for line in 0..3 {
            written.push(format!("{generation}.{line}"));
            append(path, format!("{generation}.{line}\n"));
        }
        let_the_clock_step(); // those that were finished in one step cannot be put in order
    }
    written
}
