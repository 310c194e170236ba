//! The raw writer (`writer.c`), built by the C compiler that Rust links with.

use std::path::PathBuf;
use std::process::Command;

use super::contestant::said;

pub(crate) const GREETS: bool = true;

/// Where what is built for this benchmark lies.
pub(crate) fn peers() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("fanout-peers")
}

/// Builds it, and says with what.
pub(crate) fn build() -> Result<String, String> {
    std::fs::create_dir_all(peers()).map_err(|error| format!("no place to build: {error}"))?;
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/fanout/writer.c");
    let built = Command::new("cc").args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(path()).arg(source).status();
    if !built.is_ok_and(|end| end.success()) {
        return Err("not built: `cc` did not do it".to_owned());
    }
    Ok(format!("C, {}", said("cc", &["--version"]).unwrap_or_default()))
}

fn path() -> PathBuf {
    peers().join("writer")
}

/// In the mode `serve`, `replay` or `ingest`.
pub(crate) fn command(mode: &str) -> Command {
    let mut command = Command::new(path());
    command.arg(mode);
    command
}
