//! The real service under the real systemd. One boot serves all cases, which follow one another: a boot costs more than any of them.

use std::time::Duration;

use super::guest::Guest;
use super::package::{self, Package};
use crate::harness::{eventually, scale};

pub const LOG: &str = "[[source]]\nname = \"syslog\"\nread = \"/var/log/syslog\"\nfrom = \"start\"\n";
pub const PIPE: &str = "[[source]]\nname = \"in\"\nread = \"fifo:/run/sse-bridge/in\"\n";

#[test]
fn on_debian_12() {
    all_cases("bookworm");
}

#[test]
fn on_debian_13() {
    if scale(false, true) {
        all_cases("trixie");
    }
}

fn all_cases(release: &str) {
    let (package, newer) = (Package::make(&[]), Package::make(&["--revision", "2"]));
    let guest = Guest::boot(release);
    timed(release, "a fresh install", || package::a_fresh_install(&guest, package));
    guest.clear();
    // What is installed now is what all others are about.
    let cases: [(&str, fn(&Guest)); 10] = [
        ("the units are sound", the_units_are_sound),
        ("start, status and the log of another group", start_status_and_the_log_of_another_group),
        ("a log that a unit writes and that is rotated", package::a_log_that_a_unit_writes_and_that_is_rotated),
        ("templates beside the service", package::templates_beside_the_service),
        ("reload", reload),
        ("restarts under load", restarts_under_load),
        ("kill -9 under load", kill_under_load),
        ("watchdog", watchdog),
        ("activation", activation),
        ("refusals", refusals),
    ];
    for (name, case) in cases {
        timed(release, name, || case(&guest));
        guest.clear();
    }
    timed(release, "an upgrade under load", || package::an_upgrade_under_load(&guest, newer));
    timed(release, "removed and purged", || package::removed_and_purged(&guest));
}

fn timed(release: &str, name: &str, case: impl FnOnce()) {
    let began = std::time::Instant::now();
    case();
    println!("{release}: {name}: {:?}", began.elapsed());
}

fn the_units_are_sound(guest: &Guest) {
    let units = "sse-bridge.service sse-bridge.socket sse-bridge@web.service sse-bridge@8081.socket";
    let said = guest.ok(&format!("systemd-analyze verify --man=no {units} 2>&1"));
    let ours: Vec<_> = said.lines().filter(|line| line.contains("sse-bridge")).collect();
    assert!(ours.is_empty(), "{said}");
}

/// Starts the service with this configuration.
pub fn start(guest: &Guest, text: &str) {
    guest.configure(text);
    guest.ok("systemctl daemon-reload; systemctl start sse-bridge.service");
}

pub fn data(guest: &Guest, channel: &str) -> Vec<String> {
    guest.stream(channel).into_iter().filter(|message| message.event == "message").map(|message| message.data).collect()
}

fn start_status_and_the_log_of_another_group(guest: &Guest) {
    guest.ok("printf 'one\\ntwo\\n' >/var/log/syslog; chown root:adm /var/log/syslog; chmod 640 /var/log/syslog");
    start(guest, LOG);
    assert_eq!(guest.property("ActiveState"), "active");
    assert_eq!(data(guest, "syslog"), ["one", "two"]);
    let status = guest.property("StatusText");
    assert!(status.starts_with("1 channel, serving 0 clients on http://127.0.0.1:8080/"), "{status}");
    let mut client = guest.spawn("curl -sN http://127.0.0.1:8080/events");
    guest.until("StatusText", |status| status.contains("serving 1 client on"));
    client.kill().unwrap();
    client.wait().unwrap();
    let user = guest.ok("stat -c %u /proc/$(systemctl show --value -p MainPID sse-bridge)");
    assert!((61_184..=65_519).contains(&user.parse().unwrap()), "a user is made for it: {user}");
    let entries = guest.ok("journalctl --no-pager -o json -u sse-bridge.service _COMM=sse-bridge");
    let entries: Vec<serde_json::Value> = entries.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ready = entries.iter().find(|entry| entry["MESSAGE"].as_str().unwrap_or_default().starts_with("listening on")).unwrap();
    assert_eq!(
        (&ready["PRIORITY"], &ready["SYSLOG_IDENTIFIER"], &ready["TARGET"]),
        (&"6".into(), &"sse-bridge".into(), &"ready".into())
    );
    assert!(entries.iter().all(|entry| entry["CODE_FILE"].is_string()), "all come by the journal's own way");
    // What standard error is must not be believed but looked at.
    let plain =
        guest.ok("systemd-run -q --wait -p StandardError=journal sh -c 'sse-bridge --nonsense 2>/tmp/plain' ; cat /tmp/plain");
    assert!(plain.starts_with("sse-bridge: "), "{plain}");
}

