//! States in which a daemon starts nevertheless, as a user that may not do everything, and what it says of them; and those in which it does not.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::directory::{Directory, files_below};
use crate::harness::bytes::flip;
use crate::harness::{Bridge, command, eventually, run_to_end};
use crate::kernel::allow;
use crate::past::everything;
use crate::pipes::metric;

/// A place where that user may do everything, and two channels of twenty lines each.
struct Scene {
    place: Directory,
    binary: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let place = Directory::new();
        fs::set_permissions(place.above(), fs::Permissions::from_mode(0o777)).unwrap();
        let binary = place.above().join("sse-bridge");
        fs::copy(command(&[]).get_program(), &binary).unwrap();
        let scene = Self { place, binary };
        for name in ["a", "b"] {
            let text: String = (0..20).map(|line| format!("{name} {line}\n")).collect();
            fs::write(scene.place.at(&format!("{name}.log")), text).unwrap();
        }
        let mut bridge = scene.start();
        eventually("all lines", || metric(&bridge, "input_lines_total"), |read| *read == 40);
        bridge.signal("TERM");
        assert_eq!(bridge.wait(), 0);
        scene
    }

    fn command(&self) -> Command {
        let (state, a, b) = (self.place.at("state"), self.place.at("a.log"), self.place.at("b.log"));
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&self.binary);
        setpriv.args(["--port", "0", "--state-dir", &state, "--from", "start", &format!("a={a}"), &format!("b={b}")]);
        setpriv
    }

    fn start(&self) -> Bridge {
        Bridge::spawn(self.command())
    }

    fn segment(&self, channel: &str) -> PathBuf {
        self.place.segments(channel).pop().unwrap()
    }

    fn beside(&self, channel: &str, ending: &str) -> PathBuf {
        let mut path = self.segment(channel).into_os_string();
        path.push(ending);
        path.into()
    }

    /// A file or a directory of another owner from now on.
    fn take(&self, path: &Path, mode: u32) {
        chown(path, Some(0), Some(0)).unwrap();
        allow(path, mode);
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

type Harm = fn(&Scene);

/// What is done, what of the forty lines is there afterwards at least, and which file the log names.
const HARMS: [(&str, Harm, usize, &str); 6] = [
    (
        "a file that is being mended, of another owner",
        |scene| {
            let mending = scene.beside("a", ".mending");
            fs::copy(scene.segment("a"), &mending).unwrap();
            scene.take(&mending, 0);
        },
        40,
        ".sse.mending",
    ),
    (
        "one in a directory that cannot be written",
        |scene| {
            fs::write(scene.beside("a", ".mending"), "garbage").unwrap();
            scene.take(&scene.place.of_channel("a"), 0o755);
        },
        40,
        ".sse.mending",
    ),
    ("@life of another owner", |scene| scene.take(&scene.place.state().join("@life"), 0o600), 40, "@life"),
    (
        "@life is a directory",
        |scene| {
            fs::remove_file(scene.place.state().join("@life")).unwrap();
            fs::create_dir(scene.place.state().join("@life")).unwrap();
        },
        40,
        "@life",
    ),
    (
        "@life is a pipe",
        |scene| {
            fs::remove_file(scene.place.state().join("@life")).unwrap();
            nix::unistd::mkfifo(&scene.place.state().join("@life"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        },
        40,
        "@life",
    ),
    (
        "@uncounted of another owner, and a newest segment that is gone",
        |scene| {
            fs::write(scene.place.state().join("@uncounted"), "x").unwrap();
            scene.take(&scene.place.state().join("@uncounted"), 0o600);
            fs::remove_file(scene.segment("b")).unwrap();
        },
        20,
        "@uncounted",
    ),
];

#[test]
fn what_belongs_to_somebody_else_is_worked_around_and_said() {
    if !is_root() {
        return; // nobody else has anything then
    }
    for (what, harm, left, name) in HARMS {
        let scene = Scene::new();
        harm(&scene);
        // Twice: it is as it was at the next start.
        for _ in 0..2 {
            let mut bridge = scene.start();
            let all = everything(&bridge);
            let lines = all.iter().filter(|seen| !seen.channel().is_empty()).count();
            assert!(lines >= left, "{what}: {lines} lines: {}", bridge.stderr());
            assert!(bridge.stderr().lines().any(|line| line.contains(name)), "{what}: {}", bridge.stderr());
            bridge.signal("TERM");
            assert_eq!(bridge.wait(), 0, "{what}: {}", bridge.stderr());
        }
    }
}

#[test]
fn a_directory_that_is_not_ours_is_75_and_says_why() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    scene.take(&scene.place.state(), 0o755);
    let output =
        Command::new("timeout").arg("20").arg(scene.command().get_program()).args(scene.command().get_args()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.lines().count()), (Some(75), 1), "{said}");
    assert!(said.contains("it could not be written: permission denied; hint: the user"), "{said}");
}

/// So many files may have been set aside under one name.
#[test]
fn one_more_damaged_file_of_a_name_is_kept() {
    let place = Directory::new();
    let mut bridge = place.start(&[]);
    bridge.feed(b"one\ntwo\n");
    eventually("two lines", || metric(&bridge, "input_lines_total"), |read| *read == 2);
    bridge.signal("TERM");
    bridge.wait();
    let segment = place.segments("stdin").pop().unwrap();
    fs::write(format!("{}.damaged", segment.display()), "").unwrap();
    (1..1200).for_each(|nth| fs::write(format!("{}.{nth}.damaged", segment.display()), "").unwrap());
    flip(&segment, 3);
    let bridge = place.start(&[]);
    assert!(bridge.stderr().contains(".sse.1200.damaged'"), "{}", bridge.stderr());
}

/// Nothing is changed, whatever else is to be repaired.
#[test]
fn a_newer_version_is_found_before_anything_is_repaired() {
    let place = Directory::new();
    fs::write(place.at("a.log"), "one\ntwo\n").unwrap();
    fs::write(place.at("b.log"), "one\ntwo\n").unwrap();
    let mut bridge = place.start(&["--from", "start", &format!("a={}", place.at("a.log")), &format!("b={}", place.at("b.log"))]);
    eventually("all lines", || metric(&bridge, "input_lines_total"), |read| *read == 4);
    bridge.signal("TERM");
    bridge.wait();
    flip(&place.segments("a")[0], 200);
    fs::remove_file(place.state().join("@life")).unwrap();
    let fields = "2 whatever comes";
    fs::write(&place.segments("b")[0], format!(": sse-bridge {fields} {:08x}\n", crc32fast::hash(fields.as_bytes()))).unwrap();
    let content = || {
        let files = files_below(&place.state()).into_iter().filter(|path| !path.ends_with("@lock"));
        files.map(|path| (path.clone(), fs::read(path).unwrap())).collect::<Vec<_>>()
    };
    let before = content();
    let (code, _, said) = run_to_end(&["--port", "0", "--state-dir", &place.at("state")], std::process::Stdio::null());
    assert!(code == 2 && said.contains("newer"), "{code}: {said}");
    assert!(content() == before, "something was changed");
}

/// A file of nothing, with the name of a segment, costs no memory; nor does one that begins well.
#[test]
fn a_huge_file_costs_no_memory() {
    for begins_well in [false, true] {
        let place = Directory::new();
        let mut bridge = place.start(&[]);
        bridge.feed(b"one\ntwo\n");
        eventually("two lines", || metric(&bridge, "input_lines_total"), |read| *read == 2);
        bridge.signal("TERM");
        bridge.wait();
        let segment = place.segments("stdin").pop().unwrap();
        let huge = if begins_well { segment } else { segment.with_file_name("9999999999999-00000000000000999999.sse") };
        File::options().write(true).create(true).truncate(false).open(&huge).unwrap().set_len(3 << 30).unwrap();
        let bridge = place.start(&[]);
        let status = fs::read_to_string(format!("/proc/{}/status", bridge.pid())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")).unwrap();
        assert!(peak.parse::<u64>().unwrap() < 100 << 10, "{peak} kB: {}", bridge.stderr());
        assert_eq!(everything(&bridge).len(), 2, "{}", bridge.stderr());
    }
}

/// What is said of a life that is over is that it was set aside.
#[test]
fn without_life_alone_nothing_is_lost_while_it_runs() {
    let place = Directory::new();
    let mut bridge = place.start(&[]);
    bridge.feed(b"one\n");
    eventually("a line", || metric(&bridge, "input_lines_total"), |read| *read == 1);
    fs::remove_file(place.state().join("@life")).unwrap();
    let said = bridge.wait_for_stderr("@life");
    eventually("@life again", || place.state().join("@life").exists(), |is| *is);
    assert!(!said.contains("what was stored") && !said.contains("in use"), "{said}");
    bridge.signal("TERM");
    assert_eq!(bridge.wait(), 0);
    assert!(!bridge.stderr().contains("could not lock"), "{}", bridge.stderr());
    assert_eq!(place.history("stdin").len(), 1);
}

/// A directory of somebody else is not searched, and nothing in it is changed.
#[test]
fn a_directory_of_somebody_else_is_refused() {
    let place = Directory::new();
    let deep = place.state().join("mine/deep");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("1796045680707-00000000000000000001.sse"), "not a segment\n").unwrap();
    let before = files_below(&place.state());
    let (code, _, said) = run_to_end(&["--port", "0", "--state-dir", &place.at("state")], std::process::Stdio::null());
    let words = "could not use the state directory '";
    assert!(code == 2 && said.contains(words) && said.contains("it is not empty, and no sse-bridge has used it"), "{code}: {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(files_below(&place.state()), before, "something was made or renamed");
}
