//! Files of a glob that nothing leads to any more when the daemon comes back, one case at a time.

use super::super::super::position::path_sum;
use super::scene::Scene;
use super::*;

/// The daemon follows a glob; in both ways of holding files.
fn scenes(pattern: &str) -> [Scene; 2] {
    Scene::both(|root| matching("x", &root.join(pattern)))
}

fn scene(pattern: &str, options: Options) -> Scene {
    Scene::new(|root| matching("x", &root.join(pattern)), options)
}

#[test]
fn the_loss_of_one_that_was_deleted_is_told_once() {
    for mut scene in scenes("*.log") {
        assert_eq!(scene.while_down(|scene| scene.delete("app.log")), ["LOST"]);
        assert_eq!(scene.followed(), [""; 0]);
        for _ in 0..2 {
            assert_eq!(scene.while_down(|_| ()), [""; 0]);
            assert_eq!((scene.followed().len(), scene.commits()), (0, 0), "nothing is done for it any more");
        }
        assert_eq!(scene.while_down(|scene| scene.write("app.log", "3\n")), ["3"], "it comes back");
        assert!(scene.bench.disk.lines.iter().all(|(channel, _)| channel == "x/app.log"));
    }
}

#[test]
fn so_is_one_that_had_been_read_to_its_end() {
    for mut scene in scenes("*.log") {
        scene.write("app.log", "f\n");
        scene.bench.look();
        assert_eq!(scene.while_down(|scene| scene.delete("app.log")), ["LOST"], "nobody knows what was written to it last");
        assert_eq!(scene.while_down(|_| ()), [""; 0]);
    }
}

#[test]
fn one_that_was_known_to_have_ended_is_no_loss() {
    for mut scene in scenes("*.log") {
        scene.write("app.log", "f\n");
        scene.bench.look();
        scene.rename("app.log", "app.log.1");
        scene.bench.look();
        assert_eq!((scene.bench.lines(), scene.followed()), (vec!["1", "2", "half"], vec![]));
        assert_eq!(scene.while_down(|scene| scene.delete("app.log.1")), [""; 0]);
        assert_eq!(scene.commits(), 0);
    }
}

#[test]
fn one_that_was_renamed_away_is_read_to_its_end() {
    for mut scene in scenes("*.log") {
        let given = scene.while_down(|scene| {
            scene.write("app.log", "f\n3");
            scene.rename("app.log", "app.log.1");
        });
        assert_eq!((given, scene.followed()), (vec!["half".to_owned(), "3".to_owned()], vec![]));
        assert_eq!(scene.while_down(|scene| scene.delete("app.log.1")), [""; 0]);
        assert_eq!(scene.while_down(|scene| scene.write("app.log", "4\n")), ["4"]);
    }
}

#[test]
fn generations_are_read_in_their_order_though_none_is_there_now() {
    for mut scene in scenes("*.log") {
        let given = scene.while_down(|scene| {
            scene.write("app.log", "f\n");
            scene.rename("app.log", "app.log.2");
            scene.write("app.log", "3\n");
            scene.rename("app.log", "app.log.1");
        });
        assert_eq!(given, ["half", "3"]);
        assert_eq!(scene.while_down(|_| ()), [""; 0]);
    }
}

#[test]
fn a_copy_goes_on_for_one_that_was_cut_and_deleted() {
    for mut scene in scenes("*.log") {
        let given = scene.while_down(|scene| {
            scene.write("app.log", "f\n3\n");
            scene.copy("app.log", "app.log.1");
            let_the_clock_step();
            fs::write(scene.path("app.log"), "").unwrap();
            scene.delete("app.log");
        });
        assert_eq!(given, ["half", "3", "LOST"]);
        assert_eq!(scene.while_down(|_| ()), [""; 0]);
    }
}

#[test]
fn its_directory_may_have_gone_with_it() {
    for mut scene in scenes("*/*.log") {
        fs::create_dir(scene.path("pod")).unwrap();
        scene.write("pod/a.log", "3\n");
        scene.bench.look();
        assert_eq!(scene.while_down(|scene| fs::remove_dir_all(scene.path("pod")).unwrap()), ["LOST"]);
        assert_eq!(scene.while_down(|_| ()), [""; 0]);
    }
}

#[test]
fn one_that_the_glob_matches_under_its_new_name_goes_on_there() {
    for mut scene in scenes("app.log*") {
        let given = scene.while_down(|scene| {
            scene.write("app.log", "f\n");
            scene.rename("app.log", "app.log.1");
        });
        assert_eq!(given, ["half"]);
        assert_eq!(scene.followed(), ["app.log.1"]);
        scene.write("app.log.1", "3\n");
        scene.bench.look();
        assert_eq!(scene.while_down(|scene| scene.write("app.log.1", "4\n")), ["4"]);
        let lines = ["x/app.log", "x/app.log.1"].map(|channel| scene.bench.disk.lines_of(channel));
        assert_eq!(lines, [vec!["1", "2", "half"], vec!["3", "4"]]);
    }
}

