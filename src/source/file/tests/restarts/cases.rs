//! What may have become of a file while nobody looked, one case at a time.

use super::super::super::identity::Identity;
use super::super::super::position::StoredFile;
use super::scene::Scene;
use super::*;

/// The daemon follows one path; in both ways of holding files.
fn scenes() -> [Scene; 2] {
    Scene::both(|root| one(&root.join("app.log")))
}

fn scene(options: Options) -> Scene {
    Scene::new(|root| one(&root.join("app.log")), options)
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
            scene.delete("app.log");
            scene.write("app.log", "3\n");
        });
        assert_eq!(given, ["LOST", "3"]);
        assert_eq!(scene.while_down(|scene| scene.delete("app.log")), ["LOST"]);
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
        let given = scene.while_down(|scene| scene.write("app.log", "f\n"));
        assert_eq!(given, ["LOST", "1", "2", "half"], "though it holds the same");
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
        let mut scene = scene(options());
        if garbage {
            scene.bench.disk.positions.values_mut().for_each(|text| *text = format!("2{}", &text[1..]).into());
        } else {
            scene.bench.files = one(&scene.path("other.log"));
            scene.write("other.log", "1\n2\nhal");
        }
        scene.bench.files = beginning(Begin::Last(1), scene.bench.files);
        assert_eq!(scene.while_down(|scene| scene.write(if garbage { "app.log" } else { "other.log" }, "f\n3\n")), ["3"]);
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
    let mut scene = scene(Options { rotate_wait: Duration::from_secs(100), ..options() });
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
    let mut bench = Bench::start(beginning(Begin::End, matching("x", &path("*.log"))), options());
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
fn a_file_that_had_ended_may_be_deleted() {
    let wait = Options { rotate_wait: Duration::from_secs(100), ..options() };
    for (rest, kind, expected) in [
        ("f\n", Kind::Ended, &["5"][..]),
        ("f\n", Kind::Left, &["LOST", "5"]), // there may have been more
        ("f\nan unfinished line", Kind::Ended, &["LOST", "5"]),
    ] {
        let mut scene = scene(wait.clone());
        scene.write("app.log", rest);
        scene.rename("app.log", "app.log.1");
        scene.write("app.log", "4\n");
        scene.bench.look();
        scene.edit(|file| {
            assert_eq!(file.kind, Kind::Ended);
            file.kind = kind;
        });
        let given = scene.while_down(|scene| {
            scene.delete("app.log.1");
            scene.write("app.log", "5\n");
        });
        assert_eq!(given, expected, "{rest:?} {kind:?}");
        assert_eq!(scene.while_down(|_| ()), [""; 0]);
    }
}

/// What one generation holds stands at the beginning of the next as well: a head of the file, an empty line.
const HEADS: [&str; 3] = ["\n", "h\n", "time,level,host,program,process,thread,and the message of the line as it came\n"];

#[test]
fn generations_that_begin_alike_are_no_copies_of_each_other() {
    for head in HEADS {
        for is_down in [false, true] {
            for open_files in [100, 0] {
                let wait = Options { rotate_wait: Duration::from_secs(100), open_files, ..options() };
                let mut scene = scene(wait);
                let rotate = |scene: &Scene, text: &str| {
                    for number in (1..9).rev().filter(|number| scene.path(&format!("app.log.{number}")).exists()) {
                        scene.rename(&format!("app.log.{number}"), &format!("app.log.{}", number + 1));
                    }
                    scene.rename("app.log", "app.log.1");
                    scene.write("app.log", text);
                };
                scene.write("app.log", "f\n");
                rotate(&scene, head); // which is all that this one will ever have
                scene.bench.look();
                let line = head.trim_end();
                assert_eq!(scene.bench.lines(), ["1", "2", "half", line]);
                if is_down && open_files > 0 {
                    // One that is the same as the first, behind another.
                    let again = scene.while_down(|scene| ["2\n", head, "3\n"].iter().for_each(|text| rotate(scene, text)));
                    assert_eq!(again, ["2", line, "3"], "{head:?}");
                }
                let more = |number: u8| format!("{head}{number}\n");
                let given = if is_down {
                    scene.while_down(|scene| (3..6).for_each(|number| rotate(scene, &more(number))))
                } else {
                    (3..6).for_each(|number| rotate(&scene, &more(number)));
                    scene.bench.look();
                    let lines: Vec<_> = scene.bench.lines().into_iter().map(ToOwned::to_owned).collect();
                    lines[4..].to_vec()
                };
                assert_eq!(given, [line, "3", line, "4", line, "5"], "{head:?}, down: {is_down}, {open_files} open");
            }
        }
    }
}

/// What is done to the files of a scene.
type Change<'a> = &'a dyn Fn(&Scene);

/// Lines of one length that differ in their first bytes only, as those of a program that is asked the same again and again.
fn alike(numbers: std::ops::Range<usize>) -> String {
    let line = |number| format!("{number:06} GET /health HTTP/1.1 200 2 {}\n", "probe".repeat(80));
    numbers.map(line).collect::<Vec<_>>().concat()
}

