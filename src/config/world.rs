//! What the configuration must know of the world: looked at once, before anything is opened.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};

use super::said::variables;
use crate::source::identity::Identity;

/// How many links the kernel follows from one path: `path_resolution(7)`.
const MOST_LINKS: u32 = 40;

/// The world as the daemon found it.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// What standard input is.
    pub stdin: StdinKind,
    /// The working directory, from which relative paths lead on.
    pub directory: PathBuf,
    /// The machine's name.
    pub hostname: Option<String>,
    /// How much memory the cgroup may use, in bytes.
    pub memory_limit: Option<u64>,
    /// The directory that a service manager has made for what survives: the first in `$STATE_DIRECTORY`.
    pub state_directory: Option<PathBuf>,
    /// Where sockets listen that the daemon was started with; whoever has taken them says so.
    pub listeners: Vec<SocketAddr>,
    /// The variables of its environment that may be meant for us.
    pub variables: Vec<(String, OsString)>,
}

/// What standard input is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StdinKind {
    /// Something that can be read to its end.
    #[default]
    Readable,
    /// `/dev/null`, open for reading: what container engines and service managers give who gets nothing.
    Null,
    /// A pipe: somebody may be writing to it.
    Pipe,
    /// A terminal: read only if the user says `-`.
    Terminal,
    /// Nothing was opened for the process.
    Closed,
    /// A directory, which has no bytes.
    Directory,
}

impl World {
    /// Looks.
    #[must_use]
    pub fn look() -> Self {
        Self {
            stdin: stdin_kind(),
            directory: env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            hostname: nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).filter(|name| !name.is_empty()),
            memory_limit: memory_limit(Path::new("/")),
            state_directory: env::var_os("STATE_DIRECTORY").and_then(|list| first_of(&list)),
            listeners: Vec::new(),
            variables: variables::ours(env::vars_os()),
        }
    }
}

/// The first directory of a list as systemd gives it: several are separated by colons.
fn first_of(list: &OsStr) -> Option<PathBuf> {
    list.as_bytes().split(|byte| *byte == b':').find(|path| !path.is_empty()).map(|path| OsStr::from_bytes(path).into())
}

/// What bytes come out of, by whatever path it was given, where each goes to one reader only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A pipe.
    Pipe(Identity),
    /// What is no pipe and was inherited by this number.
    Descriptor(u32),
    /// What is not there yet, and will have this path.
    ToCome(PathBuf),
}

impl Origin {
    /// Looks at what a path leads to, and whose path is that of this inherited `descriptor`, if of one. None for a file: any number may read it.
    #[must_use]
    pub fn of(path: &Path, descriptor: Option<u32>) -> Option<Self> {
        match (fs::metadata(path), descriptor) {
            (Ok(found), _) if found.file_type().is_fifo() => Some(Self::Pipe(Identity::of(&found))),
            (_, Some(number)) => Some(Self::Descriptor(number)),
            (Ok(_), None) => None,
            (Err(_), None) => Some(Self::ToCome(destination(path, MOST_LINKS))),
        }
    }
}

/// The path of what will be made behind this one: links are followed as far as they lead, also where nothing is yet.
fn destination(path: &Path, links: u32) -> PathBuf {
    if let Ok(found) = fs::canonicalize(path) {
        return found;
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return path.to_owned() };
    let directory = destination(parent, links);
    let place = directory.join(name);
    match fs::read_link(&place) {
        Ok(target) if links > 0 => destination(&directory.join(target), links - 1),
        _ => place,
    }
}

fn stdin_kind() -> StdinKind {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return StdinKind::Terminal;
    }
    let (Ok(status), Ok(flags)) = (fstat(&stdin), fcntl(&stdin, FcntlArg::F_GETFL)) else { return StdinKind::Closed };
    let access = OFlag::from_bits_truncate(flags) & OFlag::O_ACCMODE;
    let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
    // Rust opens /dev/null for a standard input that was closed, for reading and writing; `</dev/null`, container engines and
    // systemd open it for reading only.
    let is_null = kind == SFlag::S_IFCHR && nix::sys::stat::stat("/dev/null").is_ok_and(|null| null.st_rdev == status.st_rdev);
    match () {
        () if access == OFlag::O_WRONLY || (is_null && access == OFlag::O_RDWR) => StdinKind::Closed,
        () if is_null => StdinKind::Null,
        () if kind == SFlag::S_IFDIR => StdinKind::Directory,
        () if kind == SFlag::S_IFIFO => StdinKind::Pipe,
        () => StdinKind::Readable,
    }
}

/// The smallest limit on the way from this process's cgroup to the root (cgroup v2, then v1); `root` is `/` but in tests.
fn memory_limit(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let limits = groups.lines().filter_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return None,
        };
        let own = Path::new(path.trim_start_matches('/'));
        let limit = |group: &Path| fs::read_to_string(root.join(mount).join(group).join(file)).ok()?.trim().parse::<u64>().ok();
        own.ancestors().filter_map(limit).min()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        memory_limit(root.path())
    }

    #[test]
    fn the_first_of_several_directories_is_ours() {
        for (list, first) in
            [("/var/lib/a", Some("/var/lib/a")), ("/a b:/c", Some("/a b")), (":/c", Some("/c")), ("", None), ("::", None)]
        {
            assert_eq!(first_of(OsStr::new(list)), first.map(PathBuf::from), "{list}");
        }
        let no_text = OsStr::from_bytes(b"/\xff");
        assert_eq!(first_of(no_text), Some(no_text.into()));
    }

    #[test]
    fn the_smallest_limit_of_the_cgroup_and_its_parents_holds() {
        let v2 = ("proc/self/cgroup", "0::/a/b\n");
        assert_eq!(limit(&[v2, ("sys/fs/cgroup/a/b/memory.max", "max\n")]), None);
        assert_eq!(limit(&[v2, ("sys/fs/cgroup/a/b/memory.max", "900\n"), ("sys/fs/cgroup/a/memory.max", "700\n")]), Some(700));
        let v1 = ("proc/self/cgroup", "5:cpu:/x\n4:memory:/x\n");
        assert_eq!(limit(&[v1, ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "500\n")]), Some(500));
        assert_eq!(limit(&[]), None);
    }
}
