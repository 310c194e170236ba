//! Sources, their names, and what is no source. Also what the other files of these tests stand on: a directory of their own, and
//! what the daemon says of its channels.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::stat::Mode;
use serde_json::Value;
use tempfile::TempDir;

pub use crate::harness::eventually;
use crate::harness::parser::Message;
use crate::harness::{Bridge, Get, PATIENCE, command, lines, run_to_end};

/// A directory of a test's own.
pub struct Ground(TempDir);

impl Ground {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One that lies in a directory of a certain file system.
    pub fn on(directory: &Path) -> Self {
        Self(tempfile::tempdir_in(directory).unwrap())
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// The path of a name in it.
    pub fn at(&self, name: &str) -> String {
        self.root().join(name).into_os_string().into_string().unwrap()
    }

    /// The channel of a path in it that has no name of its own.
    pub fn channel(&self, name: &str) -> String {
        self.at(name).trim_start_matches('/').to_owned()
    }

    /// Writes a file, with the directories that it lies in; gives its path.
    pub fn write(&self, name: &str, content: &str) -> String {
        let path = self.at(name);
        fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Appends to a file, which need not be there.
    pub fn append(&self, name: &str, content: &str) {
        append(Path::new(&self.at(name)), content);
    }

    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.at(from), self.at(to)).unwrap();
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.at(name)).unwrap();
    }

    /// Makes a named pipe; gives its path.
    pub fn pipe(&self, name: &str) -> String {
        let path = self.at(name);
        nix::unistd::mkfifo(&*path, Mode::from_bits_truncate(0o600)).unwrap();
        path
    }

    /// All that lies in it, with what a look could change.
    fn listing(&self) -> BTreeSet<(PathBuf, u32, u64, i64)> {
        let entries = fs::read_dir(self.root()).unwrap().map(|entry| entry.unwrap().path());
        let shown = entries.map(|path| {
            let metadata = fs::symlink_metadata(&path).unwrap();
            (path, metadata.mode(), metadata.size(), metadata.mtime_nsec())
        });
        shown.collect()
    }
}

pub fn append(path: &Path, content: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(content.as_bytes()).unwrap();
}

/// Starts the daemon with something on its standard input that says nothing and does not end.
pub fn start(arguments: &[impl AsRef<OsStr>]) -> Bridge {
    let mut command = command(&["--port", "0"]);
    command.args(arguments);
    Bridge::spawn(command)
}

/// A bash script in which `sse-bridge` is the daemon under test; it should end in `exec sse-bridge`.
pub fn shell(script: &str) -> Command {
    let daemon = command(&[]);
    let directory = Path::new(daemon.get_program()).parent().unwrap().display().to_string();
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("PATH='{directory}':\"$PATH\"; {script}")]);
    bash
}

/// The daemon without root's right to read everything.
pub fn unprivileged(arguments: &[&str]) -> Command {
    let daemon = command(&[&["--port", "0"], arguments].concat());
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return daemon;
    }
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--bounding-set", "-dac_override,-dac_read_search"]).arg(daemon.get_program()).args(daemon.get_args());
    setpriv
}

/// The channel that an event's id names.
pub fn channel_of(event: &Message) -> &str {
    event.id.split_once('/').map_or("", |(_, channel)| channel)
}

/// The next lines of a stream; what is said between them is passed over.
pub fn next_lines(get: &mut Get, count: usize) -> Vec<String> {
    let mut found = Vec::new();
    while found.len() < count {
        let Some(event) = get.next_event() else { panic!("the stream ended ({:?}) after {found:?}", get.end) };
        if event.event == "message" {
            found.push(event.data);
        }
    }
    found
}

/// All lines that are retained.
pub fn all_lines(bridge: &Bridge, path: &str) -> Vec<String> {
    lines(&bridge.get(&format!("{path}?tail=all&follow=0")).rest()).into_iter().map(str::to_owned).collect()
}

