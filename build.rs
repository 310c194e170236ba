//! Packs the viewer: what browsers load is compressed here, once, and named after its content.
//!
//! Everything below `src/viewer/` that is served comes into `assets.rs` in the build's folder, which `src/http/viewer/assets.rs`
//! includes: the page, a table of all other files in the order of their paths, and one hash over the names and contents of all.
//! The same files give the same bytes, whoever builds: no time and no machine is written into them.
#![allow(clippy::print_stdout, reason = "cargo listens there")]

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// What a person opens: served at `/`, with places that are filled for each answer, so it is no asset.
const PAGE: &str = "index.html";

/// What is served beside the page, by the ending of its name. Others (what is vendored has a README) are not.
const KINDS: [(&str, &str); 4] = [
    (".js", "text/javascript; charset=utf-8"),
    (".css", "text/css; charset=utf-8"),
    (".svg", "image/svg+xml"),
    // For programs that find types by the name; the type that some of them give it is registered for nothing.
    (".d.ts", "text/plain; charset=utf-8"),
];

/// A file that is served.
struct Served {
    /// The path below the viewer's folder, as it stands in URLs.
    path: String,
    kind: &'static str,
    content: Vec<u8>,
}

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/viewer"); // and everything below: cargo looks there itself
    let viewer = folder("CARGO_MANIFEST_DIR").join("src/viewer");
    let out = folder("OUT_DIR");
    let mut files = Vec::new();
    collect(&viewer, "", &mut files)?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    fs::write(out.join("assets.rs"), table(&files, &out)?)
}

/// A folder that cargo names.
fn folder(variable: &str) -> PathBuf {
    env::var_os(variable).expect("cargo names its folders to a build script").into()
}

/// Reads what is served in a folder, whose path below the viewer's is `prefix`, and in those below.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<Served>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().expect("names of assets are text");
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else if let Some(kind) = kind(&path) {
            assert!(path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./_-".contains(&byte)), "not for a URL: {path:?}");
            files.push(Served { path, kind, content: fs::read(entry.path())? });
        }
    }
    Ok(())
}

fn kind(path: &str) -> Option<&'static str> {
    let known = KINDS.iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, kind)| *kind);
    known.or_else(|| (path == PAGE).then_some("text/html; charset=utf-8"))
}

/// The Rust of it; what is compressed is written beside it.
fn table(files: &[Served], out: &Path) -> io::Result<String> {
    let raw = |path: &str| format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/src/viewer/{path}\")");
    let mut code = vec![
        format!("pub const HASH: &str = \"{:016x}\";", hash(files)),
        format!("pub const PAGE: &str = include_str!({});", raw(PAGE)),
        "pub static ASSETS: &[Asset] = &[".to_owned(),
    ];
    for (number, Served { path, kind, content }) in files.iter().filter(|file| file.path != PAGE).enumerate() {
        fs::write(out.join(format!("{number}.gz")), compressed(content)?)?;
        let gzip = format!("concat!(env!(\"OUT_DIR\"), \"/{number}.gz\")");
        let bytes = format!("raw: include_bytes!({}), gzip: include_bytes!({gzip})", raw(path));
        code.push(format!("    Asset {{ path: {path:?}, kind: {kind:?}, {bytes} }},"));
    }
    code.push("];\n".to_owned());
    Ok(code.join("\n"))
}

/// A change of any name or content is another hash, also where one file's end moves to the beginning of the next. It tells versions
/// apart and guards nothing, so 64 bits of it are enough.
fn hash(files: &[Served]) -> u64 {
    let mut hasher = Sha256::new();
    for file in files {
        for part in [file.path.as_bytes(), &file.content] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    let digest = hasher.finalize();
    u64::from_be_bytes(*digest.first_chunk().expect("a digest has 32 bytes"))
}

/// The encoder writes no time, no name and no system unless it is told one.
fn compressed(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}
