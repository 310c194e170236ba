//! Real containers: the image from scratch, a pod with an application, `kube play` of the example. Needs root and podman, which tests/install installs.
//!
//! Each test is a script in `tests/containers/`, and is run in namespaces of its own: what podman mounts, its bridge and its ports, and its processes
//! stay there and end with it. Its storage is a directory that is removed.
#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests panic and print on purpose"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What is shipped may be so large, in bytes.
const LARGEST: u64 = 8 << 20;

/// How it is linked.
const FLAGS: &str = "-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs";

/// What is built.
const TARGET: &str = if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" };

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The static binary, built as Containerfile says; or the one that `SSE_BRIDGE_TEST_STATIC` names.
fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(given) = std::env::var_os("SSE_BRIDGE_TEST_STATIC") {
            return given.into();
        }
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--locked", "--profile", "static", "--bin", "sse-bridge", "--target", TARGET]).current_dir(root());
        cargo.env("RUSTFLAGS", FLAGS);
        assert!(cargo.status().unwrap().success(), "the static binary could not be built");
        target.join(TARGET).join("static/sse-bridge")
    })
}

/// Runs a script with podman in a place of its own.
fn run(script: &str) {
    assert!(nix::unistd::geteuid().is_root(), "containers need root");
    let place = tempfile::tempdir().unwrap();
    let scripts = root().join("tests/containers");
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "bash"]);
    unshare.arg(scripts.join(script)).args([place.path(), binary(), root()]);
    let out = unshare.current_dir(place.path()).output().expect("unshare is there");
    let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    assert!(out.status.success(), "{script}: {}\n{said}", out.status);
}

#[test]
fn the_static_binary_is_small_and_needs_nothing() {
    let bytes = fs::read(binary()).unwrap();
    assert!(bytes.len() as u64 <= LARGEST, "{} bytes", bytes.len());
    assert!(!bytes.windows(6).any(|window| window == b"/ld-li"), "it asks for a loader");
}

#[test]
fn the_containerfile_says_how_the_binary_is_built() {
    let text = fs::read_to_string(root().join("Containerfile")).unwrap();
    assert!(text.contains(&format!("RUSTFLAGS='{FLAGS}'")) && text.contains("cargo build --profile static --target"), "{text}");
}

#[test]
fn an_image_from_scratch_serves_and_stops() {
    run("image.bash");
}

#[test]
fn the_first_process_leaves_no_zombies_and_needs_no_standard_input() {
    run("init.bash");
}

#[test]
fn a_sidecar_serves_what_an_application_writes() {
    run("pod.bash");
}

#[test]
fn the_example_of_a_second_container_plays() {
    run("kube.bash");
}

#[test]
fn the_example_of_a_native_sidecar_serves_what_the_application_writes() {
    run("sidecar.bash");
}

#[test]
fn the_example_for_all_pods_of_a_node_reads_what_the_kubelet_leaves() {
    run("daemonset.bash");
}

#[test]
fn the_example_for_compose_comes_up() {
    run("compose.bash");
}
