//! What the kernel knows of a running daemon.

use std::fs;
use std::path::Path;

use crate::harness::Bridge;

fn about(bridge: &Bridge, what: &str) -> fs::ReadDir {
    fs::read_dir(format!("/proc/{}/{what}", bridge.pid())).unwrap()
}

pub fn descriptors(bridge: &Bridge) -> usize {
    about(bridge, "fd").count()
}

pub fn threads(bridge: &Bridge) -> usize {
    about(bridge, "task").count()
}

/// The files that it holds open below a directory, as the kernel names them.
pub fn open_below(bridge: &Bridge, directory: &Path) -> Vec<String> {
    let links = about(bridge, "fd").filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.map(|link| link.display().to_string()).filter(|link| link.starts_with(directory.to_str().unwrap())).collect()
}

/// The instances of inotify that it has, and the watches in them.
pub fn watches(bridge: &Bridge) -> (usize, usize) {
    let is_inotify = |path: &Path| fs::read_link(path).is_ok_and(|to| to.to_string_lossy().contains("inotify"));
    let instances: Vec<_> = about(bridge, "fd").map(|fd| fd.unwrap()).filter(|fd| is_inotify(&fd.path())).collect();
    let infos = instances.iter().map(|fd| {
        let number = fd.file_name().into_string().unwrap();
        fs::read_to_string(format!("/proc/{}/fdinfo/{number}", bridge.pid())).unwrap()
    });
    (instances.len(), infos.map(|info| info.lines().filter(|line| line.starts_with("inotify ")).count()).sum())
}
