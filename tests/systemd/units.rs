//! The units as they are shipped: what they leave open to an attacker, in systemd's own words.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::UNITS;

/// A root with the units in it, and with what an administrator adds to the service.
fn root(drop_in: Option<&str>) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let units = root.path().join("etc/systemd/system");
    fs::create_dir_all(units.join("sse-bridge.service.d")).unwrap();
    for entry in fs::read_dir(UNITS).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, units.join(path.file_name().unwrap())).unwrap();
    }
    if let Some(drop_in) = drop_in {
        fs::copy(Path::new(UNITS).join(drop_in), units.join("sse-bridge.service.d").join(drop_in)).unwrap();
    }
    root
}

/// systemd refuses above the threshold, which is tenfold the exposure.
fn is_exposed_at_most(tenfold: u32, unit: &str, drop_in: Option<&str>) {
    let root = root(drop_in);
    let asked = Command::new("systemd-analyze")
        .arg(format!("--root={}", root.path().display()))
        .args(["--no-pager", "security", "--offline=true", &format!("--threshold={tenfold}"), unit])
        .output()
        .expect("systemd-analyze runs");
    let said = String::from_utf8_lossy(&asked.stdout);
    assert!(asked.status.success(), "{unit}:\n{said}{}", String::from_utf8_lossy(&asked.stderr));
    assert!(said.contains("Overall exposure level"), "{said}");
}

#[test]
fn a_service_that_binds_itself_is_exposed_at_most_1_0() {
    is_exposed_at_most(10, "sse-bridge.service", None);
    is_exposed_at_most(10, "sse-bridge@web.service", None);
}

#[test]
fn a_socket_activated_service_is_exposed_at_most_0_3() {
    is_exposed_at_most(3, "sse-bridge.service", Some("socket-activated.conf"));
}

#[test]
fn the_services_differ_only_in_their_names() {
    let lines = |name: &str| {
        let text = fs::read_to_string(Path::new(UNITS).join(name)).unwrap();
        let is_said = |line: &&str| !line.starts_with('#') && !line.starts_with("Description=");
        text.lines()
            .filter(is_said)
            .map(|line| line.replace("=sse-bridge@%i", "=sse-bridge").replace("%i", "sse-bridge"))
            .collect::<Vec<_>>()
    };
    let own: Vec<_> = lines("sse-bridge.service").into_iter().map(|line| line.replace("tcp:8080", "tcp:1024-65535")).collect();
    assert_eq!(lines("sse-bridge@.service"), own);
}
