//! What the page is made of: everything that it names is there, comes compressed to who wants it so, is kept for as long as it is
//! true, and may be loaded by pages of others; the page itself trusts nothing and is for nobody else.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use crate::harness::{Bridge, Get};
use crate::http::fields;
use crate::wire::{Wire, field, is_one_line};

const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                           worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const ASSET_POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; \
                            base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const GZIP: (&str, &str) = ("Accept-Encoding", "gzip");

/// The URL of an asset, as the page names it.
pub fn asset(bridge: &Bridge, path: &str) -> String {
    format!("/viewer/{}/{path}", hash(bridge))
}

fn hash(bridge: &Bridge) -> String {
    let page = bridge.get("/").text();
    let hash = page.split("\"viewer/").nth(1).and_then(|rest| rest.split('/').next());
    hash.unwrap_or_else(|| panic!("the page names no asset: {page}")).to_owned()
}

/// What lies below `src/viewer/` and is served there: the path and the content.
fn sources() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/viewer");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if type_of(entry.to_str().unwrap()).is_some() {
                let path = entry.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push((path, fs::read(entry).unwrap()));
            }
        }
    }
    assert!(found.iter().any(|(path, _)| path == "viewer.js") && found.len() > 4, "{found:?}");
    found
}

fn type_of(path: &str) -> Option<&'static str> {
    match path.rsplit('.').next() {
        Some("js") => Some("text/javascript; charset=utf-8"),
        Some("css") => Some("text/css; charset=utf-8"),
        Some("svg") => Some("image/svg+xml"),
        Some("ts") => Some("text/plain; charset=utf-8"),
        _ => None,
    }
}

/// The bytes of an answer.
fn body(mut get: Get) -> Vec<u8> {
    while get.next_piece().is_some() {}
    get.body
}

/// The bytes before they were compressed.
fn unpacked(get: Get) -> Vec<u8> {
    let mut whole = Vec::new();
    GzDecoder::new(&body(get)[..]).read_to_end(&mut whole).unwrap();
    whole
}

#[test]
fn the_page_trusts_nothing_and_everything_it_names_is_there() {
    let bridge = Bridge::start(&["--title", "<b>\"it's\" & {{version}}</b>"]);
    let mut page = bridge.get("/");
    let html = page.text();
    assert!(html.contains("<title>&lt;b&gt;&quot;it&#39;s&quot; &amp; {{version}}&lt;/b&gt;</title>"), "{html}");
    assert_eq!(html.matches("{{").count(), html.matches("{{version}}&lt;").count(), "a place that nobody filled: {html}");
    assert_is_guarded(&page.head, PAGE_POLICY, "/");

    let mut wanted = named_by("/", &html);
    let mut seen = BTreeSet::new();
    while let Some(path) = wanted.pop() {
        if seen.insert(path.clone()) {
            let mut asset = bridge.get(&path);
            assert_eq!(asset.status(), 200, "{path}");
            if path.starts_with("/viewer/") {
                assert_is_guarded(&asset.head, ASSET_POLICY, &path);
                assert_eq!(asset.header("content-type").as_deref(), type_of(&path), "{path}");
                wanted.extend(named_by(&path, &asset.text()));
            }
        }
    }
    let scripts = seen.iter().filter(|path| path.ends_with(".js")).count();
    assert!(scripts > 1 && seen.contains(&asset(&bridge, "viewer.js")), "{seen:?}");
}

/// What a page, a script or a style sheet names, as paths from the root. A script's names begin with a dot.
fn named_by(from: &str, text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let quoted = ["src=\"", "href=\"", "from '", "import '", "import('", "new URL('./", "new URL('../", "url("];
    let found = quoted.iter().flat_map(|before| code.split(before).skip(1).map(move |rest| (before, rest)));
    let names = found.filter_map(|(before, rest)| {
        let name = rest.split(['"', '\'', ')']).next()?;
        Some(before.split('\'').nth(1).unwrap_or_default().to_owned() + name)
    });
    let names = names.filter(|name| !from.ends_with(".js") || name.starts_with('.'));
    names.map(|name| resolved(from, &name)).collect()
}

/// A relative URL, as what stands at this path means it.
fn resolved(from: &str, name: &str) -> String {
    let (folder, _) = from.rsplit_once('/').unwrap();
    let mut whole: Vec<_> = folder.split('/').collect();
    for part in name.split('/') {
        match part {
            "." => {}
            ".." => drop(whole.pop()),
            _ => whole.push(part),
        }
    }
    whole.join("/")
}

fn assert_is_guarded(head: &str, policy: &str, path: &str) {
    assert_eq!(field(head, "content-security-policy"), Some(policy), "{path}");
    assert_eq!(field(head, "x-frame-options"), Some("DENY"), "{path}");
    assert_eq!(field(head, "cross-origin-opener-policy"), Some("same-origin"), "{path}");
    assert_eq!(field(head, "x-content-type-options"), Some("nosniff"), "{path}");
    assert_eq!(field(head, "referrer-policy"), Some("no-referrer"), "{path}");
}

