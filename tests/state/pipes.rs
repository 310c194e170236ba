//! Named pipes that feed several channels. The test holds them open, so that what is written while no daemon is there waits for the next one.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;

use nix::sys::stat::Mode;

use crate::directory::Directory;
use crate::harness::Bridge;

pub struct Pipes {
    /// By channel.
    ends: BTreeMap<String, File>,
    sources: Vec<String>,
    /// How many lines have been written.
    pub lines: u64,
}

impl Pipes {
    /// Pipes beside a state directory, for channels of these names.
    pub fn new(place: &Directory, channels: &[&str]) -> Self {
        let (mut ends, mut sources) = (BTreeMap::new(), Vec::new());
        for channel in channels {
            let path = place.at(&format!("{}.pipe", channel.replace('/', "-")));
            nix::unistd::mkfifo(&*path, Mode::from_bits_truncate(0o600)).unwrap();
            ends.insert((*channel).to_owned(), OpenOptions::new().read(true).write(true).open(&path).unwrap());
            sources.push(format!("{channel}=fifo:{path}"));
        }
        Self { ends, sources, lines: 0 }
    }

    /// The sources for the command line, behind these options.
    pub fn arguments<'a>(&'a self, options: &[&'a str]) -> Vec<&'a str> {
        options.iter().copied().chain(self.sources.iter().map(String::as_str)).collect()
    }

    /// Writes lines into a pipe, whole ones.
    pub fn write(&mut self, channel: &str, lines: &str) {
        assert!(lines.ends_with('\n'));
        self.lines += lines.matches('\n').count() as u64;
        (&self.ends[channel]).write_all(lines.as_bytes()).unwrap();
    }
}

/// What a counter stands at.
pub fn metric(bridge: &Bridge, name: &str) -> u64 {
    bridge.metric(name)
}

/// Waits until a daemon has read so many lines and published them.
pub fn wait_for_lines(bridge: &Bridge, count: u64) {
    crate::harness::eventually(&format!("{count} lines read"), || metric(bridge, "input_lines_total"), |lines| *lines >= count);
}
