//! What the viewer's files promise, read as text: what they name is there, they are small, and none of them makes markup or code
//! of text, or asks anybody else for anything.

mod script;

use std::collections::BTreeSet;
use std::io::Read as _;

use flate2::read::GzDecoder;
use hyper::header::{ACCEPT_ENCODING, IF_NONE_MATCH};

use super::assets::ASSETS;
use super::*;
use script::{Part, parts};

/// What goes over the wire for the whole page, and may be asked for at its start.
const MOST_BYTES: usize = 150 << 10;

/// What makes markup or code of text, or loads a picture that the policy does not allow.
const WORDS: [&str; 14] = [
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "createContextualFragment",
    "parseFromString",
    "setHTMLUnsafe",
    "srcdoc",
    "document.write",
    "eval(",
    "new Function",
    "javascript:",
    "data:image",
    "http://",
    "https://",
];

/// A name that looks like an address.
const SVG_NAMESPACE: &str = "http://www.w3.org/2000/svg";

/// A file that another one names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    path: String,
    /// Whether it is loaded together with the one that names it.
    is_at_once: bool,
}

fn text_of(asset: &Asset) -> &'static str {
    std::str::from_utf8(asset.raw).expect("assets are UTF-8")
}

fn is_kind(path: &str, ending: &str) -> bool {
    path.rsplit('.').next() == Some(ending)
}

/// `../text/ansi.js`, as the file at this path says it. None if that leads out of the viewer's folder.
fn resolved(from: &str, reference: &str) -> Option<String> {
    let mut whole: Vec<_> = from.split('/').collect();
    whole.pop();
    for part in reference.split('/') {
        match part {
            "." => {}
            ".." => drop(whole.pop()?),
            _ => whole.push(part),
        }
    }
    Some(whole.join("/"))
}

/// Whether a string in a script names a file: what is imported in any way, a worker, a picture, also one that is chosen from
/// several (`'a.svg'`). Nothing else begins with `./` or `../`, and these alone (`./${name}`) name nothing.
fn is_name(text: &str) -> bool {
    let is_relative = text.starts_with("./") || text.starts_with("../");
    let is_file = ["js", "css", "svg"].iter().any(|ending| is_kind(text, ending));
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./_-".contains(&byte));
    (is_relative || is_file && is_plain) && !text.ends_with('/')
}

/// Every file that a script names.
fn named_by_script(path: &str, text: &str) -> Vec<Named> {
    let parts = parts(text);
    let before = std::iter::once(None).chain(parts.iter().map(Some));
    let strings = before.zip(&parts).filter_map(|(before, part)| match part {
        Part::Text(text) if is_name(text) => Some((before, text)),
        _ => None,
    });
    let imports = |code: &str| ["from", "import"].iter().any(|word| code.trim_end().ends_with(word));
    let named = strings.map(|(before, reference)| Named {
        path: resolved(path, reference).unwrap_or_else(|| panic!("{path}: {reference} leads out of the viewer")),
        is_at_once: matches!(before, Some(Part::Code(code)) if imports(code)),
    });
    named.collect()
}

/// Everything that a style sheet loads.
fn named_by_style(path: &str, text: &str) -> Vec<Named> {
    let text = without(text, "/*", "*/");
    let all = text.split("url(").skip(1).chain(text.split("@import").skip(1));
    let references = all.filter_map(|rest| rest.split([')', ';']).next()).map(|name| name.trim().trim_matches(['"', '\'']));
    let named = references.map(|reference| Named {
        path: resolved(path, reference).unwrap_or_else(|| panic!("{path}: {reference} leads out of the viewer")),
        is_at_once: true,
    });
    named.collect()
}

/// Every asset that the page names: each with the hash.
fn named_by_page() -> Vec<Named> {
    let attributes = tags(PAGE).into_iter().flatten();
    let references = attributes.filter(|(name, _)| ["src", "href"].contains(&name.as_str())).map(|(_, value)| value);
    let below = references.filter(|reference| reference != "events" && !reference.starts_with('#'));
    let named = below.map(|reference| {
        let path = reference.strip_prefix("viewer/{{version}}/");
        Named { path: path.unwrap_or_else(|| panic!("the page names {reference}")).to_owned(), is_at_once: true }
    });
    named.collect()
}

fn named_by(asset: &Asset) -> Vec<Named> {
    match asset.path {
        path if is_kind(path, "js") => named_by_script(path, text_of(asset)),
        path if is_kind(path, "css") => named_by_style(path, text_of(asset)),
        _ => Vec::new(),
    }
}

