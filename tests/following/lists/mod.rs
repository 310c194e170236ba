//! What other tailers test, and where it is tested here.
//!
//! Each list holds the names that its project gives its tests; each name has a row in the table below it, with the tests that hold it here, or a
//! sentence that says why it does not apply. A test sees to it that no name is without a row, and that every test named here exists.

mod fluent_bit;
mod gnu_tail;
mod open_telemetry;
mod others;
mod vector;

use std::fs;
use std::path::{Path, PathBuf};

/// What becomes of a case here.
enum Here {
    /// These tests hold it: the module and the function.
    Held(&'static [&'static str]),
    /// It does not apply, for this reason.
    Not(&'static str),
}

use Here::{Held, Not};

type Table = &'static [(&'static str, Here)];

/// No positions are kept: what survives a restart is decided where the state directory is.
const NO_STATE: &str = "without a state directory no position survives the daemon; a file begins at --from after every start";

/// The file of a module: of a test target, or of the library.
fn file_of(module: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = module.replace("::", "/");
    let is_target = ["following/", "integration/", "conformance/"].iter().any(|target| path.starts_with(target));
    let base = root.join(if is_target { "tests" } else { "src" }).join(path);
    let file = base.with_extension("rs");
    if file.exists() { file } else { base.join("mod.rs") }
}

#[test]
fn every_case_of_other_tailers_is_held_by_a_test_or_does_not_apply() {
    let lists = [
        (gnu_tail::TESTS, gnu_tail::HERE),
        (fluent_bit::TESTS, fluent_bit::HERE),
        (open_telemetry::TESTS, open_telemetry::HERE),
        (vector::TESTS, vector::HERE),
        (others::TESTS, others::HERE),
    ];
    for (names, table) in lists {
        let rows: Vec<_> = table.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, rows, "a row for each name, in the same order");
    }
    let mut missing = Vec::new();
    for (name, here) in lists.into_iter().flat_map(|(_, table)| table) {
        match here {
            Held(tests) => {
                assert!(!tests.is_empty(), "{name}");
                missing.extend(tests.iter().filter(|test| !exists(test)).map(|test| format!("{name}: {test}")));
            }
            Not(reason) => assert!(reason.split(' ').count() > 4, "{name}: {reason:?} is no reason"),
        }
    }
    assert!(missing.is_empty(), "no such tests:\n{}", missing.join("\n"));
}

fn exists(test: &str) -> bool {
    let (module, function) = test.rsplit_once("::").expect("module::function");
    fs::read_to_string(file_of(module)).is_ok_and(|source| source.contains(&format!("fn {function}(")))
}
