//! The names that a path passes on its way to a file: itself, every link on the way, and where the last one leads.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// More links than the kernel follows (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// All names whose change may lead it to another file. The directory of each is worth watching.
    pub names: Vec<PathBuf>,
    /// The name that no link leads on from.
    pub target: PathBuf,
}

/// Where an absolute path leads, and on which way.
#[must_use]
pub fn way(path: &Path) -> Way {
    let mut names = vec![path.to_owned()];
    let mut rest: VecDeque<OsString> = parts(path).collect();
    let mut at = PathBuf::from("/");
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        at.push(part);
        if let Ok(target) = fs::read_link(&at) {
            names.push(at.clone());
            if names.len() > MOST_LINKS {
                return Way { names, target: at };
            }
            if target.is_absolute() {
                at = PathBuf::from("/");
            } else {
                at.pop();
            }
            parts(&target).collect::<Vec<_>>().into_iter().rev().for_each(|part| rest.push_front(part));
        }
    }
    names.push(at.clone());
    names.sort();
    names.dedup();
    Way { names, target: at }
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_link_on_the_way_is_named() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::create_dir(root.join("..v1")).unwrap();
        fs::write(root.join("..v1/app.log"), "").unwrap();
        symlink("..v1", root.join("..data")).unwrap();
        symlink("..data/app.log", root.join("app.log")).unwrap();
        let Way { names, target } = way(&root.join("app.log"));
        assert_eq!(target, root.join("..v1/app.log"));
        let mut expected = vec![root.join("app.log"), root.join("..data"), root.join("..v1/app.log")];
        expected.sort();
        assert_eq!(names, expected);
    }

    #[test]
    fn circles_end() {
        let root = tempfile::tempdir().unwrap();
        symlink("a", root.path().join("a")).unwrap();
        assert!(way(&root.path().join("a")).names.contains(&root.path().join("a")));
    }
}
