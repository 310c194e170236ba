//! What processes have used, as the kernel counts it: of a server, all its threads and all its children.
//!
//! Memory is what is theirs alone or shared among them: anonymous pages and shared memory, not the program's file in the page
//! cache. It is the proportional count, because `RssAnon` of several processes counts shared pages several times, and may be off
//! by some hundred kilobytes while each core counts by itself.

use std::fs;
use std::io;
use std::time::Duration;

/// CPU time and turns on a core.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// How often a thread was given a core.
    pub(crate) turns: u64,
}

impl Usage {
    /// What was used since.
    pub(crate) fn since(self, before: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(before.cpu), turns: self.turns.saturating_sub(before.turns) }
    }

    fn read(schedstat: &str) -> io::Result<Self> {
        let mut numbers = schedstat.split_ascii_whitespace().map(str::parse::<u64>);
        match (numbers.next(), numbers.nth(1)) {
            (Some(Ok(nanos)), Some(Ok(turns))) => Ok(Self { cpu: Duration::from_nanos(nanos), turns }),
            _ => Err(io::Error::other(format!("not understood: {schedstat:?}"))),
        }
    }
}

/// Of all threads of a process and its children.
pub(crate) fn of(process: u32) -> io::Result<Usage> {
    let mut sum = Usage::default();
    for process in family(process) {
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            // A thread may end while we look.
            let Ok(schedstat) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            let usage = Usage::read(&schedstat)?;
            sum = Usage { cpu: sum.cpu + usage.cpu, turns: sum.turns + usage.turns };
        }
    }
    Ok(sum)
}

/// CPU time of the thread that asks.
pub(crate) fn of_this_thread() -> io::Result<Duration> {
    Usage::read(&fs::read_to_string("/proc/thread-self/schedstat")?).map(|usage| usage.cpu)
}

/// CPU time of everything that runs on this machine, to a hundredth of a second.
pub(crate) fn of_machine() -> io::Result<Duration> {
    // Not the sums of /proc/stat: where the kernel counts by its ticks, work that comes with the ticks looks like all there is.
    let names = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let processes = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let stats = processes.filter_map(|process| fs::read_to_string(format!("/proc/{process}/stat")).ok());
    Ok(Duration::from_millis(stats.filter_map(|stat| ticks_of(&stat)).sum::<u64>() * 10))
}

/// What a process and its threads have used, in hundredths of a second (proc(5), `utime` and `stime`).
fn ticks_of(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = behind_name.split(' ').collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(ticks(11)? + ticks(12)?)
}

/// KiB of memory of a process and its children.
pub(crate) fn memory(process: u32) -> io::Result<f64> {
    family(process).into_iter().map(memory_of_one).sum()
}

fn memory_of_one(process: u32) -> io::Result<f64> {
    let path = format!("/proc/{process}/smaps_rollup");
    let pages = fs::read_to_string(&path)?;
    let field = |name: &str| {
        let value = pages.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix(" kB")?.parse::<f64>().ok()
    };
    let both = field("Pss_Anon:").zip(field("Pss_Shmem:"));
    both.map(|(anonymous, shared)| anonymous + shared).ok_or_else(|| io::Error::other(format!("not understood: {path}")))
}

/// A process, its children and theirs.
fn family(process: u32) -> Vec<u32> {
    let mut all = vec![process];
    all.extend(children(process).into_iter().flat_map(family));
    all
}

/// The children of a process that are there now.
pub(crate) fn children(process: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|id| id.parse().ok()).collect()
}
