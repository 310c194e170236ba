//! A machine with systemd as PID 1: a container on a root file system that tests/install has made.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::harness::eventually;

/// A booted container; powered off on drop, and its root removed.
pub struct Guest {
    root: PathBuf,
    nspawn: Child,
    /// Its PID 1, as the host sees it.
    leader: String,
}

const ROOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/systemd");

impl Guest {
    /// Boots a copy of the root of this release: a machine that knows nothing of the daemon.
    pub fn boot(release: &str) -> Self {
        assert!(nix::unistd::geteuid().is_root(), "booting a container needs root: sudo -E tests/run --only systemd");
        let made = Path::new(ROOTS).join(release);
        assert!(made.join("stamp").exists(), "no root file system in '{}'; tests/install makes it", made.display());
        let root = Path::new(ROOTS).join(format!("{release}-{}", std::process::id()));
        run(Command::new("cp").arg("-a").arg("--reflink=auto").arg(made.join("root")).arg(&root));
        let console = fs::File::create(root.with_extension("console")).unwrap();
        let mut nspawn = Command::new("systemd-nspawn");
        nspawn
            .args(["--register=no", "--keep-unit", "--quiet", "--boot", "--machine=tx", "--link-journal=no", "--private-network"])
            .arg("--console=pipe")
            .arg("-D")
            .arg(&root)
            .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
            .stdin(Stdio::null())
            .stdout(console.try_clone().unwrap())
            .stderr(console)
            .process_group(0);
        let nspawn = nspawn.spawn().expect("systemd-nspawn runs; tests/install installs it");
        let children = format!("/proc/{0}/task/{0}/children", nspawn.id());
        // Not the helper that makes it: PID 1 of a namespace has that number there.
        let is_first = |pid: &&str| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1") && line.split('\t').count() == 3)
        };
        let find = || fs::read_to_string(&children).unwrap_or_default().split_whitespace().find(is_first).map(str::to_owned);
        let leader = eventually("PID 1 of the container", find, Option::is_some).unwrap();
        let guest = Self { root, nspawn, leader };
        eventually(
            "the container to run",
            || guest.sh("systemctl is-system-running").1,
            |said| said.trim() == "running" || said.trim() == "degraded",
        );
        guest
    }

    fn inside(&self) -> Command {
        let mut inside = Command::new("nsenter");
        inside.args([
            "-t",
            &self.leader,
            "-m",
            "-p",
            "-n",
            "-i",
            "-u",
            "-C",
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL=C",
        ]);
        inside.args(["sh", "-c"]).current_dir("/");
        inside
    }

    /// What a shell in the container makes of this: the exit code, and all that it writes.
    pub fn sh(&self, line: &str) -> (i32, String) {
        let Output { status, stdout, stderr } = self.inside().arg(line).stdin(Stdio::null()).output().unwrap();
        (status.code().unwrap_or(-1), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
    }

    /// The same where all goes well; without the last line's end.
    pub fn ok(&self, line: &str) -> String {
        let (code, said) = self.sh(line);
        assert_eq!(code, 0, "{line}:\n{said}\n{}", self.journal());
        said.trim_end().to_owned()
    }

    /// The same beside what follows.
    pub fn spawn(&self, line: &str) -> Child {
        self.inside().arg(line).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// A path in it, as the host sees it.
    fn at(&self, path: &str) -> PathBuf {
        Path::new("/proc").join(&self.leader).join("root").join(path.trim_start_matches('/'))
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What is in a file; nothing where there is none.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_default()
    }

    /// Installs a package, or upgrades to it.
    pub fn install(&self, deb: &Path) {
        let there = Path::new("/srv").join(deb.file_name().unwrap());
        fs::copy(deb, self.at(there.to_str().unwrap())).unwrap();
        self.ok(&format!("dpkg -i {} 2>&1", there.display()));
    }

    /// Starts a unit anew with this configuration.
    pub fn configure(&self, text: &str) {
        self.write("/etc/sse-bridge/sse-bridge.toml", text);
    }

    /// A property of the service.
    pub fn property(&self, name: &str) -> String {
        self.property_of("sse-bridge.service", name)
    }

    /// A property of a unit.
    pub fn property_of(&self, unit: &str, name: &str) -> String {
        self.ok(&format!("systemctl show --value --property={name} '{unit}'"))
    }

    /// Waits until a property of the service is as it should be.
    pub fn until(&self, name: &str, is_so: impl Fn(&str) -> bool) -> String {
        eventually(&format!("{name}; {}", self.journal()), || self.property(name), |value| is_so(value))
    }

    pub fn journal(&self) -> String {
        self.sh("journalctl --no-pager -o short-monotonic -u 'sse-bridge*' | tail -n 60").1
    }

    /// All events of a channel, whole.
    pub fn stream(&self, channel: &str) -> Vec<crate::harness::parser::Message> {
        let text = self.ok(&format!(
            "curl -sSf --retry 5 --retry-connrefused --max-time 20 'http://127.0.0.1:8080/events/{channel}?tail=all&follow=0'"
        ));
        let mut parser = crate::harness::parser::Parser::default();
        parser.push((text + "\n\n").as_bytes())
    }

    /// Stops everything of ours, and forgets it.
    pub fn clear(&self) {
        self.sh("systemctl stop 'sse-bridge*'; systemctl reset-failed; rm -rf /etc/systemd/system/sse-bridge*.d /run/systemd/system/sse-bridge*; rm -rf /var/lib/private/sse-bridge* /var/lib/sse-bridge* /run/sse-bridge*; systemctl daemon-reload; journalctl --rotate --vacuum-time=1s -q");
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-s", "RTMIN+4", &self.leader]).status();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(15);
        while std::time::Instant::now() < deadline && self.nspawn.try_wait().is_ok_and(|ended| ended.is_none()) {
            std::thread::sleep(std::time::Duration::from_millis(20)); // waitpid has no time limit
        }
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
        let _ = Command::new("rm").arg("-rf").arg(&self.root).stderr(Stdio::null()).status();
        let _ = fs::remove_file(self.root.with_extension("console"));
    }
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

impl Guest {
    /// The process of this name, as the host sees it.
    pub fn host_pid(&self, name: &str) -> String {
        let of = |namespace: &str| fs::read_link(format!("/proc/{namespace}/ns/pid")).ok();
        let ours = of(&self.leader);
        let is_it =
            |pid: &String| of(pid) == ours && fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name);
        let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        pids.filter(|pid| pid.parse::<u32>().is_ok()).find(is_it).unwrap_or_else(|| panic!("no process '{name}'"))
    }
}