/// The tags of a document, each with its attributes, of which the first is its own name.
fn tags(document: &str) -> Vec<Vec<(String, String)>> {
    let document = without(document, "<!--", "-->");
    let inner = document.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag.trim_end_matches('/'));
    inner.map(attributes).collect()
}

/// Values are quoted, and have no quotation mark in them.
fn attributes(tag: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = tag.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let (value, behind) = match behind.strip_prefix("=\"") {
            Some(value) => value.split_once('"').unwrap_or_else(|| panic!("a value without an end: {tag}")),
            None => ("", behind),
        };
        found.push((name.to_ascii_lowercase(), value.to_owned()));
        rest = behind.trim_start();
    }
    found
}

/// A text without what stands between these marks.
fn without(text: &str, begin: &str, end: &str) -> String {
    let mut parts = text.split(begin);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| whole + part.split_once(end).map_or("", |(_, behind)| behind))
}

/// What a file says to a browser: all but its comments.
fn said(path: &str, text: &str) -> String {
    match path.rsplit('.').next() {
        Some("js" | "ts") => parts(text).iter().map(Part::shown).collect(),
        Some("css") => without(text, "/*", "*/"),
        _ => without(text, "<!--", "-->"),
    }
}

/// Whether a word stands there, and not as the end of another: `retrieval(` is no `eval(`.
fn says(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.match_indices(word).any(|(at, _)| !text[..at].ends_with(is_part))
}

#[test]
fn every_asset_that_is_named_is_there() {
    let module = named_by_script("", &module_code());
    let below = format!("viewer/{HASH}/");
    let of_module = module.iter().map(|named| (named.path.strip_prefix(&below).expect("below the hash"), "/sse-bridge.js"));
    let page = named_by_page();
    let of_page = page.iter().map(|named| (named.path.as_str(), "the page"));
    let assets: Vec<_> = ASSETS.iter().map(|asset| (asset.path, named_by(asset))).collect();
    let of_assets = assets.iter().flat_map(|(from, named)| named.iter().map(move |named| (named.path.as_str(), *from)));
    let all = of_page.chain(of_assets).chain(of_module);
    let missing: Vec<_> =
        all.filter(|(path, _)| Asset::at(path).is_none()).map(|(path, from)| format!("{path}, by {from}")).collect();
    assert!(missing.is_empty(), "named and not there: {missing:#?}");
}

#[test]
fn the_viewer_is_small() {
    let mut wanted = named_by_page();
    let mut seen = BTreeSet::new();
    while let Some(named) = wanted.pop() {
        if let Some(asset) = Asset::at(&named.path).filter(|_| named.is_at_once)
            && seen.insert(asset.path)
        {
            wanted.extend(named_by(asset));
        }
    }
    let size = |assets: &mut dyn Iterator<Item = &Asset>| PAGE.len() + assets.map(|asset| asset.gzip.len()).sum::<usize>();
    let at_start = size(&mut seen.iter().filter_map(|path| Asset::at(path)));
    let all = size(&mut ASSETS.iter());
    assert!(at_start < MOST_BYTES, "{at_start} bytes at the start: {seen:?}");
    assert!(all < MOST_BYTES, "{all} bytes in all");
    assert!(seen.contains("viewer.js") && seen.contains("viewer.css"), "{seen:?}");
}

#[test]
fn no_file_makes_markup_or_code_of_text_or_names_another_place() {
    for (path, text) in ASSETS.iter().map(|asset| (asset.path, text_of(asset))).chain([("index.html", PAGE)]) {
        let said = said(path, text).replace(SVG_NAMESPACE, "");
        let found: Vec<_> = WORDS.iter().filter(|word| says(&said, word)).collect();
        assert!(found.is_empty(), "{path} says {found:?}");
    }
}

#[test]
fn nothing_stands_inline() {
    let pictures = ASSETS.iter().filter(|asset| is_kind(asset.path, "svg")).map(|asset| (asset.path, text_of(asset)));
    for (path, document) in pictures.chain([("index.html", PAGE)]) {
        for tag in tags(document) {
            let (name, attributes) = tag.split_first().expect("a tag has a name");
            let inline = attributes.iter().find(|(name, _)| name == "style" || name.starts_with("on"));
            assert_eq!(inline, None, "{path}: {tag:?}");
            assert_ne!(name.0, "style", "{path}");
            assert!(name.0 != "script" || attributes.iter().any(|(name, _)| name == "src"), "{path}: {tag:?}");
        }
    }
}

