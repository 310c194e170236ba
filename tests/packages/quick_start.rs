use std::path::PathBuf;
use std::process::Command;

use crate::making::{package, source};

/// A clean Debian, which tests/install makes.
fn clean() -> PathBuf {
    let root = source("target/systemd/bookworm");
    assert!(root.join("stamp").exists(), "no root file system in '{}'; tests/install makes it", root.display());
    root.join("root")
}

#[test]
fn the_commands_of_the_readme_do_what_it_says_on_a_clean_machine() {
    assert!(nix::unistd::geteuid().is_root(), "a root file system needs root: sudo -E tests/run --only packages");
    let place = tempfile::tempdir().unwrap();
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "bash"]);
    unshare.args([source("tests/packages/quick_start.bash").as_path(), place.path()]);
    let output = unshare.args([package("deb"), clean(), source("README.md")]).output().expect("unshare is there");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{}\n{said}", output.status);
}
