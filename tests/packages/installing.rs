use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::Uid;
use tempfile::TempDir;

use crate::making::{VERSION, made_of, only, package, ran};

/// A machine without anything: scripts of packages run with `$DPKG_ROOT`, outside of it.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in
            ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "var/lib", "etc/systemd/system", "usr"]
        {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        for file in ["var/lib/dpkg/status", "var/lib/dpkg/available"] {
            fs::write(root.path().join(file), "").unwrap();
        }
        Self(root)
    }

    /// Runs dpkg on it; who is not root is it in a namespace.
    fn dpkg(&self, arguments: &[&str]) {
        let root = format!("--root={}", self.0.path().display());
        let options = ["dpkg", &root, "--force-script-chrootless", "--force-depends", "--log=/dev/null", "--force-confdef"];
        let words: Vec<_> = if Uid::effective().is_root() { Vec::new() } else { vec!["unshare", "-r"] };
        let words = [&words[..], &options, arguments].concat();
        let output =
            Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output();
        let output = output.unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(output.status.success(), "{arguments:?}: {said}");
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// All files on it but dpkg's own.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        below(self.0.path(), &mut files);
        let names = files.iter().map(|file| file.strip_prefix(self.0.path().to_str().unwrap()).unwrap().to_owned());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with("/var/lib/dpkg/")).collect();
        names.sort_unstable();
        names
    }
}

fn below(directory: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() { below(&path, files) } else { files.push(path.to_str().unwrap().to_owned()) }
    }
}

const CONFIG: &str = "etc/sse-bridge/sse-bridge.toml";

#[test]
fn a_machine_has_it_upgrades_it_and_is_rid_of_it() {
    let machine = Machine::new();
    let deb = package("deb");
    machine.dpkg(&["-i", deb.to_str().unwrap()]);
    assert_eq!(ran(machine.path("usr/bin/sse-bridge").to_str().unwrap(), ["--version"]), format!("sse-bridge {VERSION}\n"));
    assert!(fs::read_dir(machine.path("etc/systemd/system")).unwrap().next().is_none(), "nothing is enabled by itself");

    // An administrator was there, and the daemon.
    machine.write(CONFIG, "[[source]]\nread = \"/var/log/mine.log\"\n");
    machine.write("etc/sse-bridge/mine.toml", "");
    machine.write("var/lib/private/sse-bridge/@life", "");
    symlink("private/sse-bridge", machine.path("var/lib/sse-bridge")).unwrap();

    let other = made_of("/bin/true", &["deb"]);
    machine.dpkg(&["-i", only(other.path(), "deb").to_str().unwrap()]);
    assert_eq!(ran(machine.path("usr/bin/sse-bridge").to_str().unwrap(), [] as [&str; 0]), "", "it is the other one");
    assert!(fs::read_to_string(machine.path(CONFIG)).unwrap().contains("mine.log"), "what was edited stays");
    assert!(machine.path("var/lib/private/sse-bridge/@life").exists());

    machine.dpkg(&["-r", "sse-bridge"]);
    let own = [
        "/etc/sse-bridge/mine.toml",
        "/etc/sse-bridge/sse-bridge.toml",
        "/var/lib/private/sse-bridge/@life",
        "/var/lib/sse-bridge",
    ];
    let left =
        |machine: &Machine| machine.files().into_iter().filter(|name| !name.contains("deb-systemd-helper")).collect::<Vec<_>>();
    assert_eq!(left(&machine), own, "configuration and history outlive a removal");

    machine.dpkg(&["-P", "sse-bridge"]);
    assert_eq!(machine.files(), ["/etc/sse-bridge/mine.toml"], "nothing but what somebody else has made");
}

#[test]
fn what_is_installed_again_is_enabled_as_it_was() {
    let machine = Machine::new();
    let deb = package("deb");
    machine.dpkg(&["-i", deb.to_str().unwrap()]);
    let link = "etc/systemd/system/multi-user.target.wants/sse-bridge.service";
    // As `systemctl enable` does it.
    fs::create_dir_all(machine.path(link).parent().unwrap()).unwrap();
    symlink("/usr/lib/systemd/system/sse-bridge.service", machine.path(link)).unwrap();
    machine.dpkg(&["-i", deb.to_str().unwrap()]);
    assert!(machine.path(link).is_symlink(), "an upgrade leaves it enabled");
    machine.dpkg(&["-r", "sse-bridge"]);
    machine.dpkg(&["-i", deb.to_str().unwrap()]);
    assert!(machine.path(link).is_symlink(), "and so does who removes it and comes back");
    machine.dpkg(&["-P", "sse-bridge"]);
    assert_eq!(machine.files(), [] as [&str; 0]);
}

#[test]
fn an_rpm_can_be_installed_and_erased() {
    let root = tempfile::tempdir().unwrap();
    let at = format!("--root={}", root.path().display());
    let rpm = package("rpm");
    // Its scripts speak to the systemd of the machine, which is not this one.
    let options = [&at, "--dbpath=/var/lib/rpm", "--noscripts", "--nodeps"];
    ran("rpm", [&options[..], &["-i", rpm.to_str().unwrap()]].concat());
    let program = root.path().join("usr/bin/sse-bridge");
    assert_eq!(ran(program.to_str().unwrap(), ["--version"]), format!("sse-bridge {VERSION}\n"));
    fs::write(root.path().join(CONFIG), "[[source]]\nread = \"/var/log/mine.log\"\n").unwrap();
    ran("rpm", [&options[..], &["-e", "sse-bridge"]].concat());
    assert!(!program.exists());
    assert!(root.path().join(format!("{CONFIG}.rpmsave")).exists(), "what was edited is kept");
}
