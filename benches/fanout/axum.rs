//! axum's `Sse` over tokio's broadcast channel, written as everybody writes it: a package of its own in `axum/`.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::writer::peers;

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/fanout/axum/Cargo.toml");

/// Its first bytes come with the first line.
pub(crate) const GREETS: bool = false;

/// Builds it, and says which versions.
pub(crate) fn build() -> Result<String, String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--locked", "--quiet", "--manifest-path", MANIFEST, "--target-dir"]).arg(peers());
    match cargo.stdin(Stdio::null()).status() {
        Ok(end) if end.success() => Ok(versions()),
        _ => Err("not built: `cargo build` in benches/fanout/axum did not do it".to_owned()),
    }
}

/// As its lock file has them.
fn versions() -> String {
    let lock = include_str!("axum/Cargo.lock");
    let version = |name: &str| {
        let package = lock.split("[[package]]").find(|package| package.contains(&format!("name = \"{name}\"\n")))?;
        package.split("version = \"").nth(1)?.split('"').next()
    };
    let of = |name| version(name).unwrap_or("of unknown version");
    format!("axum {}, tokio {}, hyper {}", of("axum"), of("tokio"), of("hyper"))
}

fn path() -> PathBuf {
    peers().join("release").join("axum-broadcast")
}

/// With the word `replay` it reads standard input to its end first.
pub(crate) fn command(words: &[&str]) -> Command {
    let mut command = Command::new(path());
    command.args(words);
    command
}