fn reload(guest: &Guest) {
    guest.ok("echo a >/var/log/a; echo b >/var/log/b");
    let source = |name: &str| format!("[[source]]\nname = \"{name}\"\nread = \"/var/log/{name}\"\n");
    start(guest, &source("a"));
    let pid = guest.property("MainPID");
    guest.configure(&(source("a") + &source("b")));
    guest.ok("systemctl reload sse-bridge.service");
    eventually("the new source", || data(guest, "b"), |lines| lines == &["b"]);
    guest.configure("nonsense = 1\n");
    guest.ok("systemctl reload sse-bridge.service");
    assert_eq!((guest.property("ActiveState"), guest.property("MainPID")), ("active".to_owned(), pid));
    eventually("the error", || guest.journal(), |said| said.contains("could not reload: ") && said.contains("going on as before"));
    let error = guest.ok("journalctl --no-pager -u sse-bridge.service -p err -o cat");
    assert!(error.contains("could not reload"), "it has the priority of an error: {error}");
}

fn lines() -> usize {
    scale(60_000, 600_000)
}

/// Writes numbered lines into the pipe and the log, a pause after each thousand, until the files say that it is over.
fn write(guest: &Guest) -> std::process::Child {
    let (blocks, each) = (lines() / 1000, 1000);
    guest.spawn(&format!(
        "exec 3<>/run/sse-bridge/in; n=0; while [ $n -lt {blocks} ]; do \
         seq -f 'line %07.0f' $((n*{each}+1)) $((n*{each}+{each})) | tee -a /var/log/syslog >&3; n=$((n+1)); sleep 0.02; done"
    ))
}

fn wanted(from: usize) -> Vec<String> {
    (from..=lines()).map(|number| format!("line {number:07}")).collect()
}

fn is_whole(what: &str, got: &[String]) {
    let wanted = wanted(1);
    let differs = got.iter().zip(&wanted).position(|(got, wanted)| got != wanted);
    assert!(
        got.len() == wanted.len() && differs.is_none(),
        "{what}: {} lines of {}; the first that differs: {:?}",
        got.len(),
        wanted.len(),
        differs.map(|at| &got[at.saturating_sub(2)..(at + 3).min(got.len())])
    );
}

fn restarts_under_load(guest: &Guest) {
    guest.ok(": >/var/log/syslog");
    start(guest, &(LOG.to_owned() + PIPE));
    guest.until("NFileDescriptorStore", |count| count == "3");
    let mut writer = write(guest);
    let mut asking = guest
        .spawn("while [ ! -e /tmp/enough ]; do curl -s -o /dev/null --max-time 10 http://127.0.0.1:8080/healthz || echo $?; done");
    for _ in 0..scale(3, 30) {
        std::thread::sleep(Duration::from_millis(300)); // the load goes on meanwhile
        guest.ok("systemctl restart sse-bridge.service");
    }
    assert!(writer.wait().unwrap().success());
    guest.ok("touch /tmp/enough");
    let mut refused = String::new();
    std::io::Read::read_to_string(asking.stdout.as_mut().unwrap(), &mut refused).unwrap();
    asking.wait().unwrap();
    guest.ok("rm /tmp/enough");
    // One that was being answered while the daemon stopped may be cut; to connect is never refused (7).
    assert!(!refused.lines().any(|code| code == "7"), "refused: {refused}");
    for channel in ["in", "syslog"] {
        let got = eventually(channel, || data(guest, channel), |lines| lines.last() == wanted(lines.len()).last());
        is_whole(channel, &got);
        assert!(!guest.stream(channel).iter().any(|message| message.event == "gap"), "nothing was lost of {channel}");
    }
    assert_eq!(guest.property("NFileDescriptorStore"), "3", "each is kept once");
}

fn kill_under_load(guest: &Guest) {
    guest.ok(": >/var/log/syslog");
    start(guest, &(LOG.to_owned() + PIPE));
    guest.until("NFileDescriptorStore", |count| count == "3");
    let mut writer = write(guest);
    let kills = scale(4, 40);
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(200)); // the load goes on meanwhile
        let pid = guest.property("MainPID");
        guest.ok("systemctl kill --kill-whom=main -s KILL sse-bridge.service");
        guest.until("MainPID", |now| now != pid && now != "0");
        guest.until("SubState", |state| state == "running");
    }
    assert!(writer.wait().unwrap().success());
    let log = eventually("the log", || data(guest, "syslog"), |lines| lines.last() == wanted(lines.len()).last());
    is_whole("syslog", &log);
    let last = format!("line {:07}", lines());
    let stream = eventually("the pipe", || guest.stream("in"), |all| all.last().is_some_and(|message| message.data == last));
    judge(&stream, kills);
}

