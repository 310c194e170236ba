//! A script for Node (`node.mjs`), as everybody writes it.

use std::process::Command;

use super::contestant::said;

pub(crate) const GREETS: bool = true;

/// Says which version there is.
pub(crate) fn find() -> Result<String, String> {
    let version = said("node", &["--version"]).ok_or("not installed: there is no `node`")?;
    Ok(format!("Node {version}"))
}

pub(crate) fn command() -> Command {
    let mut command = Command::new("node");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/fanout/node.mjs"));
    command
}
