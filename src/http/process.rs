//! What the kernel says of this process: what every monitor wants to know of any.

use std::fs;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeVal;

/// What it takes. What the kernel does not tell is missing.
#[derive(Debug)]
pub struct Process {
    /// Processor time, in seconds.
    pub cpu: Option<f64>,
    /// Memory that is not only reserved, in bytes.
    pub resident: Option<u64>,
    /// Address space, in bytes.
    pub virtual_size: Option<u64>,
    /// Descriptors that are open.
    pub open_files: Option<u64>,
    /// How many may be.
    pub max_files: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
}

impl Process {
    /// A look at it.
    #[must_use]
    pub fn look() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok();
        Self {
            cpu: usage.map(|usage| seconds(usage.user_time()) + seconds(usage.system_time())),
            resident: field(&status, "VmRSS:").map(|kibibytes| kibibytes * 1024),
            virtual_size: field(&status, "VmSize:").map(|kibibytes| kibibytes * 1024),
            open_files: open_files(),
            max_files: getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft),
            threads: field(&status, "Threads:"),
        }
    }
}

/// Without the one that looks.
fn open_files() -> Option<u64> {
    let listed = fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(listed).ok().map(|listed| listed.saturating_sub(1))
}

fn field(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "a process that ran for longer than a hundred years may be a microsecond off")]
fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells() {
        let seen = Process::look();
        assert!(seen.cpu.is_some_and(|cpu| cpu >= 0.0) && seen.threads >= Some(1));
        assert!(seen.resident > Some(1 << 19) && seen.virtual_size >= seen.resident, "{seen:?}");
        assert!(seen.open_files >= Some(3) && seen.max_files >= seen.open_files, "{seen:?}");
    }
}
