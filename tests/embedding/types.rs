//! `sse-bridge.d.ts`, read as it is served: it must say what the module does.
//!
//! What comes in other tests is compared with it member by member ([`Interface`]); the TypeScript compiler is asked whether a
//! program that uses it rightly passes, and whether each wrong use is refused.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::guest::Guest;
use crate::harness::Bridge;
use crate::webdriver::Kind;

const TYPES: &str = include_str!("../../src/viewer/sse-bridge.d.ts");

const COMPILER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/node/node_modules/typescript/bin/tsc");

/// An interface of the declarations.
pub struct Interface {
    name: &'static str,
    /// Names, and whether each may be missing.
    members: Vec<(&'static str, bool)>,
}

impl Interface {
    pub fn named(name: &'static str) -> Self {
        let begin = format!("export interface {name} {{\n");
        let body = TYPES.split_once(&*begin).and_then(|(_, rest)| rest.split_once("\n}")).map(|(body, _)| body);
        let members = body.unwrap_or_else(|| panic!("no interface {name}")).lines().filter_map(member).collect();
        Self { name, members }
    }

    /// An object has all members that it must have, and no others.
    #[track_caller]
    pub fn assert_fits(&self, object: &Value) {
        let object = object.as_object().unwrap_or_else(|| panic!("{} is no object: {object}", self.name));
        let unknown: Vec<_> = object.keys().filter(|key| !self.members.iter().any(|(name, _)| name == key)).collect();
        assert!(unknown.is_empty(), "{} does not declare {unknown:?}: {object:?}", self.name);
        let missing: Vec<_> =
            self.members.iter().filter(|(name, is_optional)| !is_optional && !object.contains_key(*name)).collect();
        assert!(missing.is_empty(), "{} declares {missing:?}: {object:?}", self.name);
    }

    /// These are the names of all members.
    #[track_caller]
    pub fn assert_members(&self, names: &Value) {
        let names: BTreeSet<_> = names.as_array().expect("a list").iter().map(|name| name.as_str().expect("a name")).collect();
        assert_eq!(names, self.members.iter().map(|(name, _)| *name).collect(), "{}", self.name);
    }
}

/// The names of states.
pub fn state_names() -> Vec<&'static str> {
    let names = TYPES.split_once("export interface State {\n  name: ").and_then(|(_, rest)| rest.split_once(';'));
    names.expect("states have names").0.split(" | ").map(|name| name.trim_matches('\'')).collect()
}

/// A member that a line declares: `readonly name?: ...`, `name?(...): ...`.
fn member(line: &'static str) -> Option<(&'static str, bool)> {
    let line = line.strip_prefix("  ")?;
    let line = line.strip_prefix("readonly ").unwrap_or(line);
    let end = line.find(|c: char| !c.is_ascii_alphanumeric())?;
    let rest = &line[end..];
    let is_member = end > 0 && rest.starts_with(['?', ':', '(']);
    is_member.then(|| (&line[..end], rest.starts_with('?')))
}

#[test]
fn the_types_name_what_the_module_exports() {
    let guest = Guest::visit(Kind::Chromium, &[]);
    let mut declared: Vec<_> = TYPES.lines().filter_map(exported).collect();
    declared.sort_unstable();
    assert_eq!(guest.value("exported"), json!(declared));
    guest.put("events", &json!({ "id": "log" }));
    assert_eq!(guest.value("[log.stream !== null, customElements.getName(log.constructor)]"), json!([true, "sse-log"]));
    assert_eq!(guest.bridge.get("/sse-bridge.d.ts").text(), TYPES);

    let code = include_str!("../../src/viewer/stream/connection.js");
    for name in state_names() {
        assert!(code.contains(&format!("'{name}'")), "no connection is ever `{name}`");
    }
}

/// What a line exports that is there when the module runs.
fn exported(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("export function ").or_else(|| line.strip_prefix("export class "))?;
    rest.split(|c: char| !c.is_ascii_alphanumeric()).next()
}

#[test]
fn a_program_with_the_types_compiles_and_wrong_uses_do_not() {
    assert!(Path::new(COMPILER).exists(), "no TypeScript at {COMPILER}: tests/run --only install");
    let bridge = Bridge::start(&[]);
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).expect("a file can be written");
    write("sse-bridge.d.ts", &bridge.get("/sse-bridge.d.ts").text());
    // Where a use is marked as wrong, the compiler refuses a right one.
    write("consumer.ts", include_str!("consumer.ts"));
    let flags = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--target", "es2022", "--module", "es2022"];
    let places = ["--moduleResolution", "bundler", "--lib", "es2022,dom"];
    let mut compiler = Command::new("node");
    compiler.arg(COMPILER).args(flags).args(places).arg("consumer.ts").current_dir(directory.path());
    let output = compiler.output().expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