#[test]
fn every_file_comes_as_it_is_and_compressed() {
    let bridge = Bridge::start(&[]);
    let hash = hash(&bridge);
    for (path, content) in sources() {
        let url = format!("/viewer/{hash}/{path}");
        let (plain, packed) = (bridge.get(&url), bridge.get_with(&url, &[GZIP]));
        for get in [&plain, &packed] {
            assert_eq!((get.status(), get.header("content-type").as_deref()), (200, type_of(&path)), "{path}");
            assert_eq!(get.header("vary").as_deref(), Some("Accept-Encoding"), "{path}");
        }
        assert_eq!(
            (plain.header("content-encoding"), packed.header("content-encoding").as_deref()),
            (None, Some("gzip")),
            "{path}"
        );
        assert!(body(plain) == content, "{path}: the plain bytes are others");
        assert!(unpacked(packed) == content, "{path}: the compressed bytes are others");
    }
}

#[test]
fn who_says_what_it_takes_gets_that() {
    let bridge = Bridge::start(&[]);
    let script = asset(&bridge, "viewer.js");
    for (accepted, is_packed) in [
        ("gzip, deflate, br, zstd", true),
        ("*", true),
        ("br;q=1, gzip;q=0.2", true),
        ("gzip;q=0", false),
        ("gzip;q=0, *;q=1", false),
        ("*;q=0", false),
        ("br", false),
        ("identity", false),
        ("", false),
    ] {
        let get = bridge.get_with(&script, &[("Accept-Encoding", accepted)]);
        assert_eq!(get.header("content-encoding").is_some(), is_packed, "{accepted:?}");
        assert_eq!(get.header("vary").as_deref(), Some("Accept-Encoding"), "{accepted:?}");
    }
    // What stands between may speak an older version, and passes on what a browser takes.
    let mut old = Wire::to(&bridge);
    old.send(format!("GET {script} HTTP/1.0\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"));
    assert_eq!(field(&old.head(), "content-encoding"), Some("gzip"));
    let mut old = Wire::to(&bridge);
    old.send(format!("GET {script} HTTP/1.0\r\nHost: localhost\r\n\r\n"));
    assert_eq!(field(&old.head(), "content-encoding"), None);
}

#[test]
fn each_is_kept_for_as_long_as_it_is_true() {
    let bridge = Bridge::start(&[]);
    let kept = |path: &str| bridge.get(path).header("cache-control");
    assert_eq!(kept("/").as_deref(), Some("no-cache"));
    assert_eq!(kept("/sse-bridge.js").as_deref(), Some("no-cache"));
    for path in ["viewer.js", "viewer.css", "icon.svg"] {
        assert_eq!(kept(&asset(&bridge, path)).as_deref(), Some("public, max-age=31536000, immutable"), "{path}");
    }
    let gone = asset(&bridge, "nothing.js");
    assert_eq!(kept(&gone).as_deref(), Some("no-store, no-transform"), "what is not there may come");
}

#[test]
fn the_same_version_has_the_same_names() {
    let (one, other) = (Bridge::start(&["--title", "a"]), Bridge::start(&["--event-type", "b"]));
    assert_eq!(hash(&one), hash(&other));
    let hash = hash(&one);
    assert!(hash.len() >= 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
}

#[test]
fn the_module_passes_on_what_this_version_has() {
    let bridge = Bridge::start(&[]);
    let hash = hash(&bridge);
    let code = bridge.get("/sse-bridge.js").text();
    let line = |path: &str| format!("export * from './viewer/{hash}/{path}';\n");
    assert_eq!(code, line("stream/connect.js") + &line("stream/element.js"));
}

#[test]
fn who_has_the_module_is_told_so() {
    let bridge = Bridge::start(&[]);
    let whole = bridge.get("/sse-bridge.js");
    let tag = whole.header("etag").expect("a tag");
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 12, "strong: {tag}");
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let get = bridge.get_with("/sse-bridge.js", &[("If-None-Match", &known)]);
        assert_eq!(get.status(), 304, "{known}");
        for name in ["etag", "cache-control", "access-control-allow-origin", "cross-origin-resource-policy"] {
            assert_eq!(get.header(name), whole.header(name), "{known}: {name}");
        }
    }
    for other in ["\"other\"", "garbage", ""] {
        let get = bridge.get_with("/sse-bridge.js", &[("If-None-Match", other)]);
        assert_eq!((get.status(), get.header("etag")), (200, Some(tag.clone())), "{other}");
    }
    // It has no body, so the next answer follows at once.
    let mut wire = Wire::to(&bridge);
    let condition = format!("Host: localhost\r\nIf-None-Match: {tag}\r\n\r\n");
    wire.send(format!("GET /sse-bridge.js HTTP/1.1\r\n{condition}HEAD /sse-bridge.js HTTP/1.1\r\n{condition}"));
    assert!(wire.head().starts_with("HTTP/1.1 304 "));
    assert!(wire.head().starts_with("HTTP/1.1 304 "));
}

