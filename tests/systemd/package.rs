//! The package on a real machine: installed, used as it is shipped, upgraded while it works, removed and purged.

use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;

use tempfile::TempDir;

use super::guest::Guest;
use super::real::{LOG, PIPE, data, start};
use crate::harness::{eventually, scale};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const CONFIG: &str = "/etc/sse-bridge/sse-bridge.toml";

/// A package of the program of this build, which is made while the machine boots or works.
pub struct Package(JoinHandle<TempDir>);

impl Package {
    /// Begins to make it: with a revision it is newer than without.
    pub fn make(revision: &'static [&'static str]) -> Self {
        Self(std::thread::spawn(move || {
            let out = tempfile::tempdir().unwrap();
            let build = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/build");
            let mut build = Command::new(build);
            build.args(["--binary", env!("CARGO_BIN_EXE_sse-bridge"), "--out", out.path().to_str().unwrap(), "deb"]).args(revision);
            let output = build.output().unwrap();
            assert!(output.status.success(), "packaging/build: {}", String::from_utf8_lossy(&output.stderr));
            out
        }))
    }

    /// Installs it, or upgrades to it.
    fn install(self, guest: &Guest) {
        let out = self.0.join().expect("the package is made");
        let deb = std::fs::read_dir(out.path()).unwrap().next().unwrap().unwrap().path();
        guest.install(&deb);
    }
}

/// Nothing of ours listens or runs.
fn is_at_rest(guest: &Guest) {
    let (_, running) = guest.sh("pgrep -ax sse-bridge; ss -Htln 'sport = :8080 or sport = :8081 or sport = :8090'");
    assert_eq!(running, "");
    let active = guest.ok("systemctl list-units --no-legend --state=active,activating,reloading 'sse-bridge*'");
    assert_eq!(active, "");
}

pub fn a_fresh_install(guest: &Guest, package: Package) {
    package.install(guest);
    assert_eq!(guest.ok("dpkg -V sse-bridge"), "", "all is there as it was packed");
    is_at_rest(guest);
    for unit in ["sse-bridge.service", "sse-bridge.socket", "sse-bridge@.service", "sse-bridge@.socket"] {
        assert_eq!(guest.sh(&format!("systemctl is-enabled {unit}")).1.trim(), "disabled", "{unit}");
    }
    let files = guest.ok("dpkg -L sse-bridge");
    for page in ["man1/sse-bridge.1", "man5/sse-bridge.toml.5", "man5/sse-bridge-state.5", "man7/sse-bridge.7"] {
        let page = format!("/usr/share/man/{page}.gz");
        assert!(files.lines().any(|file| file == page), "{files}");
        assert!(guest.ok(&format!("zcat {page}")).lines().any(|line| line.starts_with(".SH") || line.starts_with(".Sh")), "{page}");
    }
    guest.ok("bash -n /usr/share/bash-completion/completions/sse-bridge");
    for directory in ["/usr/share/zsh/vendor-completions/", "/usr/share/fish/vendor_completions.d/"] {
        assert!(files.lines().any(|file| file.starts_with(directory)), "{directory}: {files}");
    }
    as_it_is_shipped(guest);
    by_its_socket(guest);
}

/// The shipped configuration names no source: one line says so, and nothing is tried again.
fn as_it_is_shipped(guest: &Guest) {
    assert_ne!(guest.sh("systemctl start sse-bridge.service").0, 0, "{}", guest.journal());
    let said = guest.ok("journalctl --no-pager -u sse-bridge.service -o cat _COMM=sse-bridge");
    let words = [CONFIG, "names no source", "[[source]]"];
    assert!(said.lines().count() == 1 && words.iter().all(|word| said.contains(word)), "one line says what to do: {said}");
    assert_eq!((guest.property("ExecMainStatus"), guest.property("NRestarts")), ("2".to_owned(), "0".to_owned()));
    guest.ok("systemctl reset-failed");
}

/// The shipped file with a source taken out of its comments, as it proposes, and the shipped socket.
fn by_its_socket(guest: &Guest) {
    guest.ok("echo one >/var/log/syslog; chown root:adm /var/log/syslog; chmod 640 /var/log/syslog");
    guest.ok(&format!("sed -i '/^#\\[\\[source\\]\\]$/{{N; /syslog/s/#//g}}' {CONFIG}"));
    guest.ok(&format!("sse-bridge --check --config {CONFIG} 2>&1"));
    guest.ok("systemctl start sse-bridge.socket");
    let listening = guest.ok("ss -Htln sport = :8080");
    assert!(listening.contains("127.0.0.1:8080") && listening.contains("[::1]:8080"), "{listening}");
    assert_eq!(listening.lines().count(), 2, "nowhere else: {listening}");
    assert_eq!(guest.property("ActiveState"), "inactive", "nobody has asked yet");
    assert_eq!(data(guest, "var/log/syslog"), ["one"]);
    assert_eq!(guest.ok("curl -sS --max-time 20 'http://[::1]:8080/healthz'"), "ok");
}