/// Each hole is at most what one read takes, and behind it there is a gap before the next line; nothing comes twice.
fn judge(stream: &[crate::harness::parser::Message], kills: usize) {
    const READ: usize = 64 * 1024;
    let (mut newest, mut told, mut gaps, mut holes) = (0, false, 0, 0);
    for message in stream {
        if message.event == "gap" {
            let said: serde_json::Value = serde_json::from_str(&message.data).unwrap();
            assert_eq!((&said["reason"], &said["lost"]), (&"crash".into(), &serde_json::Value::Null), "{said}");
            (told, gaps) = (true, gaps + 1);
            continue;
        }
        // The first line behind a loss may be the rest of one.
        let Some(number) =
            message.data.strip_prefix("line ").filter(|text| text.len() == 7).and_then(|text| text.parse::<usize>().ok())
        else {
            assert!(told, "half a line, and no gap before it: {:?}", message.data);
            continue;
        };
        assert!(number > newest, "{number} comes behind {newest}");
        if number != newest + 1 {
            holes += 1;
            assert!(told, "{newest} is followed by {number}, and no gap between");
            assert!((number - newest - 1) * 13 <= READ + 2 * 13, "{newest} is followed by {number}: more than a read");
        }
        (newest, told) = (number, false);
    }
    assert_eq!(newest, lines(), "the last");
    assert!(gaps <= kills);
    println!("{kills} kills, {holes} holes, {gaps} gaps");
}

fn watchdog(guest: &Guest) {
    guest.write("/etc/systemd/system/sse-bridge.service.d/short.conf", "[Service]\nWatchdogSec=2s\n");
    start(guest, PIPE);
    let pid = guest.property("MainPID");
    std::thread::sleep(Duration::from_secs(5)); // idle, and longer than the limit
    assert_eq!(guest.property("MainPID"), pid, "who is idle is not stuck: {}", guest.journal());
    guest.ok("kill -STOP $(systemctl show --value -p MainPID sse-bridge.service)");
    guest.ok("echo waits >/run/sse-bridge/in");
    guest.until("MainPID", |now| now != pid && now != "0");
    eventually("the line", || data(guest, "in"), |lines| lines == &["waits"]);
    assert!(guest.journal().contains("Watchdog timeout"), "{}", guest.journal());
    // A thread that is stuck, while all others get on: its next read takes a minute.
    let pid = guest.until("MainPID", |pid| pid != "0");
    let host = guest.host_pid("sse-bridge");
    let thread = std::fs::read_dir(format!("/proc/{host}/task"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|task| std::fs::read_to_string(task.join("comm")).unwrap().starts_with("pipe in"))
        .unwrap();
    let thread = thread.file_name().unwrap().to_str().unwrap().to_owned();
    let mut strace = std::process::Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "-p", &thread, "-e", "trace=read", "-e", "inject=read:delay_enter=60000000"])
        .spawn()
        .unwrap();
    eventually(
        "strace",
        || std::fs::read_to_string(format!("/proc/{host}/task/{thread}/status")).unwrap_or_default(),
        |status| status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0")),
    );
    guest.ok("echo stuck >/run/sse-bridge/in");
    let timeouts = |said: &String| said.matches("Watchdog timeout").count();
    let said = eventually("the watchdog", || guest.journal(), |said| timeouts(said) == 2);
    assert!(said.contains("'in=fifo:/run/sse-bridge/in' has been stuck for 2 s; the watchdog is not fed"), "{said}");
    let _ = strace.kill(); // who is traced does not die of it
    let _ = strace.wait();
    guest.until("MainPID", |now| now != pid && now != "0");
    guest.until("ActiveState", |state| state == "active");
}

