use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_sse-bridge");
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub fn source(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// Runs a program of this machine to its end.
pub fn done<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).output().unwrap_or_else(|error| panic!("{program} (tests/install): {error}"))
}

/// The same, where it must go well; gives what it wrote.
pub fn ran<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> String {
    let output = done(program, arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Makes packages of a program; gives the directory where they are.
pub fn made_of(program: &str, kinds: &[&str]) -> TempDir {
    let out = tempfile::tempdir().unwrap();
    let build = source("packaging/build");
    ran(build.to_str().unwrap(), [&["--binary", program, "--out", out.path().to_str().unwrap()], kinds].concat());
    out
}

/// The package of this kind, of the program of this build.
pub fn package(kind: &str) -> PathBuf {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| made_of(PROGRAM, &["deb", "rpm", "tar"]));
    only(made.path(), kind)
}

/// The only file in a directory whose name ends so.
pub fn only(directory: &Path, ending: &str) -> PathBuf {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    assert_eq!(files.len(), 1, "{ending}: {files:?}");
    files[0].clone()
}

#[test]
fn the_same_sources_give_the_same_bytes() {
    // Any program will do, and a small one is quick.
    let [one, other] = [(); 2].map(|()| made_of("/bin/true", &["deb", "rpm", "tar"]));
    for kind in ["deb", "rpm", "tar.gz"] {
        let [one, other] = [&one, &other].map(|made| fs::read(only(made.path(), kind)).unwrap());
        assert!(one == other, "{kind}");
    }
}

#[test]
fn a_revision_is_newer_than_none_and_than_a_lower_one() {
    let version = |revision: &[&str]| {
        let made = made_of("/bin/true", &[&["deb", "rpm"], revision].concat());
        let deb = ran("dpkg-deb", ["-f".as_ref(), only(made.path(), "deb").as_os_str(), "Version".as_ref()]);
        let query = ["-qp".as_ref(), "--queryformat=%{RELEASE}".as_ref()];
        let rpm = ran("rpm", [&query[..], &[only(made.path(), "rpm").as_os_str()]].concat());
        (deb.trim().to_owned(), rpm)
    };
    let versions = [version(&[]), version(&["--revision", "2"]), version(&["--revision", "10"])];
    assert_eq!(versions.each_ref().map(|(_, rpm)| rpm.as_str()), ["1", "2", "10"]);
    for pair in versions.windows(2) {
        ran("dpkg", ["--compare-versions", &pair[0].0, "lt", &pair[1].0]);
    }
    for wrong in [&["--revision", "x", "deb"][..], &["--revision", "0"], &["--revision"]] {
        let output = done(source("packaging/build").to_str().unwrap(), wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("--revision needs a number"), "{wrong:?}");
    }
}

#[test]
fn what_cannot_be_made_is_told() {
    let output = done(source("packaging/build").to_str().unwrap(), ["zip"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).ends_with("not: zip\n"));
}

#[test]
fn cargo_installs_a_program_that_serves() {
    // As the static binary is built, so that tests/containers finds it compiled: a profile of its own would take as long again.
    let root = tempfile::tempdir().unwrap();
    let containerfile = fs::read_to_string(source("Containerfile")).unwrap();
    let flags = containerfile.split('\'').nth(1).expect("it says RUSTFLAGS='...'");
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["install", "--profile", "static", "--target", &target, "--locked", "--offline", "--path"]).arg(source(""));
    cargo.arg("--root").arg(root.path()).env("RUSTFLAGS", flags);
    let target = Path::new(PROGRAM).parent().unwrap().parent().unwrap();
    let output = cargo.env("CARGO_TARGET_DIR", target).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let installed = root.path().join("bin/sse-bridge");
    assert_eq!(ran(installed.to_str().unwrap(), ["--version"]), format!("sse-bridge {VERSION}\n"));

    let mut served = Command::new(&installed)
        .args(["--port", "0", "one=exec:echo a line; sleep 600"])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(served.stderr.take().unwrap()).lines();
    let address = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
    let asked = address.map(|address| {
        done("curl", ["-sS", "--max-time", "30", "--retry", "5", "--retry-all-errors", &format!("{address}healthz")])
    });
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(served.id().try_into().unwrap()), nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(served.wait().unwrap().success());
    let asked = asked.expect("it says where it listens");
    assert!(asked.status.success() && asked.stdout.starts_with(b"ok"), "{asked:?}");
}