#[test]
fn the_types_of_the_module_are_text() {
    let bridge = Bridge::start(&[]);
    let mut types = bridge.get("/sse-bridge.d.ts");
    assert_eq!((types.status(), types.header("content-type").as_deref()), (200, Some("text/plain; charset=utf-8")));
    assert_eq!(types.header("cache-control").as_deref(), Some("no-cache"));
    let (_, source) = sources().into_iter().find(|(path, _)| path == "sse-bridge.d.ts").expect("src/viewer/sse-bridge.d.ts");
    assert_eq!(types.text().as_bytes(), source);
    let tag = types.header("etag").expect("a tag");
    assert_eq!(bridge.get_with("/sse-bridge.d.ts", &[("If-None-Match", &tag)]).status(), 304);
}

#[test]
fn head_says_what_get_says() {
    let bridge = Bridge::start(&[]);
    for url in [asset(&bridge, "viewer.js"), asset(&bridge, "nothing.js"), "/sse-bridge.js".to_owned(), "/".to_owned()] {
        for accepted in ["gzip", "identity"] {
            let [get, head] =
                ["GET", "HEAD"].map(|method| Get::request(bridge.port, method, &url, &[("Accept-Encoding", accepted)]));
            assert_eq!(fields(&head.head), fields(&get.head), "{url} {accepted}");
            assert_eq!(get.header("content-length"), Some(body(get).len().to_string()), "{url} {accepted}");
        }
    }
}

#[test]
fn a_page_of_another_version_is_told_to_reload() {
    let bridge = Bridge::start(&[]);
    let digit = |digit: &str| digit.repeat(hash(&bridge).len());
    for path in [format!("{}/viewer.js", digit("0")), format!("{}/stream/worker.js", digit("f")), format!("{}/old.js", digit("a"))]
    {
        let mut get = bridge.get(&format!("/viewer/{path}"));
        let text = get.text();
        assert_eq!(get.status(), 404, "{path}");
        assert!(is_one_line(&text) && text.contains("another version") && text.contains("reload"), "{path}: {text}");
        assert_eq!(get.header("cache-control").as_deref(), Some("no-store, no-transform"), "{path}");
    }
}

#[test]
fn nothing_else_is_served() {
    let bridge = Bridge::start(&[]);
    let hash = hash(&bridge);
    for path in [
        "viewer.js".to_owned(),
        String::new(),
        hash.clone(),
        format!("{hash}/"),
        format!("{hash}/index.html"),
        format!("{hash}/vendor/README.md"),
        format!("{hash}/nothing.js"),
        format!("{hash}/viewer.js/"),
        format!("{hash}//viewer.js"),
        format!("{hash}/./viewer.js"),
        format!("{hash}/../viewer.js"),
        format!("{hash}/../{hash}/viewer.js"),
        format!("{hash}/stream/../viewer.js"),
        format!("{hash}/%2e%2e/{hash}/viewer.js"),
        format!("{hash}/stream%2f..%2fviewer.js"),
        format!("{hash}/../../../../etc/passwd"),
        format!("{hash}/%2e%2e/%2e%2e/Cargo.toml"),
        format!("{hash}/viewer%2ejs"),
        format!("{hash}/viewer.js%00"),
        format!("{hash}/Viewer.js"),
        format!("{}/viewer.js", hash.to_uppercase() + "x"),
        format!("../viewer/{hash}/viewer.js"),
    ] {
        let mut get = bridge.get(&format!("/viewer/{path}"));
        assert_eq!((get.status(), is_one_line(&get.text())), (404, true), "{path}");
    }
    // A question behind a name does not change it.
    assert_eq!(bridge.get(&format!("/viewer/{hash}/viewer.js?x=../y")).status(), 200);
}

#[test]
fn pages_of_others_may_load_all_but_the_page() {
    let bridge = Bridge::start(&[]);
    let cross = [("Origin", "https://other.example"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "cors")];
    let assets = sources().into_iter().map(|(path, _)| asset(&bridge, &path));
    for url in assets.chain(["/sse-bridge.js".to_owned(), asset(&bridge, "nothing.js")]) {
        let get = bridge.get_with(&url, &cross);
        assert_eq!(get.header("access-control-allow-origin").as_deref(), Some("*"), "{url}");
        assert_eq!(get.header("cross-origin-resource-policy").as_deref(), Some("cross-origin"), "{url}");
        assert_eq!(get.header("access-control-allow-credentials"), None, "{url}");
    }
    for flags in [&[][..], &["--cors-origin", "*"]] {
        let page = Bridge::start(flags).get_with("/", &cross);
        assert_eq!((page.status(), page.header("access-control-allow-origin")), (200, None), "{flags:?}");
        assert_eq!(page.header("cross-origin-resource-policy").as_deref(), Some("same-origin"), "{flags:?}");
    }
}
