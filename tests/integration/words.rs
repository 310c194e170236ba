//! Words said twice: the README and the help say what the daemon does, and every default in the help is the one that holds.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::harness::{Bridge, run_to_end};

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

fn help() -> String {
    let (code, out, _) = run_to_end(&["--help"], Stdio::null());
    assert_eq!(code, 0);
    out
}

/// All `--flags` in a text.
fn flags(text: &str) -> Vec<String> {
    let parts = text.split("--").skip(1);
    let names = parts.map(|part| part.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect::<String>());
    names.filter(|name| name.len() > 2).map(|name| format!("--{}", name.trim_end_matches('-'))).collect()
}

#[test]
fn every_option_in_the_readme_exists() {
    let help = help() + &["history", "cat"].map(|command| run_to_end(&[command, "--help"], Stdio::null()).1).concat();
    // Options of other programs, in the README's commands.
    let others = ["--release", "--test", "--nocapture", "--quick", "--long", "--bench", "--path", "--now"];
    for flag in flags(&read("README.md")) {
        assert!(others.contains(&flag.as_str()) || help.contains(&flag), "the README names {flag}");
    }
}

#[test]
fn every_option_has_its_default_in_the_help() {
    let help = help();
    let options = help.split("Options:").nth(1).unwrap().split("Examples:").next().unwrap();
    for option in options.split("\n\n").map(str::trim).filter(|option| option.starts_with('-')) {
        let text = option.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_bare = text.starts_with("-h,") || text.starts_with("-V,");
        assert!(is_bare || text.contains("[default: "), "{text}");
    }
}

#[test]
fn the_readme_names_every_path_and_every_control_event() {
    let readme = read("README.md");
    let bridge = Bridge::start(&[]);
    for path in ["/", "/events", "/channels", "/metrics", "/healthz", "/readyz"] {
        assert!(readme.contains(&format!("`{path}`")), "{path}");
        assert_eq!(crate::harness::Get::request(bridge.port, "HEAD", path, &[]).status(), 200, "{path}");
    }
    for kind in ["start", "gap", "end", "progress", "busy", "ping"] {
        assert!(readme.contains(&format!("| `{kind}` |")), "{kind}");
    }
}

#[test]
fn the_readmes_two_commands_are_there() {
    let readme = read("README.md");
    for command in ["while date; do sleep 1; done | cargo run --release -- --port 8080\n", "\ntests/run\n"] {
        assert!(readme.contains(command), "{command}");
    }
    for file in [
        "docs/page-dark.png",
        "docs/charts-light.png",
        "docs/viewer.md",
        "docs/systemd.md",
        "examples/README.md",
        "tests/run",
        ".ci/run",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "DESIGN.md",
        "CHANGELOG.md",
    ] {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(file).is_file(), "{file}");
    }
}

/// The figures are measured by hand; their rows are those that `cargo bench` prints, so nobody has to guess which is which.
#[test]
fn the_readmes_figures_name_the_command_that_prints_them() {
    let figures = read("README.md").split("## Figures").nth(1).unwrap().split("\n## ").next().unwrap().to_owned();
    assert!(figures.contains("`cargo bench`"), "{figures}");
    let printed = [
        "benches/figures/ingest.rs",
        "benches/figures/latency.rs",
        "benches/figures/memory.rs",
        "benches/figures/start.rs",
        "benches/figures/reading.rs",
        "benches/figures/following.rs",
        "benches/figures/idle.rs",
        "benches/figures/state.rs",
    ]
    .map(read)
    .concat();
    let (_, figures) = figures.split_once("| figure |").unwrap();
    let rows = figures.lines().skip(1).filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    for row in rows {
        let name = row.split('|').nth(1).unwrap().trim();
        assert!(printed.contains(name), "cargo bench prints no row {name:?}");
    }
}

#[test]
fn the_readmes_rows_of_the_benchmarks_stand_there() {
    let (readme, benchmarks) = (read("README.md"), read("BENCHMARKS.md"));
    let rows: Vec<_> = readme.lines().filter(|line| line.starts_with("| 1") || line.starts_with("| 5")).collect();
    assert_eq!(rows.len(), 4, "{rows:?}");
    for row in rows {
        let (clients, rest) = row.trim_matches(['|', ' ']).split_once(" clients").unwrap();
        for (who, figure) in ["sse-bridge", "raw writer", "axum + broadcast", "nchan"].iter().zip(rest.split('|').skip(1)) {
            let (scenario, figure) = (format!("{clients} clients"), figure.trim());
            let is_it = |line: &str| line.split('|').map(str::trim).skip(1).take(2).eq([*who, figure]);
            let sections = benchmarks.split("\n## ").filter(|section| section.contains(&scenario));
            assert!(sections.flat_map(str::lines).any(is_it), "{who} with {scenario}: {figure} stands in BENCHMARKS.md");
        }
    }
}