/// A unit that writes a log as they do, and a rotation by renaming.
pub fn a_log_that_a_unit_writes_and_that_is_rotated(guest: &Guest) {
    const WRITES: &str =
        "n=0; until [ -e /srv/enough ]; do n=$((n+1)); echo line $n >>/var/log/app.log; sleep 0.005; done; echo $n >/srv/count";
    guest.ok("install -m 640 -g adm /dev/null /var/log/app.log");
    start(guest, "[[source]]\nname = \"app\"\nread = \"/var/log/app.log\"\n");
    guest.ok(&format!("systemd-run -q --unit=app --collect sh -c '{WRITES}'"));
    let has_more_than = |count: usize| eventually("lines", || data(guest, "app").len(), |lines| *lines > count);
    let before = has_more_than(100);
    // As logrotate's `create` does it; a writer that comes between makes one that only root may read, until its rights are set.
    guest.ok("cd /var/log; mv app.log app.log.1; : >>app.log; chgrp adm app.log; chmod 640 app.log");
    has_more_than(before + 100);
    guest.ok("touch /srv/enough");
    let count = eventually("the last line", || guest.read("/srv/count"), |count| count.ends_with('\n'));
    let wanted: Vec<_> = (1..=count.trim().parse().unwrap()).map(|n: usize| format!("line {n}")).collect();
    let got = eventually("the last line", || data(guest, "app"), |lines| lines.last() == wanted.last());
    assert!(got == wanted, "{} lines of {}, or in another order", got.len(), wanted.len());
    guest.ok("rm /srv/enough /srv/count; test -s /var/log/app.log.1");
    let status = guest.ok("cat /proc/$(systemctl show --value -p MainPID sse-bridge.service)/status");
    let has = |line: &str| status.lines().any(|own| own == line);
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"] {
        assert!(has(line), "{line}: {status}");
    }
}

/// Two of the template, one by a socket, beside the service itself: each has a configuration, a port, a state and a runtime directory of its own.
pub fn templates_beside_the_service(guest: &Guest) {
    guest.ok("echo of web >/var/log/web.log; chown root:adm /var/log/web.log; chmod 640 /var/log/web.log");
    guest.write("/etc/sse-bridge/web.toml", "port = 8090\n[[source]]\nname = \"web\"\nread = \"/var/log/web.log\"\n");
    guest.write("/etc/sse-bridge/8081.toml", "[[source]]\nname = \"in\"\nread = \"fifo:/run/sse-bridge@8081/in\"\n");
    let own = "/etc/systemd/system/sse-bridge@8081.service.d";
    guest.ok(&format!("mkdir {own}; cp /usr/share/doc/sse-bridge/examples/socket-activated.conf {own}/; systemctl daemon-reload"));
    guest.ok("systemctl start sse-bridge@web.service sse-bridge@8081.socket");
    assert_eq!(guest.property_of("sse-bridge@8081.service", "ActiveState"), "inactive");
    let lines = |port: u16, channel: &str| {
        let path = format!("http://127.0.0.1:{port}/events/{channel}?tail=all&follow=0&format=text");
        guest.ok(&format!("curl -sSf --retry 5 --retry-connrefused --max-time 20 '{path}'"))
    };
    assert_eq!((lines(8090, "web"), lines(8081, "in")), ("of web".to_owned(), String::new()));
    guest.ok("echo first >/run/sse-bridge@8081/in");
    eventually("the line", || lines(8081, "in"), |lines| lines == "first");
    // The service comes and goes, and they do not notice.
    start(guest, PIPE);
    guest.ok("echo own >/run/sse-bridge/in");
    eventually("the line", || data(guest, "in"), |lines| lines == &["own"]);
    let names = guest.ok("curl -sS http://127.0.0.1:8080/channels");
    assert!(!names.contains("web") && !names.contains("8081"), "it knows nothing of them: {names}");
    guest.ok("systemctl stop sse-bridge.service; systemctl restart sse-bridge@web.service sse-bridge@8081.service");
    guest.ok("echo second >/run/sse-bridge@8081/in; echo more >>/var/log/web.log");
    eventually("the line", || lines(8081, "in"), |lines| lines == "first\nsecond");
    eventually("the line", || lines(8090, "web"), |lines| lines == "of web\nmore");
    guest.ok("rm /etc/sse-bridge/web.toml /etc/sse-bridge/8081.toml");
}

/// The program that a unit runs: its number, and that of the file.
fn program_of(guest: &Guest, unit: &str) -> (String, String) {
    let pid = guest.property_of(unit, "MainPID");
    let file = guest.ok(&format!("stat -Lc %i /proc/{pid}/exe"));
    (pid, file)
}

