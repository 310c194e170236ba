//! Whether messages go to the journal: then each has its priority and its fields there, instead of words in a line.

use std::env;
use std::io;
use std::os::fd::AsFd;

use nix::sys::stat::fstat;
use tracing_journald::{Layer, Priority, PriorityMappings};

/// What the fields of messages begin with: `SSE_BRIDGE_CHANNEL`.
const PREFIX: &str = "SSE_BRIDGE";

/// The way to the journal, if standard error leads there: systemd says in `$JOURNAL_STREAM` which socket that is, and whoever has sent standard error
/// elsewhere since has another.
pub fn layer() -> Option<Layer> {
    let stream = env::var("JOURNAL_STREAM").ok()?;
    if !is_it(&stream, io::stderr()) {
        return None;
    }
    let priorities = PriorityMappings {
        error: Priority::Error,
        warn: Priority::Warning,
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
    };
    Some(Layer::new().ok()?.with_field_prefix(Some(PREFIX.to_owned())).with_priority_mappings(priorities))
}

/// Whether a descriptor is what `DEVICE:INODE` names.
fn is_it(stream: &str, descriptor: impl AsFd) -> bool {
    let Some((device, inode)) = stream.split_once(':') else { return false };
    fstat(descriptor).is_ok_and(|found| device.parse() == Ok(found.st_dev) && inode.parse() == Ok(found.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_descriptor_is_known_by_device_and_inode() {
        let file = File::open("/dev/null").unwrap();
        let found = fstat(&file).unwrap();
        let named = |device: u64, inode: u64| is_it(&format!("{device}:{inode}"), &file);
        assert!(named(found.st_dev, found.st_ino));
        assert!(!named(found.st_dev + 1, found.st_ino) && !named(found.st_dev, found.st_ino + 1));
        for text in ["", ":", "1", "a:b"] {
            assert!(!is_it(text, &file), "{text}");
        }
    }
}
