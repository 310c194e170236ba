use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::making::{PROGRAM, VERSION, done, package, ran, source};

/// What is in every package beside the program's own directory of documents; zsh and licences have other places on each system.
const EVERYWHERE: &[&str] = &[
    "/etc/sse-bridge/sse-bridge.toml",
    "/usr/bin/sse-bridge",
    "/usr/share/bash-completion/completions/sse-bridge",
    "/usr/share/fish/vendor_completions.d/sse-bridge.fish",
    "/usr/share/man/man1/sse-bridge.1.gz",
    "/usr/share/man/man5/sse-bridge-state.5.gz",
    "/usr/share/man/man5/sse-bridge.toml.5.gz",
    "/usr/share/man/man7/sse-bridge.7.gz",
];

const DOCUMENTS: &[&str] = &[
    "CHANGELOG.md",
    "README.md",
    "docs/cat.md",
    "docs/commands.md",
    "docs/mapping.md",
    "docs/monitoring.md",
    "docs/stream.md",
    "docs/systemd.md",
    "docs/viewer.md",
];

/// The files that a package must have, and no others.
fn wanted(own: &[&str]) -> BTreeSet<String> {
    let units = fs::read_dir(source("systemd")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let units = units.map(|name| match name.rsplit_once('.') {
        Some((_, "service" | "socket")) => format!("/usr/lib/systemd/system/{name}"),
        _ => format!("/usr/share/doc/sse-bridge/examples/{name}"),
    });
    let documents = DOCUMENTS.iter().map(|name| format!("/usr/share/doc/sse-bridge/{name}"));
    let others = EVERYWHERE.iter().chain(own).map(|path| (*path).to_owned());
    units.chain(documents).chain(others).collect()
}

#[test]
fn the_deb_has_these_files_and_no_others() {
    let listing = ran("dpkg-deb", ["-c".as_ref(), package("deb").as_os_str()]);
    let entries: Vec<_> = listing.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    let files = entries.iter().filter(|entry| entry[0].starts_with('-'));
    let names: BTreeSet<_> = files.clone().map(|entry| entry[5].trim_start_matches('.').to_owned()).collect();
    assert_eq!(
        names,
        wanted(&[
            "/usr/share/doc/sse-bridge/changelog.gz",
            "/usr/share/doc/sse-bridge/copyright",
            "/usr/share/zsh/vendor-completions/_sse-bridge",
        ])
    );
    for entry in &entries {
        let is_program = entry[5] == "./usr/bin/sse-bridge";
        let rights = if entry[0].starts_with('d') {
            "drwxr-xr-x"
        } else if is_program {
            "-rwxr-xr-x"
        } else {
            "-rw-r--r--"
        };
        assert_eq!((entry[0], entry[1]), (rights, "root/root"), "{}", entry[5]);
    }
}

#[test]
fn the_deb_says_what_it_is() {
    let deb = package("deb");
    let field = |name: &str| ran("dpkg-deb", ["-f".as_ref(), deb.as_os_str(), name.as_ref()]).trim().to_owned();
    assert_eq!((field("Package"), field("Version")), ("sse-bridge".to_owned(), VERSION.to_owned()));
    assert!(field("Depends").starts_with("libc6 (>= 2."), "{}", field("Depends"));
    assert_eq!(ran("dpkg-deb", ["-I".as_ref(), deb.as_os_str(), "conffiles".as_ref()]), "/etc/sse-bridge/sse-bridge.toml\n");
}

#[test]
fn lintian_has_nothing_to_say() {
    let output = done("lintian", ["--fail-on".as_ref(), "error,warning".as_ref(), package("deb").as_os_str()]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim().is_empty(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_rpm_has_these_files_and_good_scripts() {
    let rpm = package("rpm");
    let query = |what: &str| ran("rpm", ["-qp".as_ref(), what.as_ref(), rpm.as_os_str()]);
    let directories = ["/etc/sse-bridge", "/usr/share/doc/sse-bridge", "/usr/share/licenses/sse-bridge"];
    let listing = query("-l");
    let names: BTreeSet<_> = listing.lines().filter(|name| !directories.contains(name)).map(str::to_owned).collect();
    assert_eq!(
        names,
        wanted(&[
            "/usr/share/licenses/sse-bridge/LICENSE-APACHE",
            "/usr/share/licenses/sse-bridge/LICENSE-MIT",
            "/usr/share/zsh/site-functions/_sse-bridge",
        ])
    );
    assert_eq!(query("-c"), "/etc/sse-bridge/sse-bridge.toml\n");
    for part in ["POSTIN", "PREUN", "POSTUN"] {
        let script = query(&format!("--queryformat=%{{{part}}}"));
        assert!(script.contains("systemctl"), "{part}: {script}");
        ran("sh", ["-n", "-c", &script]);
    }
}

#[test]
fn the_archive_can_be_unpacked_and_run_anywhere() {
    let root = tempfile::tempdir().unwrap();
    ran("tar", ["-xzf".as_ref(), package("tar.gz").as_os_str(), "-C".as_ref(), root.path().as_os_str()]);
    let top = fs::read_dir(root.path()).unwrap().next().unwrap().unwrap().path();
    assert_eq!(ran(top.join("usr/bin/sse-bridge").to_str().unwrap(), ["--version"]), format!("sse-bridge {VERSION}\n"));
    for file in ["LICENSE-MIT", "LICENSE-APACHE"] {
        assert_eq!(fs::read(top.join("usr/share/doc/sse-bridge").join(file)).unwrap(), fs::read(source(file)).unwrap());
    }
}

#[test]
fn the_configuration_that_is_shipped_explains_itself() {
    let path = source("packaging/sse-bridge.toml");
    let check = |path: &std::path::Path| {
        Command::new(PROGRAM).args(["--check", "--config"]).arg(path).stdin(std::process::Stdio::null()).output().unwrap()
    };
    let as_shipped = check(&path);
    let said = String::from_utf8_lossy(&as_shipped.stderr);
    assert!(as_shipped.status.code() == Some(2) && said.contains("sse-bridge.toml' names no source"), "{said}");

    // Everything that it proposes, at once.
    let text = fs::read_to_string(&path).unwrap();
    let is_proposal =
        |line: &&str| line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()));
    let proposals: Vec<_> = text.lines().filter(is_proposal).map(|line| &line[1..]).collect();
    assert!(proposals.len() > 10, "{proposals:#?}");
    let root = tempfile::tempdir().unwrap();
    let whole = root.path().join("x.toml");
    fs::write(&whole, format!("state-dir = \"/nowhere\"\n{}\n", proposals.join("\n"))).unwrap();
    let checked = check(&whole);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