#[test]
fn a_generation_that_is_gone_and_had_only_a_head_hides_no_other() {
    for head in HEADS {
        let mut scene = scene(Options { rotate_wait: Duration::from_secs(100), ..options() });
        scene.write("app.log", "f\n");
        for (text, name) in [(head, "app.log.1"), ("3\n", "app.log.2")] {
            scene.rename("app.log", name);
            scene.write("app.log", text);
            scene.bench.look();
        }
        let given = scene.while_down(|scene| {
            scene.delete("app.log.2"); // the one that had nothing but a head
            scene.rename("app.log", "app.log.3");
            for number in 4..7 {
                scene.write("app.log", &format!("{head}{number}\n"));
                scene.rename("app.log", &format!("app.log.{number}"));
            }
            scene.write("app.log", "7\n");
        });
        let line = head.trim_end();
        assert_eq!(given, [line, "4", line, "5", line, "6", "7"], "{head:?}");
    }
}

#[test]
fn a_generation_that_was_deleted_at_once_hides_none_of_those_behind_it() {
    for head in HEADS {
        let mut scene = scene(Options { rotate_wait: Duration::from_secs(100), ..options() });
        // One that has nothing but a head, and one behind it, are found in one look, and the former is let go by rotation.
        for (text, name) in [(head, "app.log.3"), ("3\n", "app.log.2")] {
            scene.rename("app.log", name);
            scene.write("app.log", text);
        }
        scene.bench.look();
        let before = scene.bench.lines().len();
        fs::remove_file(scene.path("app.log.2")).unwrap();
        // The next is made within a step of the clock of that look.
        fs::rename(scene.path("app.log"), scene.path("app.log.1")).unwrap();
        append(&scene.path("app.log"), head);
        scene.rename("app.log", "app.log.0");
        scene.write("app.log", "5\n");
        scene.bench.look();
        assert_eq!(scene.bench.lines()[before..], [head.trim_end(), "5"], "{head:?}");
    }
}

#[test]
fn lines_that_end_alike_do_not_hide_another_content() {
    let rotated = |scene: &Scene| {
        scene.rename("app.log", "app.log.1");
        scene.write("app.log", &alike(100..300));
        scene.rename("app.log.1", "app.log.2");
        scene.rename("app.log", "app.log.1");
        scene.write("app.log", &alike(300..350));
    };
    let cut = |scene: &Scene| {
        scene.truncate();
        scene.write("app.log", &alike(100..300));
    };
    let copied = |scene: &Scene| {
        scene.copy_and_truncate("app.log.1");
        scene.write("app.log", &alike(100..300));
    };
    let made_again = |scene: &Scene| {
        scene.delete("app.log");
        scene.write("app.log", &alike(100..300));
    };
    // What is deleted while it is open has been read.
    let cases: [(Change<'_>, usize, [bool; 2]); 4] = [
        (&rotated, 350, [false, false]),
        (&cut, 300, [true, true]),
        (&copied, 300, [true, true]),
        (&made_again, 300, [false, true]),
    ];
    for (change, end, losses) in cases {
        for (is_down, is_lost) in [false, true].into_iter().zip(losses) {
            let mut scene = scene(options());
            scene.truncate();
            scene.write("app.log", &alike(0..100));
            scene.bench.look();
            let before = scene.bench.lines().len();
            let given = if is_down {
                scene.while_down(change)
            } else {
                change(&scene);
                scene.bench.look();
                scene.bench.lines()[before..].iter().map(|line| (*line).to_owned()).collect()
            };
            let expected = alike(100..end);
            let expected: Vec<_> = is_lost.then_some("LOST").into_iter().chain(expected.lines()).collect();
            assert!(given == expected, "down: {is_down}: {} of {}: {:?}", given.len(), expected.len(), given.first());
        }
    }
}

#[test]
fn an_inode_that_a_deleted_file_had_is_another_file() {
    let wait = Options { rotate_wait: Duration::from_secs(100), ..options() };
    let mut scene = Scene::new(|root| matching("x", &root.join("app.log*")), wait);
    scene.write("app.log", "f\n");
    scene.rename("app.log", "app.log-20260001");
    scene.write("app.log", "3\n");
    scene.bench.look();
    scene.delete("app.log-20260001");
    scene.bench.end();
    for text in ["what nobody has seen\n", "5\n"] {
        if scene.path("app.log.1").exists() {
            scene.rename("app.log.1", "app.log.2");
        }
        scene.rename("app.log", "app.log.1");
        scene.write("app.log", text);
    }
    let reused = Identity::of(&fs::metadata(scene.path("app.log.1")).unwrap());
    scene.edit(|file| {
        assert_eq!(file.kind, Kind::Ended);
        file.identity = reused;
    });
    scene.bench.look();
    assert_eq!(scene.while_down(|_| ()), [""; 0]);
    assert_eq!(scene.bench.lines(), ["1", "2", "half", "3", "what nobody has seen", "5"]);
}
