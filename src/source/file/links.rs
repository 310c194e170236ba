//! The names that a path passes on its way to a file: itself, every link on the way, and where the last one leads.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// More links than the kernel follows (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// All names whose change may lead an absolute path to another file. The directory of each is worth watching.
#[must_use]
pub fn names_on_the_way(path: &Path) -> Vec<PathBuf> {
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
                return names;
            }
            if target.is_absolute() {
                at = PathBuf::from("/");
            } else {
                at.pop();
            }
            parts(&target).collect::<Vec<_>>().into_iter().rev().for_each(|part| rest.push_front(part));
        }
    }
    names.push(at);
    names.sort();
    names.dedup();
    names
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
        let names = names_on_the_way(&root.join("app.log"));
        let mut expected = vec![root.join("app.log"), root.join("..data"), root.join("..v1/app.log")];
        expected.sort();
        assert_eq!(names, expected);
    }

    #[test]
    fn circles_end() {
        let root = tempfile::tempdir().unwrap();
        symlink("a", root.path().join("a")).unwrap();
        assert!(names_on_the_way(&root.path().join("a")).contains(&root.path().join("a")));
    }
}