/// Writes numbered lines into the pipe and the log until somebody has enough; says how many.
const WRITE: &str = "exec 3<>/run/sse-bridge/in; n=0; while [ ! -e /srv/enough ]; do \
    seq -f 'line %07.0f' $((n*1000+1)) $((n*1000+1000)) | tee -a /var/log/syslog >&3; n=$((n+1)); sleep 0.02; done; echo $((n*1000))";

pub fn an_upgrade_under_load(guest: &Guest, package: Package) {
    let config = format!("# An administrator was here.\n{LOG}{PIPE}");
    guest.ok(": >/var/log/syslog");
    start(guest, &config);
    guest.write("/etc/sse-bridge/web.toml", "port = 8090\n[[source]]\nread = \"/var/log/syslog\"\n");
    guest.ok("systemctl enable -q sse-bridge.service sse-bridge@web.service; systemctl start sse-bridge@web.service");
    let units = ["sse-bridge.service", "sse-bridge@web.service"];
    let before = units.map(|unit| program_of(guest, unit));
    let clients = ["in", "syslog"].map(|channel| {
        let cat = format!("exec sse-bridge cat -q --strict --tail all :8080/events/{channel}");
        guest.spawn(&format!("echo $$ >/srv/{channel}.pid; {cat} >/srv/{channel}.out 2>/srv/{channel}.err"))
    });
    let writer = guest.spawn(WRITE);
    let received = |channel: &str| guest.read(&format!("/srv/{channel}.out")).lines().count();
    let has_more = |than: usize| ["in", "syslog"].map(|channel| eventually(channel, || received(channel), |lines| *lines > than));
    has_more(scale(2000, 20_000));
    package.install(guest);
    // And clients get what the new one reads.
    has_more(["in", "syslog"].map(received).into_iter().max().unwrap() + 2000);
    guest.ok("touch /srv/enough");
    let count: usize = String::from_utf8(writer.wait_with_output().unwrap().stdout).unwrap().trim().parse().unwrap();
    for channel in ["in", "syslog"] {
        eventually(channel, || received(channel), |lines| *lines >= count);
        guest.ok(&format!("kill $(cat /srv/{channel}.pid)"));
        is_whole(channel, &guest.read(&format!("/srv/{channel}.out")), count);
        assert_eq!(guest.read(&format!("/srv/{channel}.err")), "", "a client of {channel} was told of no gap");
        assert!(guest.stream(channel).iter().all(|message| message.event != "gap"), "nothing was lost of {channel}");
    }
    clients.into_iter().for_each(|mut client| drop(client.wait()));
    assert_eq!(guest.ok("dpkg-query -Wf '${Version}' sse-bridge"), format!("{VERSION}+2"));
    let installed = guest.ok("stat -c %i /usr/bin/sse-bridge");
    for (unit, (pid, file)) in units.iter().zip(before) {
        let now = program_of(guest, unit);
        assert!(now.0 != pid && now.1 == installed && installed != file, "{unit} runs the new program: {now:?}, before {file}");
        assert_eq!(guest.ok(&format!("systemctl is-enabled {unit}")), "enabled");
    }
    assert_eq!(guest.read(CONFIG), config, "what was edited stays");
    assert_eq!(guest.property("NFileDescriptorStore"), "3");
}

fn is_whole(channel: &str, got: &str, count: usize) {
    let mut wanted = (1..=count).map(|number| format!("line {number:07}"));
    let differs = got.lines().enumerate().find(|(_, line)| wanted.next().as_deref() != Some(line));
    assert!(differs.is_none() && wanted.next().is_none(), "{channel}: of {count} lines the first that differs: {differs:?}");
}

/// Behind an upgrade, with all of it still there.
pub fn removed_and_purged(guest: &Guest) {
    let state = "ls /var/lib/private/sse-bridge/in/*.sse /var/lib/private/sse-bridge@web/var/log/syslog/*.sse";
    let (config, history) = (guest.read(CONFIG), guest.ok(state));
    guest.ok("dpkg -r sse-bridge 2>&1");
    is_at_rest(guest);
    assert!(!Path::new(&guest.ok("command -v sse-bridge || echo gone")).is_absolute());
    assert_eq!((guest.read(CONFIG), guest.ok(state)), (config, history), "configuration and history outlive a removal");
    guest.ok("rm /etc/sse-bridge/web.toml; dpkg -P sse-bridge 2>&1");
    let left =
        "find / -xdev -path /srv -prune -o \\( -name '*sse-bridge*' ! -path '/proc/*' \\) -print; ls -d /run/sse-bridge* 2>&1";
    let (_, left) = guest.sh(left);
    assert!(!left.lines().any(|line| line.starts_with('/')), "nothing of it is left: {left}");
}