#[test]
fn the_table_is_in_order_and_both_forms_are_the_same() {
    assert!(ASSETS.is_sorted_by_key(|asset| asset.path), "it is searched by halves");
    for asset in ASSETS {
        let mut whole = Vec::new();
        GzDecoder::new(asset.gzip).read_to_end(&mut whole).unwrap();
        assert!(whole == asset.raw, "{}", asset.path);
        assert_eq!(&asset.gzip[4..8], [0; 4], "{}: a time", asset.path);
    }
    assert!(Asset::at("viewer.js").is_some_and(|asset| asset.kind == "text/javascript; charset=utf-8"));
    for path in ["", "index.html", "vendor/README.md", "viewer.js/", "./viewer.js", "stream/../viewer.js", "VIEWER.JS"] {
        assert!(Asset::at(path).is_none(), "{path}");
    }
}

#[test]
fn a_hash_looks_like_one() {
    assert!(is_hash(HASH), "{HASH}");
    for other in ["", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0123456789abcdeg", "stream"] {
        assert!(!is_hash(other), "{other}");
    }
}

#[test]
fn places_are_filled_in_one_go_and_with_text() {
    assert_eq!(escaped("<b>&\"'"), "&lt;b&gt;&amp;&quot;&#39;");
    let values = [("title", "{{version}} <b>"), ("version", "{{title}}")];
    assert_eq!(filled("a {{title}} b {{version}}{{title}}", &values), "a {{version}} &lt;b&gt; b {{title}}{{version}} &lt;b&gt;");
    assert_eq!(filled("nothing", &values), "nothing");
}

#[test]
fn a_tag_is_known_in_every_form_in_which_it_comes_back() {
    let knows_it = |value: &str| knows(&HeaderMap::from_iter([(IF_NONE_MATCH, value.parse().unwrap())]), "\"abc\"");
    for known in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*", "  \"abc\" "] {
        assert!(knows_it(known), "{known}");
    }
    for other in ["\"abcd\"", "abc", "", "W/abc", "\"x\",\"y\""] {
        assert!(!knows_it(other), "{other}");
    }
}

#[test]
fn answers_say_how_they_are_kept_and_who_may_read_them() {
    let gzip = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("gzip"))]);
    let field =
        |response: &Response<Content>, name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let cases = [
        (page("t"), 200, "no-cache", None),
        (asset(&format!("{HASH}/viewer.js"), &gzip), 200, FOR_EVER, Some("*")),
        (asset("0123456789abcdef/viewer.js", &gzip), 404, "no-store, no-transform", Some("*")),
        (asset("viewer.js", &gzip), 404, "no-store, no-transform", Some("*")),
        (module(&gzip), 200, "no-cache", Some("*")),
    ];
    for (response, status, kept, readers) in cases {
        assert_eq!(response.status(), status, "{response:?}");
        assert_eq!(field(&response, "cache-control").as_deref(), Some(kept), "{response:?}");
        assert_eq!(field(&response, "access-control-allow-origin").as_deref(), readers, "{response:?}");
        let resource = if readers.is_some() { "cross-origin" } else { "same-origin" };
        assert_eq!(field(&response, "cross-origin-resource-policy").as_deref(), Some(resource), "{response:?}");
    }
}

#[test]
fn names_are_found_in_every_form() {
    let script = "import { a } from './a.js'; // from './comment.js'\nimport '../b.js';\nexport * from \"../c/d.js\";\n\
                  const e = () => import('./e.js'); /* './f.js' */ new Worker(new URL('./g.js', import.meta.url));\n\
                  const h = /[/'\"]'\\/\\//.test(i) ? `${j ? './k.js' : `}`} './l.js'` : m / n / 'o';\n\
                  const p = new URL(`./${q ? 'r.svg' : 's'}`, import.meta.url), t = '*.js';";
    let named = named_by_script("x/y.js", script);
    let (at_once, later): (Vec<_>, Vec<_>) = named.iter().partition(|named| named.is_at_once);
    assert_eq!(at_once.iter().map(|named| &*named.path).collect::<Vec<_>>(), ["x/a.js", "b.js", "c/d.js"]);
    assert_eq!(later.iter().map(|named| &*named.path).collect::<Vec<_>>(), ["x/e.js", "x/g.js", "x/k.js", "x/r.svg"]);
    let style = "@import './a.css'; /* url(b.svg) */ a { background: url(\"../c.svg\") }";
    let named = named_by_style("x/y.css", style);
    assert_eq!(named.iter().map(|named| &*named.path).collect::<Vec<_>>(), ["c.svg", "x/a.css"]);
    assert_eq!(resolved("a.js", "../b.js"), None);
}