#[test]
fn one_that_was_copied_to_a_name_that_the_glob_matches_is_read_once() {
    for mut scene in scenes("app.log*") {
        let given = scene.while_down(|scene| {
            scene.write("app.log", "f\n");
            scene.copy("app.log", "app.log.1");
            scene.delete("app.log");
        });
        assert_eq!(given, ["half", "LOST"]);
        assert_eq!(scene.while_down(|scene| scene.write("app.log.1", "3\n")), ["3"]);
    }
}

#[test]
fn whenever_the_daemon_ends_meanwhile_nothing_is_doubled_or_missing() {
    for is_deleted in [false, true] {
        for at in 0..8 {
            let mut scene = scene("app.log*", options());
            scene.bench.end();
            scene.write("app.log", "f\n3\n");
            scene.rename("app.log", "app.log.1");
            if is_deleted {
                scene.delete("app.log.1");
            }
            let_the_clock_step();
            let run = Run::start(&scene.bench);
            let commits = run.store.recorded();
            scene.bench.disk.take(&commits[..commits.len().min(at)]);
            drop(run);
            scene.bench.look();
            assert_eq!(scene.while_down(|_| ()), [""; 0]);
            let expected = if is_deleted { &["LOST"][..] } else { &["half", "3"] };
            assert_eq!(scene.bench.lines(), [&["1", "2"], expected].concat(), "ended behind {at} commits");
        }
    }
}

#[test]
fn a_position_that_another_path_has_taken_over_is_not_looked_for_again() {
    let mut scene = scene("*.log", options());
    let stored = scene.bench.disk.positions.values().next().unwrap().clone();
    scene.rename("app.log", "b.log");
    scene.bench.end();
    // Both channels say to read the file, as after an end in the middle of its handing over, and the one that it was handed over to comes first.
    let mut position = Position::parse(&stored).unwrap();
    position.path = path_sum(&scene.path("b.log"));
    let mut text = String::new();
    position.write(&mut text);
    scene.bench.disk.positions.insert("x/b.log".parse().unwrap(), text.into());
    scene.bench.files = ["b*.log", "app*.log"].map(|pattern| matching("x", &scene.path(pattern)).remove(0)).into();
    scene.bench.look();
    assert_eq!(scene.while_down(|scene| scene.write("b.log", "f\n")), ["half"]);
    assert_eq!(scene.while_down(|scene| scene.delete("b.log")), ["LOST"], "for one of them");
    assert_eq!(scene.while_down(|_| ()), [""; 0]);
}

#[test]
fn every_name_of_a_channel_leads_back() {
    let long = "kube-prometheus-stack-prometheus-node-exporter%0123456789abcdef".repeat(3);
    let name = format!("{long}.log");
    for (source, depth) in [(None, "a"), (None, long.as_str()), (Some("x"), "a b"), (Some(&*"y".repeat(90)), "ü")] {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join(depth);
        fs::create_dir(&directory).unwrap();
        append(&directory.join(&name), "1\n");
        append(&directory.join("b.log"), "1\n");
        let files = Files::Matching {
            name: source.map(|source| source.parse().unwrap()),
            glob: Glob::parse(&root.path().join("*/*.log")).unwrap(),
        };
        let mut bench = Bench::start(vec![wanted(files)], options());
        bench.while_down(|| {
            append(&directory.join(&name), "2\n");
            fs::rename(directory.join(&name), directory.join(format!("{name}.1"))).unwrap();
            fs::remove_file(directory.join("b.log")).unwrap();
        });
        bench.while_down(|| ());
        let mut lines = bench.lines();
        lines.sort_unstable();
        assert_eq!(lines, ["1", "1", "2", "LOST"], "{source:?} {depth:?}");
    }
}

#[test]
fn only_the_source_that_would_have_made_the_channel_looks_for_its_file() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    append(&path("a.log"), "1\n");
    let glob = |name: &str, pattern: &str| matching(name, &path(pattern)).remove(0);
    let mut bench = Bench::start(vec![glob("x", "a*.log"), glob("x", "*.log"), glob("y", "*.log")], options());
    bench.files = vec![glob("z", "*.log"), glob("x", "b*.log")];
    bench.while_down(|| fs::remove_file(path("a.log")).unwrap());
    assert_eq!(bench.lines(), ["1"], "no source leads to it");
    bench.files = vec![glob("x", "a*.log"), glob("x", "*.log"), glob("y", "*.log")];
    bench.while_down(|| ());
    assert_eq!(bench.lines(), ["1", "LOST"]);
    assert_eq!(bench.disk.lines_of("x/a.log"), ["1", "LOST"]);
}

#[test]
fn neighbours_that_were_made_meanwhile_are_new() {
    let mut scene = Scene::new(|root| beginning(Begin::End, matching("x", &root.join("*.log"))), options());
    let given = scene.while_down(|scene| {
        scene.delete("app.log");
        scene.write("b.log", "3\n4\n");
    });
    assert_eq!(given, ["LOST", "3", "4"]);
}