/// What `/channels` says of each: name, state, reason.
pub fn channels(bridge: &Bridge) -> Vec<(String, String, String)> {
    let status: Value = serde_json::from_str(&bridge.get("/channels").text()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let channels = status["channels"].as_array().unwrap().iter();
    channels.map(|channel| (text(&channel["name"]), text(&channel["state"]), text(&channel["reason"]))).collect()
}

pub fn names(bridge: &Bridge) -> Vec<String> {
    channels(bridge).into_iter().map(|(name, ..)| name).collect()
}

/// Waits until a channel is in a state for a reason with these words.
pub fn wait_for_state(bridge: &Bridge, name: &str, state: &str, words: &str) {
    eventually(
        &format!("channel {name} {state} ({words})"),
        || channels(bridge),
        |channels| {
            channels.iter().any(|(known, is, reason)| {
                known == name && is == state && reason.contains(words) && reason.is_empty() == words.is_empty()
            })
        },
    );
}

/// What a counter stands at.
pub fn metric(bridge: &Bridge, name: &str) -> u64 {
    bridge.metric(name)
}

/// The time on a processor that the daemon has had, in milliseconds: user's and system's.
pub fn cpu_time(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let spent = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("schedstat")).ok());
    let nanoseconds: u64 = spent.map(|text| text.split(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    if nanoseconds > 0 {
        return nanoseconds / 1_000_000;
    }
    // A kernel without schedstat: hundredths of a second (proc_pid_stat(5)).
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
}

/// Runs a command line that cannot be run, and gives the one line that it says.
fn refused(arguments: &[&str]) -> String {
    refusal(run_to_end(&[&["--port", "0"], arguments].concat(), Stdio::null()))
        .unwrap_or_else(|wrong| panic!("{arguments:?}: {wrong}"))
}

/// Says that a command line can be run.
fn accepted(arguments: &[impl AsRef<str>]) {
    let arguments: Vec<_> = ["--check"].into_iter().chain(arguments.iter().map(AsRef::as_ref)).collect();
    let (code, _, err) = run_to_end(&arguments, Stdio::null());
    assert_eq!(code, 0, "{arguments:?}: {err}");
}

/// What the daemon says in a shell whose script cannot be run: `sources` in this directory, once descriptors are as `exec` makes them.
fn refused_in(directory: &Path, exec: &str, sources: &str) -> String {
    // What is not refused ends with the code of `timeout`.
    let script =
        format!("cd '{}'; exec {exec}; exec timeout {} sse-bridge --port 0 {sources}", directory.display(), PATIENCE.as_secs());
    let output = shell(&script).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    refusal((output.status.code().unwrap(), text(output.stdout), text(output.stderr)))
        .unwrap_or_else(|wrong| panic!("{exec}; {sources}: {wrong}"))
}

fn refusal((code, out, err): (i32, String, String)) -> Result<String, String> {
    let text = err.strip_prefix("sse-bridge: ").unwrap_or("");
    let hint = err.trim_end().rsplit_once("; hint: ").map_or("", |(_, hint)| hint);
    match () {
        () if code != 2 => Err(format!("ended with {code}: {err}")),
        () if !out.is_empty() => Err(format!("wrote to standard output: {out}")),
        () if !err.ends_with('\n') || err.lines().count() != 1 => Err(format!("is not one line: {err:?}")),
        () if !text.starts_with(|first: char| first.is_lowercase() || "'-".contains(first)) => {
            Err(format!("begins wrongly: {err}"))
        }
        () if err.contains("(os error") || hint.len() < 5 => Err(format!("tells too much or too little: {err}")),
        () => Ok(err),
    }
}

#[test]
fn sources_of_every_kind_are_merged_and_each_has_its_channel() {
    let ground = Ground::new();
    ground.write("web/access.log", "");
    ground.write("deep/a/b/x.log", "");
    ground.write("app.log", "");
    ground.write("[a]*.txt", "");
    ground.write("a-other.txt", "not meant\n");
    let pipe = ground.pipe("pipe");
    let root = ground.at("");
    let sources = [
        "-".to_owned(),
        format!("web={root}/web/*.log"),
        format!("{root}/deep/**/*.log"),
        ground.at("app.log"),
        ground.at("late.log"),
        format!("odd=file:{root}/[a]*.txt"),
        pipe.clone(),
        format!("made=fifo:{root}/made"),
    ];
    let mut bridge = start(&sources);
    assert!(fs::metadata(ground.at("made")).unwrap().file_type().is_fifo(), "there when the daemon says that it listens");
    let mut all = bridge.get("/events?tail=all");
    assert_eq!(all.events(1)[0].event, "start");
    let mut web = bridge.get("/events/web");
    let mut below = bridge.get(&format!("/events/{}", ground.channel("deep")));
    web.events(1);
    below.events(1);

    bridge.feed(b"from stdin\n");
    ground.append("web/access.log", "from a glob\n");
    ground.append("web/error.log", "from a new file of a glob\n");
    ground.append("deep/a/b/x.log", "from below\n");
    ground.append("deep/top.log", "from no depth\n");
    ground.append("app.log", "from a file\n");
    ground.append("late.log", "from a late file\n");
    ground.append("[a]*.txt", "from an odd name\n");
    fs::write(&pipe, "from a pipe\n").unwrap();
    fs::write(ground.at("made"), "from a made pipe\n").unwrap();

    let events = all.events(10);
    let found: BTreeSet<_> = events.iter().map(|event| (channel_of(event).to_owned(), event.data.clone())).collect();
    let expected = [
        ("stdin".to_owned(), "from stdin"),
        ("web/access.log".to_owned(), "from a glob"),
        ("web/error.log".to_owned(), "from a new file of a glob"),
        (ground.channel("deep/a/b/x.log"), "from below"),
        (ground.channel("deep/top.log"), "from no depth"),
        (ground.channel("app.log"), "from a file"),
        (ground.channel("late.log"), "from a late file"),
        ("odd".to_owned(), "from an odd name"),
        (ground.channel("pipe"), "from a pipe"),
        ("made".to_owned(), "from a made pipe"),
    ];
    assert_eq!(found, expected.map(|(channel, line)| (channel, line.to_owned())).into());
    let prefixed = |get: &mut Get| next_lines(get, 2).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(prefixed(&mut web), ["from a glob", "from a new file of a glob"].map(str::to_owned).into());
    assert_eq!(prefixed(&mut below), ["from below", "from no depth"].map(str::to_owned).into());
    all.assert_strict();
}

#[test]
fn what_a_shell_substitutes_is_read_to_its_end() {
    let mut bridge = Bridge::spawn(shell("exec sse-bridge --port 0 build=<(printf 'one\\ntwo') test=<(echo three) <(echo four)"));
    let events = bridge.get("/events?tail=all").rest();
    let of = |channel: &str| -> Vec<_> {
        events.iter().filter(|event| channel_of(event) == channel).map(|event| (event.event.clone(), event.data.clone())).collect()
    };
    let line = |text: &str| ("message".to_owned(), text.to_owned());
    let end = |channel: &str| ("end".to_owned(), format!(r#"{{"channel":"{channel}","reason":"eof","exit":null}}"#));
    assert_eq!(of("build"), [line("one"), line("two"), end("build")]);
    assert_eq!(of("test"), [line("three"), end("test")]);
    let unnamed = names(&bridge).into_iter().find(|name| name.starts_with("dev/fd/")).unwrap();
    assert_eq!(of(&unnamed), [line("four"), end(&unnamed)]);
    assert_eq!(events.len(), 7, "{events:?}");
    bridge.wait_for_stderr("still serving");
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
}

#[test]
fn with_exit_on_eof_it_ends_when_every_descriptor_has_ended() {
    let ended =
        shell("exec sse-bridge --port 0 --exit-on-eof=1s a=<(echo one) b=<(echo two; sleep 0.2; echo three)").output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let err = String::from_utf8(ended.stderr).unwrap();
    assert!(err.contains("a ended after 1 line; the others go on\n") && err.contains("b ended after 2 lines; stopping"), "{err}");
}

#[test]
fn standard_input_by_its_path_is_standard_input() {
    for source in ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "stdin:", "-"] {
        let mut bridge = start(&[source]);
        bridge.feed(b"one\n");
        bridge.end_input();
        let events = bridge.get("/events/stdin?tail=all").rest();
        assert_eq!((lines(&events), &*events.last().unwrap().event), (vec!["one"], "end"), "{source}");
        assert_eq!(names(&bridge), ["stdin"], "{source}");
    }
    let mut bridge = start(&["input=/dev/stdin"]);
    bridge.feed(b"one\n");
    assert_eq!(next_lines(&mut bridge.get("/events/input?tail=all"), 1), ["one"]);
}

#[test]
fn the_input_beside_other_sources_is_read_only_if_that_is_said() {
    let ground = Ground::new();
    let file = ground.write("app.log", "");
    let warning = "warning: standard input is a pipe and is not read; add '-'";
    let piped = start(&[&file]);
    assert!(piped.stderr().contains(warning), "{}", piped.stderr());
    for arguments in [&[&*file, "-"][..], &["-"], &[]] {
        let bridge = start(arguments);
        assert!(!bridge.stderr().contains("is not read"), "{arguments:?}: {}", bridge.stderr());
    }
    let bridge = Bridge::spawn(shell(&format!("exec sse-bridge --port 0 '{file}' </dev/null")));
    assert!(!bridge.stderr().contains("is not read"), "{}", bridge.stderr());
}

#[test]
fn a_file_beside_an_input_that_ended_does_not_hold_the_daemon() {
    let ground = Ground::new();
    let file = ground.write("app.log", "of the file\n");
    let mut bridge = start(&["--exit-on-eof=5s", "-", &file]);
    let mut client = bridge.get("/events?tail=all");
    bridge.feed(b"of the input\n");
    let found: BTreeSet<_> = next_lines(&mut client, 2).into_iter().collect();
    assert_eq!(found, ["of the file", "of the input"].map(str::to_owned).into());
    bridge.end_input();
    let rest = client.rest();
    assert_eq!(rest.iter().map(|event| &*event.event).collect::<Vec<_>>(), ["end"]);
    assert_eq!(bridge.wait(), 0, "{}", bridge.stderr());
}

#[test]
fn names_are_a_function_of_source_and_path() {
    let ground = Ground::new();
    for name in
        ["app.log", "b.log", "named", "x/1.log", "y/1.log", "g/k=v.log", "g/my app.log", "key=value.log", "value.log", "[x]*.log"]
    {
        ground.write(name, "");
    }
    fs::write(ground.root().join(OsStr::from_bytes(b"g/\xff\n.log")), "").unwrap();
    let root = ground.at("");
    let base = ground.channel("").trim_end_matches('/').to_owned();
    let relative = |path: &str| format!("{base}/{path}");
    let cases: [(&str, &[&str]); 12] = [
        (&format!("{root}/app.log"), &["app.log"]),
        ("app.log", &["app.log"]),
        ("./x/..//./app.log", &["app.log"]),
        ("./key=value.log", &["key%3Dvalue.log"]),
        ("file:[x]*.log", &["%5Bx%5D%2A.log"]),
        ("*/1.log", &["x/1.log", "y/1.log"]),
        (&format!("{root}/g/*"), &["g/%FF%0A.log", "g/k%3Dv.log", "g/my%20app.log"]),
        ("key=value.log", &["=key"]),
        ("a/b=named", &["=a/b"]),
        ("web=*/1.log", &["=web/x/1.log", "=web/y/1.log"]),
        ("web=./g/*", &["=web/%FF%0A.log", "=web/k%3Dv.log", "=web/my%20app.log"]),
        ("web=**/1.log", &["=web/x/1.log", "=web/y/1.log"]),
    ];
    for (source, expected) in cases {
        let expected: BTreeSet<_> =
            expected.iter().map(|name| name.strip_prefix('=').map_or_else(|| relative(name), str::to_owned)).collect();
        let mut daemon = command(&["--port", "0", source]);
        daemon.current_dir(ground.root());
        let found: BTreeSet<_> = names(&Bridge::spawn(daemon)).into_iter().collect();
        assert_eq!(found, expected, "{source}");
    }
}

#[test]
fn no_name_changes_because_another_file_appears() {
    let ground = Ground::new();
    ground.write("logs/b.log", "");
    let glob = format!("web={}", ground.at("logs/*.log"));
    let bridge = start(&[&glob]);
    assert_eq!(names(&bridge), ["web/b.log"], "also where it is the only one");
    ground.write("logs/a.log", "line\n");
    eventually("two channels", || names(&bridge), |names| names.len() == 2);
    assert_eq!(names(&bridge), ["web/b.log", "web/a.log"]);
    drop(bridge);
    let found: BTreeSet<_> = names(&start(&[&glob])).into_iter().collect();
    assert_eq!(found, ["web/a.log", "web/b.log"].map(str::to_owned).into());
}

#[test]
fn a_name_of_300_bytes_is_shortened_the_same_way_every_time() {
    let ground = Ground::new();
    let long = |middle: &str| format!("{}/{}{middle}{}.log", "d".repeat(100), "x".repeat(120), "y".repeat(80));
    let (one, other) = (long("1"), long("2"));
    ground.write(&one, "of one\n");
    ground.write(&other, "of the other\n");
    let glob = ground.at("*/*.log");
    let mut seen = Vec::new();
    for _ in 0..3 {
        let bridge = start(&[&glob]);
        let mut found: Vec<_> = names(&bridge);
        found.sort();
        assert!(found.len() == 2 && found[0] != found[1], "{found:?}");
        for name in &found {
            assert!(name.len() <= 90 && name.ends_with("yyy.log") && name.contains('~'), "{} bytes: {name}", name.len());
            assert_eq!(all_lines(&bridge, &format!("/events/{name}")).len(), 1, "{name}");
        }
        seen.push(found);
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    // Alone, and by itself, each has the name that it has beside the other.
    let alone = names(&start(&[&ground.at(&one)]));
    assert!(alone.len() == 1 && seen[0].contains(&alone[0]), "{alone:?} {seen:?}");
}

#[test]
fn a_name_that_may_come_is_waited_for_and_any_other_is_not_there() {
    let ground = Ground::new();
    fs::create_dir(ground.at("l")).unwrap();
    let root = ground.at("");
    let bridge = start(&[
        format!("web={root}/l/*.log"),
        format!("deep={root}/d/**/x?.log"),
        format!("{root}/late"),
        format!("p=fifo:{root}/no/pipe"),
        format!("{root}/l/[ab].txt"),
    ]);
    let (late, text) = (ground.channel("late"), ground.channel("l/a.txt"));
    for (name, status) in [
        ("", 200),
        ("/web", 200),
        ("/web/new.log", 200),
        ("/web/my%20app.log", 200),
        ("/web/new.txt", 404),
        ("/web/a/new.log", 404),
        ("/web/.hidden.log", 404),
        ("/deep/x1.log", 200),
        ("/deep/a/b/x1.log", 200),
        ("/deep/a/b", 200),
        ("/deep/a/b/x12.log", 200), // a directory could be called so
        ("/p", 200),
        ("/p/below", 404),
        (&format!("/{late}"), 200),
        (&format!("/{late}r"), 404),
        (&format!("/{text}"), 200),
        (&format!("/{}", text.replace("/a.", "/c.")), 404),
        ("/stdin", 404),
        ("/nothing", 404),
    ] {
        assert_eq!(bridge.get(&format!("/events{name}")).status(), status, "{name}");
    }
    let mut client = bridge.get("/events/web/new.log");
    let mut deep = bridge.get("/events/deep/a/b/x1.log");
    assert_eq!(client.events(1)[0].event, "start");
    assert_eq!(deep.events(1)[0].event, "start");
    ground.append("l/other.log", "not asked for\n");
    ground.append("l/new.log", "first\n");
    ground.write("d/a/b/x1.log", "deep\n");
    assert_eq!(client.events(1)[0].data, "first");
    assert_eq!(deep.events(1)[0].data, "deep");
}

#[test]
fn names_given_twice_or_in_each_others_way_are_refused() {
    let ground = Ground::new();
    ground.write("a.log", "");
    let pipe = ground.pipe("p");
    let root = ground.at("");
    let file = ground.at("a.log");
    for (sources, words) in [
        (vec![format!("x={file}"), format!("x={root}/b.log")], vec!["'x'", "twice"]),
        (vec![file.clone(), file.clone()], vec!["a.log'", "twice"]),
        (vec![file.clone(), format!("{root}//./a.log")], vec!["a.log'", "twice"]),
        (vec!["-".to_owned(), format!("stdin={file}")], vec!["'stdin'", "twice"]),
        (vec![format!("x={root}/*.log"), format!("x={root}/*.txt")], vec!["'x'", "twice"]),
        (vec![format!("x={root}/*.log"), format!("x={file}")], vec!["'x'"]),
        (vec![format!("x={root}/*.log"), format!("x/a.log={root}/b")], vec!["'x/a.log'", "'x'"]),
        (vec![format!("x/y={root}/*.log"), format!("x={root}/*.txt")], vec!["'x/y'", "'x'"]),
        (vec![format!("{root}/*.log"), format!("{}={root}/b", ground.channel("a.log"))], vec!["a.log'", "glob"]),
        (vec![format!("a={pipe}"), format!("b={pipe}")], vec!["p'", "twice"]),
        (vec![format!("a=fifo:{root}/new"), format!("b=fifo:{root}/./new")], vec!["new'", "twice"]),
    ] {
        let forwards: Vec<_> = sources.iter().map(String::as_str).collect();
        let backwards: Vec<_> = forwards.iter().copied().rev().collect();
        for arguments in [forwards, backwards] {
            let line = refused(&arguments);
            assert!(words.iter().all(|word| line.contains(word)), "{arguments:?}: {line}");
        }
    }
    // What only looks alike is not refused.
    accepted(&[
        format!("x={file}"),
        format!("x/y={root}/b"),
        format!("xy={root}/*.txt"),
        format!("{root}/*.c"),
        format!("{root}/*.d"),
    ]);
}

#[test]
fn a_name_that_a_file_of_a_glob_could_have_is_refused_for_every_kind_of_source() {
    let ground = Ground::new();
    let (root, base) = (ground.at("").trim_end_matches('/').to_owned(), ground.channel("").trim_end_matches('/').to_owned());
    let pipe = ground.pipe("p");
    // Every process has a descriptor 2, and those here have a pipe for it.
    let specs = ["-", "/dev/fd/2", &pipe, &format!("fifo:{root}/new"), &format!("{root}/missing"), &ground.write("file", "")];
    let cases = [
        (format!("{root}/*.log"), vec!["a.log", "%20%FF.log"], vec!["a.txt", "x/a.log", ".a.log", "a.log/x"]),
        (format!("{root}/**/*.log"), vec!["a.log", "x/y/a.log"], vec!["a.txt", "x/.a.log"]),
        (format!("{root}/my logs/[ab]{{1,2}}"), vec!["my%20logs/a1"], vec!["my%20logs/c1", "my+logs/a1"]),
        (format!("{root}/*/a=b"), vec!["x/a%3Db"], vec!["x/a", "a%3Db"]),
    ];
    let before = ground.listing();
    for (glob, taken, free) in &cases {
        for spec in specs {
            for name in taken {
                let source = format!("{base}/{name}={spec}");
                for arguments in [[&**glob, &source], [&source, glob]] {
                    let line = refused(&arguments);
                    assert!(
                        line.contains(&format!("'{base}/{name}'")) && line.contains(&format!("'{glob}'")),
                        "{arguments:?}: {line}"
                    );
                }
            }
            free.iter().for_each(|name| accepted(&[glob.clone(), format!("{base}/{name}={spec}")]));
        }
    }
    for spec in specs {
        for source in [format!("x/a.log={spec}"), format!("x={spec}")] {
            let line = refused(&[&format!("x={root}/*.log"), &source]);
            assert!(line.contains("'x"), "{source}: {line}");
        }
        accepted(&[format!("x={root}/*.log"), format!("xy={spec}")]);
    }
    // Nobody has given this name, and it is one all the same.
    assert!(refused(&["-", "/s*n"]).contains("'stdin'"));
    accepted(&["-", "/s*n/*"]);
    assert_eq!(ground.listing(), before, "no pipe was made");
}

#[test]
fn the_shortened_name_of_a_file_of_a_glob_is_refused() {
    let ground = Ground::new();
    ground.write(&format!("{}/a.log", "d".repeat(100)), "");
    let glob = ground.at("*/*.log");
    let name = names(&start(&[&glob])).remove(0);
    let line = refused(&[&glob, &format!("{name}=-")]);
    assert!(name.contains('~') && line.contains(&name), "{line}");
    // What begins otherwise is the name of no file there.
    accepted(&[glob, format!("other{}=-", &name[5..])]);
}

#[test]
fn what_is_named_after_its_path_may_stand_beside_a_glob_that_matches_the_path() {
    let ground = Ground::new();
    let (file, glob) = (ground.write("a.log", "one\n"), ground.at("*"));
    let pipe = ground.pipe("p");
    for sources in [[&*file, &glob, &pipe], [&pipe, &glob, &file]] {
        let bridge = start(&sources);
        let mut client = bridge.get("/events?tail=all");
        assert_eq!(next_lines(&mut client, 1), ["one"]);
        fs::write(&pipe, "two\n").unwrap();
        assert_eq!(next_lines(&mut client, 1), ["two"]);
        assert_eq!(all_lines(&bridge, "/events"), ["one", "two"], "{sources:?}");
        let found: BTreeSet<_> = names(&bridge).into_iter().collect();
        assert_eq!(found, [ground.channel("a.log"), ground.channel("p")].into(), "{sources:?}");
    }
    accepted(&[glob.clone(), format!("fifo:{}", ground.at("new"))]);
    accepted(&[glob.clone(), format!("{}={file}", ground.channel("a.log"))]);
    // Another path may lead elsewhere, whatever its words are.
    assert!(refused(&[&glob, &ground.at("x/../a.log")]).contains(&ground.channel("a.log")));
}

#[test]
fn below_the_name_of_a_glob_no_other_glob_names_its_files() {
    let ground = Ground::new();
    let (root, base) = (ground.at("").trim_end_matches('/').to_owned(), ground.channel("").trim_end_matches('/').to_owned());
    for (named, unnamed) in [
        (format!("{base}/b={root}/a/*.log"), format!("{root}/b/*.log")),
        (format!("{base}={root}/a/*.log"), format!("{root}/b/**/x?.log")),
        (format!("{base}={root}/a/*.log"), format!("{root}/*.log")),
    ] {
        for arguments in [[&*named, &unnamed], [&unnamed, &named]] {
            let line = refused(&arguments);
            let name = named.split('=').next().unwrap();
            assert!(line.contains(&format!("'{name}'")) && line.contains(&format!("'{unnamed}'")), "{arguments:?}: {line}");
        }
    }
    accepted(&[format!("{base}/b={root}/a/*.log"), format!("{root}/c/*.log"), format!("{root}/bb/*.log")]);
    // A directory of that name at the root is not surely there, and with any other name it would be the same.
    for name in ["web", "root"] {
        accepted(&[format!("{name}={root}/*.log"), "/**/*.log".to_owned()]);
    }
    // A path has one name, however many unnamed globs find it.
    let file = ground.write("a.log", "one\n");
    let bridge = start(&[ground.at("*.log"), ground.at("a*"), ground.at("**/*"), file]);
    assert_eq!(next_lines(&mut bridge.get("/events?tail=all"), 1), ["one"]);
    assert_eq!((names(&bridge), all_lines(&bridge, "/events")), (vec![ground.channel("a.log")], vec!["one".to_owned()]));
}

#[test]
fn a_pipe_has_one_reader_by_whatever_path_it_is_given() {
    let ground = Ground::new();
    let pipe = ground.pipe("p");
    fs::hard_link(&pipe, ground.at("hard")).unwrap();
    fs::create_dir(ground.at("d")).unwrap();
    for (target, link) in [("p", "soft"), (".", "here"), ("new", "early"), ("no", "early-dir"), ("round", "round")] {
        symlink(target, ground.at(link)).unwrap();
    }
    let mut kept = OpenOptions::new().read(true).write(true).custom_flags(nix::libc::O_NONBLOCK).open(&pipe).unwrap();
    kept.write_all(b"waiting\n").unwrap();
    let size = || fcntl(&kept, FcntlArg::F_GETPIPE_SZ).unwrap();
    let (before, size_before) = (ground.listing(), size());
    let new = ground.at("new");
    for (first, second) in [
        // It is there.
        ("p", "p"),
        ("p", "./p"),
        ("p", &*pipe),
        ("p", "d/../p"),
        ("p", "hard"),
        ("p", "soft"),
        ("p", "here/p"),
        ("p", "fifo:p"),
        ("hard", "fifo:soft"),
        ("fifo:p", "fifo:here/hard"),
        // It will be made.
        ("fifo:new", "fifo:./new"),
        ("fifo:new", &*format!("fifo:{new}")),
        ("fifo:new", "fifo:here/new"),
        ("fifo:new", "fifo:d/../new"),
        ("fifo:new", "fifo:early"),
        ("fifo:new", "new"),
        ("fifo:here/new", "file:early"),
        ("fifo:no/new", "fifo:here/no/new"),
        ("fifo:no/new", "fifo:early-dir/new"),
        ("fifo:round", "fifo:here/round"),
    ] {
        for (first, second) in [(first, second), (second, first)] {
            for check in ["", "--check"] {
                let line = refused_in(ground.root(), "", &format!("{check} a={first} b={second}"));
                let at = |given: &str| given.rsplit(':').next().unwrap().trim_start_matches("./").to_owned();
                let words = [&*at(first), &at(second), " is given twice", "one reader only"];
                assert!(words.iter().all(|word| line.contains(word)), "{first} {second}: {line}");
            }
        }
    }
    assert_eq!((ground.listing(), size()), (before, size_before), "nothing was made or opened");
    let mut waiting = [0; 8];
    kept.read_exact(&mut waiting).unwrap();
    assert_eq!(&waiting, b"waiting\n");

    let at = |name: &str, given: &str| format!("{name}={}", given.replace('@', ground.root().to_str().unwrap()));
    accepted(&[at("a", "@/p"), at("b", "fifo:@/new"), at("c", "fifo:@/d/new"), at("d", "fifo:@/no/new"), at("e", "@/missing")]);
    // A file has as many names as one likes, also before it is there.
    accepted(&[at("a", "@/missing"), at("b", "@/here/missing"), at("c", "file:@/missing")]);
}

#[test]
fn a_descriptor_has_one_reader_and_so_has_the_pipe_behind_it() {
    let ground = Ground::new();
    ground.pipe("p");
    symlink("p", ground.at("soft")).unwrap();
    ground.write("file", "one\n");
    let (pipe, soft) = (ground.at("p"), ground.at("soft"));
    for (exec, sources, words) in [
        ("7< <(echo x)", "a=/dev/fd/7 b=/dev/fd/7", "'/dev/fd/7' is given twice;"),
        ("7< <(echo x)", "a=/dev/fd/7 b=/proc/self/fd/7", "'/dev/fd/7' is given twice, also as '/proc/self/fd/7';"),
        ("7<file", "a=/dev/fd/7 b=/dev/fd/7", "'/dev/fd/7' is given twice;"),
        ("7<file", "/proc/self/fd/7 /dev/fd/7", "'/proc/self/fd/7' is given twice, also as '/dev/fd/7';"),
        ("7< <(echo x) 8<&7", "/dev/fd/7 /dev/fd/8", "'/dev/fd/7' is given twice, also as '/dev/fd/8';"),
        ("7<>p", "a=/dev/fd/7 b=p", &*format!("'/dev/fd/7' is given twice, also as '{pipe}';")),
        ("7<>p", "a=fifo:p b=/dev/fd/7", &*format!("'{pipe}' is given twice, also as '/dev/fd/7';")),
        ("7<>p", "a=soft b=/dev/fd/7", &*format!("'{soft}' is given twice, also as '/dev/fd/7';")),
        ("7<>p 8<>p", "/dev/fd/7 /dev/fd/8", "'/dev/fd/7' is given twice, also as '/dev/fd/8';"),
        ("7<>p", "a=/dev/../dev/fd/7 b=/dev/fd/7", "also as '/dev/fd/7';"),
        ("<>p", "- a=p", &*format!("standard input is given twice, also as '{pipe}';")),
        ("<>p", "a=fifo:soft -", &*format!("'{soft}' is given twice, also as standard input;")),
        ("< <(echo x) 7<&0", "- /dev/fd/7", "standard input is given twice, also as '/dev/fd/7';"),
        ("< <(echo x)", "- a=/dev/fd/0", "standard input is given twice;"),
        ("<file", "a=/dev/stdin b=/proc/self/fd/0", "standard input is given twice;"),
    ] {
        let before = ground.listing();
        let line = refused_in(ground.root(), exec, sources);
        assert!(line.contains(words), "{exec}; {sources}: no {words:?} in {line}");
        assert_eq!(ground.listing(), before);
    }
}

#[test]
fn a_file_behind_two_descriptors_is_read_by_each() {
    let ground = Ground::new();
    let file = ground.write("file", "one\ntwo\n");
    for exec in ["7<$f 8<$f", "7<$f 8<&7", "7<$f 8< <(cat $f)"] {
        let script = format!("f='{file}'; exec {exec}; exec sse-bridge --port 0 a=/dev/fd/7 b=/dev/fd/8");
        let bridge = Bridge::spawn(shell(&script));
        let events = bridge.get("/events?tail=all").rest();
        for channel in ["a", "b"] {
            let of: Vec<_> = events.iter().filter(|event| channel_of(event) == channel).map(|event| &*event.data).collect();
            assert_eq!(of[..2], ["one", "two"], "{exec}: {events:?}");
        }
    }
}

#[test]
fn a_file_with_two_names_is_read_once_where_it_is_named_first() {
    let ground = Ground::new();
    let file = ground.write("a.log", "old\n");
    fs::hard_link(&file, ground.at("hard.txt")).unwrap();
    symlink("a.log", ground.at("soft.txt")).unwrap();
    let (hard, soft) = (ground.at("hard.txt"), ground.at("soft.txt"));
    let glob = ground.at("*.log");
    for (first, second, channels) in [
        (&*file, &*file, ["x", "y"]),
        (&file, &hard, ["x", "y"]),
        (&hard, &file, ["x", "y"]),
        (&file, &soft, ["x", "y"]),
        (&soft, &file, ["x", "y"]),
        (&soft, &hard, ["x", "y"]),
        (&glob, &hard, ["x/a.log", "y"]),
        (&hard, &glob, ["x", "y/a.log"]),
        (&glob, &file, ["x/a.log", "y"]),
        (&file, &glob, ["x", "y/a.log"]),
        (&glob, &glob.replace("*.", "a*."), ["x/a.log", "y/a.log"]),
    ] {
        let bridge = start(&[format!("x={first}"), format!("y={second}")]);
        let mut all = bridge.get("/events?tail=all");
        let mut seen = all.events(1);
        let line = format!("new {first} {second}");
        ground.append("a.log", &format!("{line}\n"));
        while seen.last().unwrap().data != line {
            seen.extend(all.events(1));
        }
        assert!(seen.iter().all(|event| channel_of(event) == channels[0]), "{first} {second}: {seen:?}");
        assert_eq!(lines(&seen).iter().filter(|seen| **seen == line).count(), 1, "{first} {second}: {seen:?}");
        wait_for_state(&bridge, channels[0], "open", "");
        wait_for_state(&bridge, channels[1], "waiting", "the same file as");
        let said = bridge.wait_for_stderr("is the same file as");
        assert_eq!(said.matches("the same file as").count(), 1, "{first} {second}: {said}");
    }
}

#[test]
fn a_glob_reads_a_file_with_two_names_by_the_name_seen_first() {
    let ground = Ground::new();
    let file = ground.write("b.log", "old\n");
    fs::hard_link(&file, ground.at("a.log")).unwrap();
    let bridge = start(&[format!("x={}", ground.at("*.log"))]);
    ground.append("b.log", "new\n");
    assert_eq!(next_lines(&mut bridge.get("/events/x/a.log?tail=all"), 2), ["old", "new"]);
    wait_for_state(&bridge, "x/b.log", "waiting", "the same file as");
    assert_eq!(all_lines(&bridge, "/events"), ["old", "new"]);
    // A name that comes later comes second, whatever its letters are.
    fs::hard_link(&file, ground.at("0.log")).unwrap();
    wait_for_state(&bridge, "x/0.log", "waiting", "the same file as");
    ground.append("0.log", "newer\n");
    assert_eq!(next_lines(&mut bridge.get("/events/x/a.log?tail=1"), 1).len(), 1);
    eventually("three lines", || all_lines(&bridge, "/events"), |lines| *lines == ["old", "new", "newer"]);
    // The name that was first goes; the next one goes on, and repeats nothing.
    ground.remove("a.log");
    let mut all = bridge.get("/events?tail=3");
    all.events(3);
    let follows = || channels(&bridge).iter().any(|(name, state, _)| name != "x/a.log" && state == "open");
    eventually("another name that is read", follows, |follows| *follows);
    ground.append("b.log", "newest\n");
    assert_eq!(next_lines(&mut all, 1), ["newest"]);
    assert_eq!(all_lines(&bridge, "/events"), ["old", "new", "newer", "newest"]);
}

#[test]
fn what_cannot_be_read_waits_and_says_why() {
    let ground = Ground::new();
    let (secret, healthy) = (ground.write("secret.log", "hidden\n"), ground.write("healthy.log", ""));
    fs::set_permissions(&secret, Permissions::from_mode(0o000)).unwrap();
    symlink("loop.log", ground.at("loop.log")).unwrap();
    symlink("nowhere", ground.at("dangling.log")).unwrap();
    let named = |name: &str| format!("{name}={}", ground.at(&format!("{name}.log")));
    let names = ["missing", "secret", "loop", "dangling", "healthy"];
    let sources = names.map(named);
    let arguments: Vec<_> = ["--poll"].into_iter().chain(sources.iter().map(String::as_str)).collect();
    let bridge = Bridge::spawn(unprivileged(&arguments));
    wait_for_state(&bridge, "missing", "waiting", "no such file");
    wait_for_state(&bridge, "dangling", "waiting", "no such file");
    wait_for_state(&bridge, "secret", "failing", "permission denied");
    wait_for_state(&bridge, "loop", "failing", "symbolic links");
    wait_for_state(&bridge, "healthy", "open", "");
    assert_eq!(bridge.get("/readyz").status(), 200);
    assert_eq!(bridge.get("/readyz?strict").status(), 503);

    // The others go on meanwhile.
    let mut client = bridge.get("/events?tail=0");
    client.events(1);
    for number in 0..5 {
        append(Path::new(&healthy), &format!("{number}\n"));
        assert_eq!(next_lines(&mut client, 1), [number.to_string()]);
    }
    // Each comes to itself.
    ground.write("missing.log", "found\n");
    fs::write(ground.at("nowhere"), "found\n").unwrap();
    ground.remove("loop.log");
    ground.write("loop.log", "found\n");
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    for name in ["missing", "loop", "dangling"] {
        assert_eq!(next_lines(&mut bridge.get(&format!("/events/{name}?tail=all")), 1), ["found"]);
        wait_for_state(&bridge, name, "open", "");
    }
    assert_eq!(next_lines(&mut bridge.get("/events/secret?tail=all"), 1), ["hidden"]);
    wait_for_state(&bridge, "secret", "open", "");
    eventually("readiness", || bridge.get("/readyz?strict").status(), |status| *status == 200);

    let said = bridge.wait_for_stderr(&format!("reading '{secret}'"));
    for name in names {
        let told = said.lines().filter(|line| line.contains(&ground.at(&format!("{name}.log")))).collect::<Vec<_>>();
        let expected = if name == "healthy" { 0 } else { 2 };
        assert_eq!(told.len(), expected, "one line when it began and one when it ended: {told:#?}");
    }
}

#[test]
fn a_change_of_state_is_said_once_however_long_it_lasts() {
    let ground = Ground::new();
    let file = ground.write("app.log", "one\n");
    let clock = ground.write("clock.log", "");
    let bridge = start(&["--poll", &format!("x={file}"), &format!("clock={clock}")]);
    let mut client = bridge.get("/events/x?tail=all");
    assert_eq!(next_lines(&mut client, 1), ["one"]);
    for round in 0..2 {
        ground.remove("app.log");
        fs::create_dir(ground.at("app.log")).unwrap();
        wait_for_state(&bridge, "x", "failing", "it is a directory");
        // Several looks, at four a second.
        thread::sleep(Duration::from_millis(1200));
        wait_for_state(&bridge, "x", "failing", "it is a directory");
        fs::remove_dir(ground.at("app.log")).unwrap();
        ground.write("app.log", &format!("round {round}\n"));
        assert_eq!(next_lines(&mut client, 1), [format!("round {round}")]);
        wait_for_state(&bridge, "x", "open", "");
    }
    let said = bridge.stderr();
    assert_eq!(said.matches("it is a directory").count(), 2, "{said}");
    assert!(metric(&bridge, "source_failures_total") >= 2);
    assert!(said.lines().all(|line| !line.contains("(os error")), "{said}");
}

#[test]
fn what_is_no_source_is_refused_with_a_hint() {
    let ground = Ground::new();
    let root = ground.at("").trim_end_matches('/').to_owned();
    let file = ground.write("a.log", "");
    let pipe = ground.pipe("p");
    let _socket = UnixListener::bind(ground.at("s")).unwrap();
    symlink("s", ground.at("to-s")).unwrap();
    symlink("/dev/full", ground.at("to-device")).unwrap();
    for (arguments, words) in [
        (vec![root.clone()], vec![format!("'{root}'"), "it is a directory".into(), format!("'{root}/*.log'")]),
        (vec![format!("x={root}/")], vec!["it is a directory".into(), format!("'{root}/*.log'")]),
        (vec![format!("file:{root}")], vec!["it is a directory".into(), format!("'{root}/*.log'")]),
        (vec![ground.at("s")], vec![format!("'{root}/s'"), "it is a socket".into()]),
        (vec![ground.at("to-s")], vec!["to-s'".into(), "it is a socket".into()]),
        (vec![format!("fifo:{root}/s")], vec![format!("'{root}/s'")]),
        (vec!["/dev/full".into()], vec!["it is a device".into(), "cat /dev/full | sse-bridge".into()]),
        (vec![ground.at("to-device")], vec!["it is a device".into(), "| sse-bridge".into()]),
        (vec![format!("fifo:{file}")], vec![format!("'{file}'"), format!("file:{file}")]),
        (vec![format!("fifo:{root}")], vec![format!("'{root}'")]),
        (vec![format!("file:{pipe}")], vec![format!("'{pipe}'"), format!("fifo:{pipe}")]),
        (vec![format!("{root}/[a")], vec![format!("{root}/[a"), "file:PATH".into()]),
        (vec![format!("x={root}/**")], vec![format!("{root}/**")]),
        (vec![format!("{root}/*/")], vec![format!("{root}/*/")]),
        (vec![format!("{root}/{{a/b,c}}")], vec![format!("{root}/{{a/b,c}}")]),
        (vec!["/proc/self/status".into()], vec!["'/proc/self/status'".into()]),
        (vec!["/proc/uptime".into()], vec!["'/proc/uptime'".into(), "cat /proc/uptime".into()]),
        (vec!["/sys/kernel/uevent_seqnum".into()], vec!["'/sys/kernel/uevent_seqnum'".into()]),
        (vec!["/dev/fd/97".into()], vec!["'/dev/fd/97'".into(), "no such descriptor".into()]),
        (vec!["x=/proc/self/fd/97".into()], vec!["'/proc/self/fd/97'".into(), "no such descriptor".into()]),
        (vec!["--exit-on-eof".into(), file.clone(), pipe.clone()], vec!["--exit-on-eof".into()]),
        (vec!["--tee".into(), file.clone()], vec!["--tee".into(), "'-'".into()]),
        (vec!["--from=middle".into(), file.clone()], vec!["--from".into(), "'middle'".into()]),
        (vec!["--rotate-wait=1d".into(), file.clone()], vec!["--rotate-wait".into()]),
        (vec!["--flush-partial=1ms".into(), pipe.clone()], vec!["--flush-partial".into()]),
        (vec!["--fifo-mode=0999".into(), format!("fifo:{pipe}")], vec!["--fifo-mode".into(), "'0999'".into()]),
    ] {
        let before = ground.listing();
        for check in [&[][..], &["--check"]] {
            let arguments: Vec<_> = check.iter().copied().chain(arguments.iter().map(String::as_str)).collect();
            let line = refused(&arguments);
            assert!(words.iter().all(|word| line.contains(&**word)), "{arguments:?}: no {words:?} in {line}");
        }
        assert_eq!(ground.listing(), before);
    }
}

#[test]
fn a_descriptor_that_is_no_pipe_is_told_so() {
    for (exec, words) in [("3<&-", "no such descriptor"), ("3</", "it is a directory")] {
        let line = refused_in(Path::new("/"), exec, "/dev/fd/3");
        assert!(line.contains("'/dev/fd/3'") && line.contains(words), "{line}");
    }
}

#[test]
fn check_touches_nothing() {
    let ground = Ground::new();
    let (file, pipe) = (ground.write("a.log", "one\n"), ground.pipe("p"));
    let mut both = OpenOptions::new().read(true).write(true).custom_flags(nix::libc::O_NONBLOCK).open(&pipe).unwrap();
    both.write_all(b"waiting\n").unwrap();
    let before = ground.listing();
    let sources = [
        format!("a={file}"),
        format!("b={pipe}"),
        format!("fifo:{}", ground.at("new")),
        format!("c=fifo:{}", ground.at("no/new")),
        ground.at("missing"),
        format!("d={}", ground.at("*.log")),
    ];
    let arguments: Vec<_> = ["--check", "--fifo-remove"].into_iter().chain(sources.iter().map(String::as_str)).collect();
    let (code, out, err) = run_to_end(&arguments, Stdio::null());
    assert_eq!((code, &*out, err.lines().count()), (0, "", 1), "{err}");
    assert_eq!(ground.listing(), before);
    let mut waiting = [0; 8];
    both.read_exact(&mut waiting).unwrap();
    assert_eq!(&waiting, b"waiting\n");
}

#[test]
fn a_glob_without_a_match_waits() {
    let ground = Ground::new();
    let bridge = start(&[ground.at("not/there/yet/*.log")]);
    bridge.wait_for_stderr(&format!("no file matches '{}' yet", ground.at("not/there/yet/*.log")));
    let mut client = bridge.get("/events");
    assert_eq!(client.events(1)[0].event, "start");
    ground.write("not/there/yet/a.log", "first\n");
    ground.write("not/there/yet/a.log.gz", "packed\n");
    assert_eq!(next_lines(&mut client, 1), ["first"]);
    assert_eq!(names(&bridge), [ground.channel("not/there/yet/a.log")]);
}

#[test]
fn a_path_is_bytes() {
    let ground = Ground::new();
    let name = OsString::from(OsStr::from_bytes(b"\xff \xfe\t=%.log"));
    let path = ground.root().join(&name);
    fs::write(&path, "one\n").unwrap();
    let mut marked = OsString::from("file:");
    marked.push(&path);
    for source in [path.into_os_string(), marked] {
        let bridge = start(&[source]);
        let channel = format!("{}/%FF%20%FE%09%3D%25.log", ground.channel("").trim_end_matches('/'));
        assert_eq!(names(&bridge).join(" "), channel);
        assert_eq!(all_lines(&bridge, &format!("/events/{channel}")), ["one"]);
    }
}
