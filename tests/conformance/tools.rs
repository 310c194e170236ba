//! The programs and packages that the matrix needs. They are never skipped: a column that is not run proves nothing.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use super::raw::Version;

/// The programs that must be in the search path.
const PROGRAMS: [&str; 4] = ["curl", "node", "chromium", "firefox-esr"];

/// The project's directory.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the matrix.
pub(crate) fn file(path: &str) -> PathBuf {
    root().join("tests/conformance").join(path)
}

/// The Python that has the Python clients.
pub(crate) fn python() -> PathBuf {
    root().join("target/test-tools/venv/bin/python")
}

/// Stops the test if something is missing.
pub(crate) fn require() {
    let missing: Vec<String> = missing().collect();
    assert!(
        missing.is_empty(),
        "the conformance matrix needs {}: run tests/run, which installs what the tests need",
        missing.join(", ")
    );
}

fn missing() -> impl Iterator<Item = String> {
    let programs = PROGRAMS.into_iter().filter(|name| !is_in_path(name)).map(str::to_owned);
    let packages = ["eventsource", "undici"].map(|name| file("node/node_modules").join(name));
    let files = packages.into_iter().chain([python()]).filter(|path| !path.exists());
    programs.chain(files.map(|path| path.display().to_string()))
}

fn is_in_path(name: &str) -> bool {
    env::split_paths(&env::var_os("PATH").unwrap_or_default()).any(|directory| directory.join(name).is_file())
}

/// curl, which passes on the bytes of a body as they come, and ends after so many seconds.
pub(crate) fn curl(version: Version, limit: u64) -> Command {
    let mut curl = Command::new("curl");
    let version = match version {
        Version::Http10 => "--http1.0",
        Version::Http11 => "--http1.1",
        Version::Http2 => "--http2-prior-knowledge",
    };
    curl.args([version, "-sSN", "--noproxy", "*", "--max-time"]).arg(limit.to_string());
    curl
}

/// The version of a program, as it tells it: the first word with a digit and a dot.
pub(crate) fn program_version(program: &str) -> String {
    let told = Command::new(program).arg("--version").output();
    let told = told.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let is_version = |word: &&str| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit());
    told.split_whitespace().find(is_version).unwrap_or("?").to_owned()
}

/// The version of an npm package, as it is installed.
pub(crate) fn node_version(package: &str) -> String {
    let manifest = std::fs::read(file("node/node_modules").join(package).join("package.json")).unwrap_or_default();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap_or_default();
    manifest["version"].as_str().unwrap_or("?").to_owned()
}

/// The version of a Python package, as it is installed.
pub(crate) fn python_version(package: &str) -> String {
    let script = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))";
    let told = Command::new(python()).args(["-c", script, package]).output();
    told.map_or_else(|_| "?".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
