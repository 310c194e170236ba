use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::{Bridge, Get, command, eventually, lines};

/// A daemon with a configuration file that can be written anew.
pub struct Scene {
    root: TempDir,
    pub bridge: Bridge,
    reloads: usize,
}

impl Scene {
    pub fn start(text: impl FnOnce(&Path) -> String) -> Self {
        Self::start_by(text, Bridge::spawn)
    }

    /// One whose standard input is a service's: there is none.
    fn start_as_a_service(text: impl FnOnce(&Path) -> String) -> Self {
        Self::start_by(text, |mut command| {
            command.stdin(Stdio::null()).stdout(Stdio::null());
            Bridge::spawn_as(command)
        })
    }

    fn start_by(text: impl FnOnce(&Path) -> String, spawn: impl FnOnce(Command) -> Bridge) -> Self {
        let root = tempfile::tempdir().unwrap();
        let config = root.path().join("x.toml");
        fs::write(&config, format!("port = 0\n{}", text(root.path()))).unwrap();
        let bridge = spawn(command(&["--config", config.to_str().unwrap()]));
        Self { root, bridge, reloads: 0 }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn append(&self, name: &str, text: &str) {
        append(&self.path(name), text);
    }

    /// Writes the file anew, and waits until the daemon has said what it makes of it; gives that.
    pub fn reload(&mut self, text: impl FnOnce(&Path) -> String) -> String {
        fs::write(self.path("x.toml"), format!("port = 0\n{}", text(self.root.path()))).unwrap();
        self.bridge.signal("HUP");
        self.reloads += 1;
        let wanted = self.reloads;
        let is_one = |line: &&str| line.starts_with("reloaded: ") || line.contains("could not reload");
        let said = eventually("the reload", || self.bridge.stderr(), |said| said.lines().filter(is_one).count() == wanted);
        let last = said.lines().rfind(is_one).unwrap();
        last.to_owned()
    }

    /// What `/channels` says of a channel's state.
    pub fn state(&self, channel: &str) -> String {
        let text = self.bridge.get("/channels").text();
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        let is_it = |entry: &&serde_json::Value| entry["name"] == channel;
        all["channels"]
            .as_array()
            .unwrap()
            .iter()
            .find(is_it)
            .map(|entry| format!("{} {}", entry["state"], entry["reason"]))
            .unwrap_or_default()
    }
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn source(root: &Path, name: &str, more: &str) -> String {
    format!("[[source]]\nname = \"{name}\"\nread = \"{}/{name}.log\"\n{more}\n", root.display())
}

fn next_line(client: &mut Get) -> String {
    client.next_event().unwrap().data
}

#[test]
fn sources_come_and_go_and_others_do_not_notice() {
    let mut scene = Scene::start(|root| {
        append(&root.join("a.log"), "a1\n");
        append(&root.join("b.log"), "b1\n");
        source(root, "a", "") + &source(root, "b", "")
    });
    let (mut all, mut a) = (scene.bridge.get("/events?tail=all"), scene.bridge.get("/events/a?tail=all"));
    assert_eq!((lines(&all.events(2)), next_line(&mut a)), (vec!["a1", "b1"], "a1".to_owned()));
    scene.append("c.log", "c1\n");
    assert_eq!(
        scene.reload(|root| source(root, "a", "") + &source(root, "c", "")),
        "reloaded: 1 sources added, 1 removed, 0 changed"
    );
    assert_eq!(next_line(&mut all), "c1", "the same stream goes on");
    scene.append("b.log", "b2\n");
    scene.append("a.log", "a2\n");
    assert_eq!((next_line(&mut all), next_line(&mut a)), ("a2".to_owned(), "a2".to_owned()), "nobody reads b");
    assert_eq!(lines(&scene.bridge.get("/events/b?tail=all&follow=0").rest()), ["b1"], "it keeps its history");
    eventually("the state of b", || scene.state("b"), |state| state.contains("not configured any more"));
    assert_eq!(
        scene.reload(|root| source(root, "a", "") + &source(root, "b", "")),
        "reloaded: 1 sources added, 1 removed, 0 changed"
    );
    assert_eq!(next_line(&mut all), "b2", "it goes on where it was left");
    assert_eq!(scene.reload(|root| source(root, "a", "") + &source(root, "b", "")), "reloaded: the same sources");
}

#[test]
fn an_unfinished_line_of_a_source_that_goes_is_an_event() {
    let mut scene = Scene::start(|root| source(root, "a", "") + &source(root, "b", ""));
    let mut all = scene.bridge.get("/events?tail=all");
    scene.append("a.log", "one\nhal");
    assert_eq!(lines(&all.events(2)), ["one"], "behind start");
    scene.reload(|root| source(root, "b", ""));
    assert_eq!(next_line(&mut all), "hal");
    scene.append("a.log", "f\ntwo\n");
    scene.reload(|root| source(root, "a", "") + &source(root, "b", ""));
    assert_eq!([next_line(&mut all), next_line(&mut all)], ["f", "two"]);
}

#[test]
fn the_lines_of_a_file_go_another_way_from_the_next_one_on() {
    let mut scene = Scene::start(|root| source(root, "a", "format = \"json\"\ndata-field = \"m\""));
    let mut all = scene.bridge.get("/events?tail=all");
    scene.append("a.log", "{\"m\":\"one\"}\n{\"m\":");
    assert_eq!(lines(&all.events(2)), ["one"]);
    assert_eq!(scene.reload(|root| source(root, "a", "redact = ['secret']")), "reloaded: 0 sources added, 0 removed, 1 changed");
    scene.append("a.log", "\"two\"}\n{\"m\":\"secret\"}\n");
    let rest = [next_line(&mut all), next_line(&mut all)];
    assert_eq!(rest[1], "{\"m\":\"[redacted]\"}");
    assert_eq!(rest[0], "two", "of this line something had been read");
}

#[test]
fn a_pipe_loses_nothing_when_it_is_read_another_way() {
    let mut scene = Scene::start(|root| format!("[[source]]\nname = \"p\"\nread = \"fifo:{}/p\"\n", root.display()));
    let mut all = scene.bridge.get("/events?tail=all");
    let mut writer = OpenOptions::new().write(true).open(scene.path("p")).unwrap();
    writer.write_all(b"one\n").unwrap();
    assert_eq!(lines(&all.events(2)), ["one"]);
    for round in 0..5 {
        writer.write_all(format!("before {round}\n").as_bytes()).unwrap();
        let change = scene
            .reload(|root| format!("[[source]]\nname = \"p\"\nread = \"fifo:{}/p\"\nevent-type = \"t{round}\"\n", root.display()));
        assert_eq!(change, "reloaded: 0 sources added, 0 removed, 1 changed");
        writer.write_all(format!("behind {round}\n").as_bytes()).unwrap();
        assert_eq!([next_line(&mut all), next_line(&mut all)], [format!("before {round}"), format!("behind {round}")]);
    }
    drop(writer);
    scene.reload(|root| source(root, "a", ""));
    eventually("the state of p", || scene.state("p"), |state| state.contains("not configured any more"));
}

#[test]
fn a_command_that_is_left_out_is_ended_and_one_that_has_changed_runs_again() {
    let command = |more: &str| format!("[[source]]\nname = \"c\"\nread = \"exec:echo $$; exec sleep 600\"\n{more}\n");
    let mut scene = Scene::start(|root| source(root, "a", "") + &command(""));
    let first = || scene.bridge.get("/events/c/stdout?tail=all&follow=0").rest().into_iter().find(|event| event.event == "message");
    let process = eventually("the first run", first, Option::is_some).unwrap().data;
    let is_there = |process: &str| Path::new("/proc").join(process).exists();
    assert!(is_there(&process));
    let change = scene.reload(|root| source(root, "a", "") + &command("event-type = \"x\""));
    assert_eq!(change, "reloaded: 0 sources added, 0 removed, 1 changed");
    eventually("the end of the first run", || is_there(&process), |there| !there);
    let second = eventually(
        "the second run",
        || {
            scene
                .bridge
                .get("/events/c/stdout?tail=all&follow=0")
                .rest()
                .into_iter()
                .rfind(|event| event.event == "x")
                .map(|event| event.data)
        },
        Option::is_some,
    )
    .unwrap();
    assert!(is_there(&second) && second != process);
    scene.reload(|root| source(root, "a", ""));
    eventually("the end of the second run", || is_there(&second), |there| !there);
    eventually("the state of the command", || scene.state("c/stdout"), |state| state.contains("not configured any more"));
    assert!(!scene.bridge.stderr().contains("panicked"));
}

#[test]
fn commands_can_come_to_a_daemon_that_had_none() {
    let mut scene = Scene::start(|root| source(root, "a", ""));
    scene.reload(|root| source(root, "a", "") + "[[source]]\nname = \"c\"\nread = \"exec:echo one; exit 3\"\n");
    let events = scene.bridge.get("/events/c/stdout?tail=all").rest();
    assert!(events.iter().any(|event| event.event == "end" && event.data.contains("\"exit\":3")), "{events:?}");
}

#[test]
fn a_broken_file_changes_nothing_and_says_why() {
    let mut scene = Scene::start(|root| source(root, "a", ""));
    let mut all = scene.bridge.get("/events?tail=all");
    for (text, why) in [
        ("prot = 1\n", "x.toml:2: 'prot' is no option; hint: did you mean 'port'?"),
        ("[[source]]\nread = 1", "'read' takes text"),
        ("history = \"1KiB\"", "--history 1.0 KiB is too small"),
    ] {
        let said = scene.reload(|_| text.to_owned());
        assert!(said.contains("could not reload: ") && said.contains(why) && said.contains("going on as before"), "{said}");
    }
    scene.append("a.log", "one\n");
    assert_eq!(lines(&all.events(2)), ["one"]);
}

#[test]
fn a_file_without_any_source_changes_nothing_in_a_service() {
    let mut scene = Scene::start_as_a_service(|root| source(root, "a", ""));
    let mut all = scene.bridge.get("/events?tail=all");
    scene.append("a.log", "one\n");
    assert_eq!(lines(&all.events(2)), ["one"]);
    for text in ["", "title = \"Other\"\n"] {
        let said = scene.reload(|_| text.to_owned());
        let words = ["could not reload: nothing to read: '", "x.toml' names no source", "; going on as before"];
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    }
    scene.append("a.log", "two\n");
    assert_eq!(next_line(&mut all), "two");
    assert!(!scene.bridge.get("/").text().contains("<title>Other</title>"), "nothing of it was taken");
    assert_eq!(scene.reload(|root| source(root, "a", "")), "reloaded: the same sources");
}

/// Then standard input would be the source, as at a start, and for that the daemon must start again.
#[test]
fn a_file_without_any_source_leaves_them_all_where_there_is_an_input() {
    let mut scene = Scene::start(|root| source(root, "a", ""));
    let mut all = scene.bridge.get("/events?tail=all");
    scene.append("a.log", "one\n");
    assert_eq!(lines(&all.events(2)), ["one"]);
    assert_eq!(scene.reload(|_| String::new()), "reloaded: 0 sources added, 1 removed, 0 changed");
    scene.bridge.wait_for_stderr("another start is needed for: the source '-'");
    eventually("the state of a", || scene.state("a"), |state| state.contains("not configured any more"));
    assert_eq!(lines(&scene.bridge.get("/events/a?tail=all&follow=0").rest()), ["one"], "it keeps its history");
    scene.append("a.log", "two\n");
    assert_eq!(scene.reload(|root| source(root, "a", "")), "reloaded: 1 sources added, 0 removed, 0 changed");
    assert_eq!(next_line(&mut all), "two", "it goes on where it was left");
}

#[test]
fn what_needs_another_start_is_named_in_one_line() {
    let mut scene = Scene::start(|root| source(root, "a", ""));
    let more = "write-timeout = \"5m\"\npoll = true\nlog-format = \"json\"\n";
    scene.reload(|root| more.to_owned() + &source(root, "a", "") + "[[source]]\nread = \"-\"\n");
    let said = scene.bridge.wait_for_stderr("another start is needed for: ");
    let line = said.lines().find(|line| line.contains("another start")).unwrap();
    assert_eq!(line, "warning: another start is needed for: rotate-wait and poll, write-timeout, log-format, the source '-'");
}

#[test]
fn limits_and_names_and_messages_change() {
    let mut scene = Scene::start(|root| "max-clients = 1\n".to_owned() + &source(root, "a", ""));
    let first = scene.bridge.get("/events");
    assert_eq!(scene.bridge.get_with("/events", &[("Accept", "*/*")]).status(), 503);
    assert_eq!(scene.bridge.get_with("/channels", &[("Host", "logs.example")]).status(), 421);
    let more = "max-clients = 200\ntitle = \"Other\"\nallow-host = [\"logs.example\"]\nverbose = true\ntail = 0\n";
    scene.reload(|root| more.to_owned() + &source(root, "a", ""));
    let crowd: Vec<_> = (0..150).map(|_| scene.bridge.get("/events")).collect();
    assert!(crowd.iter().all(|client| client.status() == 200));
    assert_eq!(scene.bridge.get_with("/channels", &[("Host", "logs.example")]).status(), 200);
    assert!(scene.bridge.get("/").text().contains("<title>Other</title>"));
    scene.append("a.log", "one\n");
    scene.bridge.wait_for_stderr("debug: ");
    drop(first);
}

#[test]
fn a_glob_goes_on_with_a_file_whose_own_source_has_gone() {
    let mut scene = Scene::start(|root| {
        append(&root.join("a.log"), "1\n");
        format!(
            "[[source]]\nread = \"{0}/*.log\"\n[[source]]\nread = \"{0}/a.log\"\nformat = \"text\"\nevent-type = \"own\"\n",
            root.display()
        )
    });
    let mut all = scene.bridge.get("/events?tail=all");
    let first = all.next_event().unwrap();
    assert_eq!((first.event.as_str(), first.data.as_str()), ("own", "1"));
    scene.reload(|root| format!("[[source]]\nread = \"{}/*.log\"\n", root.display()));
    scene.append("a.log", "2\n");
    let second = all.next_event().unwrap();
    assert_eq!((second.event.as_str(), second.data.as_str()), ("message", "2"), "once, and not the first again");
}

#[test]
fn a_command_that_has_ended_is_not_begun_again() {
    let command = |more: &str| format!("[[source]]\nname = \"c\"\nread = \"exec:echo once\"\n{more}");
    let mut scene = Scene::start(|root| source(root, "a", "") + &command(""));
    let lines_of = |scene: &Scene| {
        scene.bridge.get("/events/c/stdout?tail=all&follow=0").rest().iter().filter(|e| e.event == "message").count()
    };
    scene.bridge.wait_for_stderr("c ended");
    assert_eq!(scene.reload(|root| source(root, "a", "") + &command("")), "reloaded: the same sources");
    assert_eq!(
        scene.reload(|root| source(root, "b", "") + &command("event-type = \"x\"\n")),
        "reloaded: 1 sources added, 1 removed, 0 changed"
    );
    assert_eq!(lines_of(&scene), 1);
    assert_eq!(scene.reload(|root| source(root, "b", "")), "reloaded: 0 sources added, 1 removed, 0 changed");
}
