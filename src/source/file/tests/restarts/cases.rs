//! What may have become of a file while nobody looked, one case at a time.

use super::super::super::identity::Identity;
use super::super::super::position::StoredFile;
use super::*;
use crate::event::Age;
use std::io::{Seek, SeekFrom};

/// A followed file in a directory of its own.
struct Scene {
    root: tempfile::TempDir,
    bench: Bench,
}

impl Scene {
    /// The first run has seen the lines `1` and `2`, and the beginning of the next.
    fn new(options: Options) -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("app.log");
        append(&path, "1\n2\nhal");
        Self { bench: Bench::start(one(&path), options), root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn rename(&self, from: &str, to: &str) {
        let_the_clock_step();
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn copy_and_truncate(&self, to: &str) {
        let_the_clock_step();
        fs::copy(self.path("app.log"), self.path(to)).unwrap();
        let_the_clock_step();
        self.truncate();
    }

    fn truncate(&self) {
        OpenOptions::new().write(true).truncate(true).open(self.path("app.log")).unwrap();
    }

    fn write(&self, name: &str, text: &str) {
        let_the_clock_step();
        append(&self.path(name), text);
    }

    /// Does something between two runs, and gives what the second one has committed.
    fn while_down(&mut self, work: impl FnOnce(&Self)) -> Vec<String> {
        let before = self.bench.disk.lines.len();
        self.bench.end();
        let_the_clock_step();
        work(self);
        let_the_clock_step();
        self.bench.look();
        self.bench.look();
        self.bench.lines()[before..].iter().map(|line| (*line).to_owned()).collect()
    }

    /// Changes what was stored.
    fn edit(&mut self, change: impl FnOnce(&mut StoredFile)) {
        let stored = self.bench.disk.positions.values_mut().next().unwrap();
        let mut position = Position::parse(stored).unwrap();
        change(&mut position.files[0]);
        let mut text = String::new();
        position.write(&mut text);
        *stored = text.into();
    }
}

/// Both ways of holding files.
fn scenes() -> [Scene; 2] {
    [100, 0].map(|open_files| Scene::new(Options { open_files, ..options() }))
}

#[test]
fn an_unfinished_line_is_no_event_and_is_finished_by_the_next_run() {
    for mut scene in scenes() {
        assert_eq!(scene.bench.lines(), ["1", "2"]);
        assert_eq!(scene.while_down(|scene| scene.write("app.log", "f\n3\n")), ["half", "3"]);
        assert_eq!(scene.while_down(|_| ()), [""; 0]);
    }
}

#[test]
fn a_renamed_file_is_read_before_the_one_in_its_place() {
    for mut scene in scenes() {
        let given = scene.while_down(|scene| {
            scene.write("app.log", "f\n3");
            scene.rename("app.log", "app.log.1");
            scene.write("app.log", "4\n");
        });
        assert_eq!(given, ["half", "3", "4"]);
    }
}

#[test]
fn one_that_was_renamed_and_not_made_again_is_read_too() {
    for mut scene in scenes() {
        assert_eq!(scene.while_down(|scene| scene.rename("app.log", "app.log-20261121")), ["hal"]);
        assert_eq!(scene.while_down(|scene| scene.write("app.log", "4\n")), ["4"]);
    }
}

#[test]
fn generations_that_came_and_went_are_read_in_their_order() {
    for mut scene in scenes() {
        let given = scene.while_down(|scene| {
            scene.write("app.log", "f\n");
            for round in 3..6 {
                for number in (1..9).rev().filter(|number| scene.path(&format!("app.log.{number}")).exists()) {
                    scene.rename(&format!("app.log.{number}"), &format!("app.log.{}", number + 1));
                }
                scene.rename("app.log", "app.log.1");
                scene.write("app.log", &format!("{round}\n"));
            }
        });
        assert_eq!(given, ["half", "3", "4", "5"]);
    }
}

#[test]
fn a_copy_goes_on_for_what_was_cut() {
    for mut scene in scenes() {
        let given = scene.while_down(|scene| {
            scene.write("app.log", "f\n3\n");
            scene.copy_and_truncate("app.log.1");
            scene.write("app.log", "4\n");
        });
        assert_eq!(given, ["half", "3", "LOST", "4"]);
        assert_eq!(scene.while_down(|scene| scene.write("app.log", "5\n")), ["5"]);
    }
}

#[test]
fn so_do_several_copies() {
    for mut scene in scenes() {
        let given = scene.while_down(|scene| {
            scene.write("app.log", "f\n");
            scene.copy_and_truncate("app.log.2");
            scene.write("app.log", "3\n");
            scene.copy_and_truncate("app.log.1");
            scene.write("app.log", "4\n");
        });
        assert_eq!(given, ["half", "LOST", "3", "LOST", "4"]);
        assert_eq!(scene.while_down(|scene| scene.write("app.log", "5\n")), ["5"]);
    }
}

#[test]
fn copies_that_have_been_read_are_not_read_again() {
    for mut scene in scenes() {
        scene.write("app.log", "f\n3\n");
        scene.bench.look();
        let_the_clock_step();
        for name in ["app.log.1", "app.log.2", "app.log.3"] {
            fs::copy(scene.path("app.log"), scene.path(name)).unwrap();
            let_the_clock_step();
        }
        scene.truncate();
        scene.bench.look();
        assert_eq!(scene.bench.lines(), ["1", "2", "half", "3", "LOST"]);
        assert_eq!(scene.while_down(|_| ()), [""; 0]);
        assert_eq!(scene.while_down(|scene| scene.write("app.log", "4\n")), ["4"]);
    }
}

#[test]
fn what_is_nowhere_is_told() {
    for mut scene in scenes() {
        let given = scene.while_down(|scene| {
            fs::remove_file(scene.path("app.log")).unwrap();
            scene.write("app.log", "3\n");
        });
        assert_eq!(given, ["LOST", "3"]);
        assert_eq!(scene.while_down(|scene| fs::remove_file(scene.path("app.log")).unwrap()), ["LOST"]);
        assert_eq!(scene.while_down(|_| ()), [""; 0], "it is told once");
    }
}

#[test]
fn a_cut_is_noticed_whatever_has_grown_since() {
    for rest in ["", "3\n", "x\ny\nhal", "3\n4\n5\n6\n"] {
        for mut scene in scenes() {
            let given = scene.while_down(|scene| {
                scene.truncate();
                scene.write("app.log", rest);
            });
            let expected: Vec<_> = ["LOST"].into_iter().chain(rest.lines().filter(|line| *line != "hal")).collect();
            assert_eq!(given, expected);
        }
    }
}

#[test]
fn another_file_with_the_same_number_is_another_file() {
    for mut scene in scenes() {
        scene.edit(|file| file.born -= Duration::from_secs(1));
        assert_eq!(scene.while_down(|scene| scene.write("app.log", "f\n")), ["half"], "but for the time it is the same");
        scene.edit(|file| file.born -= Duration::from_secs(1));
        let given = scene.while_down(|scene| {
            scene.truncate();
            scene.write("app.log", "a\nb\nc\nd\ne\nf\n");
        });
        assert_eq!(given, ["LOST", "a", "b", "c", "d", "e", "f"]);
    }
}

#[test]
fn a_device_may_have_another_number() {
    for mut scene in scenes() {
        let renumber = |file: &mut StoredFile| file.identity = Identity::new(file.identity.device() + 99, file.identity.inode());
        scene.edit(renumber);
        assert_eq!(scene.while_down(|scene| scene.write("app.log", "f\n")), ["half"]);
        scene.edit(renumber);
        let given = scene.while_down(|scene| {
            scene.write("app.log", "3\n");
            scene.rename("app.log", "app.log.1");
            scene.write("app.log", "4\n");
        });
        assert_eq!(given, ["3", "4"]);
        scene.edit(renumber);
        let given = scene.while_down(|scene| {
            scene.truncate();
            scene.write("app.log", "another\n");
        });
        assert_eq!(given, ["LOST", "another"]);
    }
}

#[test]
fn what_was_stored_for_another_path_or_in_another_form_says_nothing() {
    for garbage in [false, true] {
        let mut scene = Scene::new(options());
        scene.bench.options.begin = Begin::Last(1);
        if garbage {
            scene.bench.disk.positions.values_mut().for_each(|text| *text = format!("2{}", &text[1..]).into());
        } else {
            scene.bench.files = one(&scene.path("other.log"));
            scene.write("other.log", "1\n2\nhal");
        }
        assert_eq!(scene.while_down(|scene| scene.write(if garbage { "app.log" } else { "other.log" }, "f\n3\n")), ["3"]);
    }
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
        let mut scene = Scene::new(options());
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
fn what_was_stored_is_used_once() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.log");
    append(&path, "1\n");
    let mut bench = Bench::start(matching("x", &root.path().join("*.log")), options());
    bench.while_down(|| append(&path, "2\n"));
    fs::remove_file(&path).unwrap();
    bench.look();
    let_the_clock_step();
    append(&path, "3\n");
    bench.look();
    assert_eq!(bench.lines(), ["1", "2", "3"]);
}

#[test]
fn a_file_that_its_path_has_left_is_read_to_its_last_line() {
    let mut scene = Scene::new(Options { rotate_wait: Duration::from_secs(100), ..options() });
    scene.rename("app.log", "app.log.1");
    scene.write("app.log", "4\n");
    scene.bench.look();
    let given = scene.while_down(|scene| {
        scene.write("app.log.1", "f\n");
        scene.write("app.log", "5\n");
    });
    assert_eq!(given, ["half", "5"]);
    scene.write("app.log.1", "late\n");
    scene.bench.look();
    let given = scene.while_down(|scene| {
        scene.rename("app.log", "app.log.2");
        scene.rename("app.log.1", "app.log");
        scene.write("app.log", "back\n");
    });
    assert_eq!(given, ["back"], "its path leads to it again");
    assert_eq!(scene.while_down(|scene| scene.write("app.log", "6\n")), ["6"]);
}

#[test]
fn a_link_may_be_led_elsewhere() {
    for swaps in [1, 2] {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        for version in ["..1", "..2", "..3"] {
            fs::create_dir(path(version)).unwrap();
        }
        append(&path("..1/app.log"), "from 1\nhal");
        symlink("..1", path("..data")).unwrap();
        symlink("..data/app.log", path("app.log")).unwrap();
        let mut bench = Bench::start(one(&path("app.log")), options());
        bench.while_down(|| {
            append(&path("..1/app.log"), "f\n");
            for version in 2..2 + swaps {
                append(&path(&format!("..{version}/app.log")), format!("from {version}\n"));
                symlink(format!("..{version}"), path("..new")).unwrap();
                fs::rename(path("..new"), path("..data")).unwrap();
            }
        });
        assert_eq!(bench.lines(), ["from 1".to_owned(), "half".to_owned(), format!("from {}", 1 + swaps)]);
    }
}

#[test]
fn files_of_a_glob_go_on_and_those_made_since_are_new() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    append(&path("a.log"), "old\n");
    let mut bench = Bench::start(matching("x", &path("*.log")), Options { begin: Begin::End, ..options() });
    bench.while_down(|| {
        append(&path("a.log"), "1\n");
        append(&path("b.log"), "2\n3\n");
    });
    assert_eq!((bench.disk.lines_of("x/a.log"), bench.disk.lines_of("x/b.log")), (vec!["1"], vec!["2", "3"]));
    bench.while_down(|| {
        fs::rename(path("a.log"), path("a.log.1")).unwrap();
        append(&path("a.log.1"), "4\n");
    });
    append(&path("a.log"), "5\n");
    append(&path("b.log"), "6\n");
    bench.look();
    assert_eq!((bench.disk.lines_of("x/a.log"), bench.disk.lines_of("x/b.log")), (vec!["1", "4", "5"], vec!["2", "3", "6"]));
}

#[test]
fn rotated_files_that_the_glob_matches_too_are_read_once() {
    for copies in [false, true] {
        for open_files in [100, 0] {
            let root = tempfile::tempdir().unwrap();
            let path = |name: &str| root.path().join(name);
            append(&path("app.log"), "1\n");
            let mut bench = Bench::start(matching("x", &path("app.log*")), Options { open_files, ..options() });
            for round in 2..7 {
                let rotate = || {
                    append(&path("app.log"), format!("{round}\n"));
                    for number in (1..round).rev() {
                        let _ = fs::rename(path(&format!("app.log.{number}")), path(&format!("app.log.{}", number + 1)));
                    }
                    let_the_clock_step();
                    if copies {
                        fs::copy(path("app.log"), path("app.log.1")).unwrap();
                        let_the_clock_step();
                        OpenOptions::new().write(true).truncate(true).open(path("app.log")).unwrap();
                    } else {
                        fs::rename(path("app.log"), path("app.log.1")).unwrap();
                        append(&path("app.log"), "");
                    }
                };
                bench.while_down(rotate);
            }
            let lines: Vec<_> = bench.lines().into_iter().filter(|line| *line != "LOST").collect();
            assert_eq!(lines, ["1", "2", "3", "4", "5", "6"], "copies {copies}, {open_files} open: {:?}", bench.disk.lines);
        }
    }
}

#[test]
fn a_file_is_handed_over_from_one_path_to_the_other_whenever_the_daemon_ends() {
    for at in 0..8 {
        let root = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| root.path().join(name));
        append(&first, "1\n");
        fs::hard_link(&first, &second).unwrap();
        let named = |name: &str, path: &Path| Files::One { channel: name.parse().unwrap(), path: path.to_owned() };
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
        let mut bench = Bench::new(one(&path), Options { begin, ..options() });
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
fn a_file_that_had_ended_may_be_deleted() {
    let wait = Options { rotate_wait: Duration::from_secs(100), ..options() };
    for (rest, kind, expected) in [
        ("f\n", Kind::Ended, &["5"][..]),
        ("f\n", Kind::Left, &["LOST", "5"]), // there may have been more
        ("f\nan unfinished line", Kind::Ended, &["LOST", "5"]),
    ] {
        let mut scene = Scene::new(wait.clone());
        scene.write("app.log", rest);
        scene.rename("app.log", "app.log.1");
        scene.write("app.log", "4\n");
        scene.bench.look();
        scene.edit(|file| {
            assert_eq!(file.kind, Kind::Ended);
            file.kind = kind;
        });
        let given = scene.while_down(|scene| {
            fs::remove_file(scene.path("app.log.1")).unwrap();
            scene.write("app.log", "5\n");
        });
        assert_eq!(given, expected, "{rest:?} {kind:?}");
        assert_eq!(scene.while_down(|_| ()), [""; 0]);
    }
}

#[test]
fn a_file_that_has_been_left_has_not_ended_before_it_is_read_again() {
    let mut scene = Scene::new(Options { rotate_wait: Duration::from_secs(100), ..options() });
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
