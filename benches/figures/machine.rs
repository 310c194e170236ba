//! The machine that the figures are of: its cores, who runs on which, and what to say of it.

use std::fmt;
use std::fs;
use std::process::{Command, Stdio};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The cores of a measurement.
#[derive(Debug)]
pub(crate) enum Cores {
    /// The bridge, or what stands beside it, has one core; writer and client have another.
    Pinned { bridge: u32, others: u32 },
    /// Everybody runs where the kernel likes.
    Free { why: &'static str },
}

impl Cores {
    /// The first and the last core that this process may use: two threads of one core seldom stand so far apart.
    pub(crate) fn find() -> Self {
        let has_taskset = Command::new("taskset").arg("--version").stdout(Stdio::null()).status().is_ok_and(|end| end.success());
        match allowed() {
            _ if !has_taskset => Self::Free { why: "there is no taskset" },
            Some((first, last)) if first != last => Self::Pinned { bridge: first, others: last },
            _ => Self::Free { why: "there is one core" },
        }
    }

    /// The core of the bridge.
    pub(crate) fn of_bridge(&self) -> Option<u32> {
        if let Self::Pinned { bridge, .. } = self { Some(*bridge) } else { None }
    }

    /// The core of writer and client.
    pub(crate) fn of_others(&self) -> Option<u32> {
        if let Self::Pinned { others, .. } = self { Some(*others) } else { None }
    }

    /// Moves this process to the core of writer and client, for good.
    pub(crate) fn move_here_to_others(&self) {
        if let Some(core) = self.of_others() {
            let (core, id) = (core.to_string(), std::process::id().to_string());
            // A refusal costs quiet figures, nothing else.
            let _ = Command::new("taskset").args(["-a", "-c", "-p", &core, &id]).stdout(Stdio::null()).status();
        }
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned { bridge, others } => {
                write!(f, "for ingest and latency the bridge had core {bridge}, writer and client had core {others}")
            }
            Self::Free { why } => write!(f, "nobody had a core to itself, because {why}"),
        }
    }
}

/// The first and the last core that this process may use.
fn allowed() -> Option<(u32, u32)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim();
    let mut numbers = list.split([',', '-']).map(str::parse);
    let first = numbers.next()?.ok()?;
    Some((first, numbers.next_back().map_or(Ok(first), |last| last).ok()?))
}

/// Nine hundred clients are as many descriptors.
pub(crate) fn raise_file_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // If it stays too low, connecting fails and says so.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Date and machine, in words.
pub(crate) fn facts() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let first_line = |path| fs::read_to_string(path).ok().and_then(|text| text.lines().next().map(str::to_owned));
    let release = first_line("/proc/sys/kernel/osrelease").unwrap_or_else(|| "of unknown release".to_owned());
    let load = first_line("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    let model = processor().unwrap_or_else(|| "processor of unknown model".to_owned());
    let date = jiff::Timestamp::now().strftime("%F");
    format!("{date}: {cores} cores, {model}, Linux {}, load average before {load}", version_of(&release))
}

fn processor() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let (_, model) = info.lines().find(|line| line.starts_with("model name"))?.split_once(':')?;
    Some(model.trim().to_owned())
}

/// A kernel's version without what its builder has added.
fn version_of(release: &str) -> &str {
    release.split(['-', '+']).next().unwrap_or(release)
}