fn activation(guest: &Guest) {
    guest.write(
        "/run/systemd/system/sse-bridge-in.socket",
        "[Socket]\nListenFIFO=/run/in\nFileDescriptorName=in\nService=sse-bridge.service\nRemoveOnStop=yes\nPipeSize=1M\nSocketMode=0600\n",
    );
    guest.ok("mkdir -p /etc/systemd/system/sse-bridge.service.d; cp /usr/share/doc/sse-bridge/examples/socket-activated.conf /etc/systemd/system/sse-bridge.service.d/");
    guest.configure("[[source]]\nname = \"in\"\nread = \"fifo:/run/in\"\n");
    guest.ok("systemctl daemon-reload; systemctl start sse-bridge.socket sse-bridge-in.socket");
    assert_eq!(guest.property("ActiveState"), "inactive");
    guest.ok("echo first >/run/in");
    guest.until("ActiveState", |state| state == "active");
    assert_eq!(data(guest, "in"), ["first"]);
    assert_eq!(guest.property("NFileDescriptorStore"), "0", "what a socket unit holds is not kept twice");
    let (_, network) = guest
        .sh("nsenter -t $(systemctl show --value -p MainPID sse-bridge) -n curl -sS --max-time 2 http://127.0.0.1:8080/healthz");
    assert!(network.contains("onnect"), "it has no network of its own: {network}");
    guest.ok("systemctl stop sse-bridge.service");
    let mut early = guest.spawn("curl -sS --max-time 20 http://127.0.0.1:8080/healthz");
    let mut answer = String::new();
    std::io::Read::read_to_string(early.stdout.as_mut().unwrap(), &mut answer).unwrap();
    assert!(early.wait().unwrap().success(), "a client starts it");
    guest.ok("echo second >/run/in");
    eventually("the line", || data(guest, "in"), |lines| lines == &["first", "second"]);
}

/// The exit code of the service, and what it has said.
fn refused(guest: &Guest, units: &str) -> (String, String) {
    guest.sh(&format!(
        "systemctl daemon-reload; systemctl reset-failed; systemctl start {units}; curl -s --max-time 1 http://127.0.0.1:8080/"
    ));
    // Whoever waits at the socket starts it again, until the socket's own limit: so not what holds at a moment, but what was written.
    let journal = "journalctl --no-pager -u sse-bridge.service -o cat";
    let exited = eventually(
        "the exit",
        || guest.sh(&format!("{journal} | grep 'Main process exited' | tail -n 1")).1,
        |line| !line.is_empty(),
    );
    guest.sh("systemctl stop 'sse-bridge*'; systemctl reset-failed");
    let code = exited.split("status=").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let said = (code, guest.ok(&format!("{journal} _COMM=sse-bridge | tail -n 1")));
    guest.sh("journalctl --rotate --vacuum-time=1s -q");
    said
}

fn refusals(guest: &Guest) {
    let is = |(code, said): (String, String), words: &[&str]| {
        assert_eq!(code, "2", "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    };
    guest.configure(&format!("port = 9090\n{PIPE}"));
    is(refused(guest, "sse-bridge.socket"), &["--port says where to listen", "127.0.0.1:8080", "systemctl edit sse-bridge.socket"]);
    guest.configure(PIPE);
    guest.write("/etc/systemd/system/sse-bridge.socket.d/x.conf", "[Socket]\nListenStream=\nListenStream=0.0.0.0:8080\n");
    is(refused(guest, "sse-bridge.socket"), &["refused to listen on 0.0.0.0:8080", "--allow-anonymous", "systemctl edit"]);
    guest.write("/etc/systemd/system/sse-bridge.socket.d/x.conf", "[Socket]\nFileDescriptorName=web\n");
    is(refused(guest, "sse-bridge.socket"), &["could not use the inherited descriptor 'web'", "'http'"]);
    guest.ok("rm -r /etc/systemd/system/sse-bridge.socket.d");
    guest.configure("nonsense = 1\n");
    is(refused(guest, "sse-bridge.service"), &["nonsense", "sse-bridge.toml"]);
    assert_eq!(guest.property("NRestarts"), "0", "time cannot cure it");
    // What time can cure is tried again.
    guest.configure(PIPE);
    let mut other = guest.spawn("exec socat TCP-LISTEN:8080,bind=127.0.0.1,reuseaddr,fork /dev/null");
    eventually("the port", || guest.sh("ss -Htln sport = :8080").1, |said| said.contains("8080"));
    guest.sh("systemctl --no-block start sse-bridge.service");
    guest.until("NRestarts", |count| count != "0");
    assert!(guest.journal().contains("could not listen on 127.0.0.1:8080"), "{}", guest.journal());
    other.kill().unwrap();
    other.wait().unwrap();
    guest.sh("pkill -x socat");
    guest.until("ActiveState", |state| state == "active");
}
