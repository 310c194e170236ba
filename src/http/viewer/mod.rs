//! The page at `/`, what it loads, and the module for pages of others.
//!
//! | URL | what | how long it is kept |
//! | --- | --- | --- |
//! | `/` | the page | it is asked for each time |
//! | `/viewer/HASH/PATH` | an asset; HASH is of them all | for ever: another version has other URLs |
//! | `/sse-bridge.js` `/sse-bridge.d.ts` | what pages of others import, and its types | it is asked for each time, and answered with 304 |
//!
//! Lines come from anybody, so the page trusts nothing: its policy allows scripts and styles of this origin only, no inline
//! ones, no frames, and the scripts write text, never markup. A worker has the policy of its own script's answer, not that of the
//! page, so each asset has one as well.
//!
//! The page names a title and is for nobody but who opens it. All else is public code that names nothing, and pages of every
//! origin may load it; whether they may read lines is decided where lines are.

mod assets;
mod encoding;
#[cfg(test)]
mod tests;

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};

use super::response::{self, Content, text};
use assets::{Asset, HASH, PAGE, is_hash};

/// What the page may load.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                           worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What an asset may load that runs by itself: a worker its modules, and its stream.
const ASSET_POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; \
                            base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How long what never changes is kept: a year, which is as good as for ever to every cache.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// It may be kept, and is asked for before it is used.
const ASK_FIRST: &str = "no-cache";

/// The files whose names `/sse-bridge.js` passes on.
const FOR_OTHERS: [&str; 2] = ["stream/connect.js", "stream/element.js"];

/// The page, under this title.
#[must_use]
pub fn page(title: &str) -> Response<Content> {
    let page = filled(PAGE, &[("title", title), ("version", HASH)]);
    guarded(response::content(StatusCode::OK, "text/html; charset=utf-8", page), ASK_FIRST, PAGE_POLICY)
}

/// An asset, by what follows `/viewer/` in its URL.
#[must_use]
pub fn asset(path: &str, headers: &HeaderMap) -> Response<Content> {
    let (hash, path) = path.split_once('/').unwrap_or_default();
    for_anybody(match Asset::at(path) {
        Some(asset) if hash == HASH => packed(asset, headers),
        // A page that was left open while the daemon was replaced.
        _ if is_hash(hash) && hash != HASH => {
            text(StatusCode::NOT_FOUND, "this belongs to a page of another version of sse-bridge; reload the page")
        }
        _ => text(StatusCode::NOT_FOUND, "no such asset"),
    })
}

/// `/sse-bridge.js`: a name that stays, for what has another one in each version.
#[must_use]
pub fn module(headers: &HeaderMap) -> Response<Content> {
    for_anybody(unless_known(headers, || response::content(StatusCode::OK, "text/javascript; charset=utf-8", module_code())))
}

/// `/sse-bridge.d.ts`: the types of that module.
#[must_use]
pub fn types(headers: &HeaderMap) -> Response<Content> {
    for_anybody(match Asset::at("sse-bridge.d.ts") {
        Some(types) => unless_known(headers, || response::content(StatusCode::OK, types.kind, types.raw)),
        None => text(StatusCode::NOT_FOUND, "no such asset"),
    })
}

fn module_code() -> String {
    FOR_OTHERS.map(|path| format!("export * from './viewer/{HASH}/{path}';\n")).concat()
}

/// An asset, compressed if the client takes it so: over HTTP/1.0 as well, where proxies pass on what a browser says it takes.
fn packed(asset: &Asset, headers: &HeaderMap) -> Response<Content> {
    let is_compressed = encoding::takes_gzip(headers);
    let body = if is_compressed { asset.gzip } else { asset.raw };
    let mut response = guarded(response::content(StatusCode::OK, asset.kind, body), FOR_EVER, ASSET_POLICY);
    let fields = response.headers_mut();
    fields.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if is_compressed {
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// An answer that changes with the version only, or 304 for a client that has this one.
fn unless_known(headers: &HeaderMap, answer: impl FnOnce() -> Response<Content>) -> Response<Content> {
    let tag = format!("\"{HASH}\"");
    let answer = if knows(headers, &tag) { response::empty(StatusCode::NOT_MODIFIED) } else { answer() };
    let mut answer = guarded(answer, ASK_FIRST, ASSET_POLICY);
    answer.headers_mut().insert(header::ETAG, HeaderValue::from_str(&tag).expect("a hash is hexadecimal digits"));
    answer
}

/// Whether `If-None-Match` names this tag, also as one that a proxy has made weak.
fn knows(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

fn guarded(mut response: Response<Content>, kept: &'static str, policy: &'static str) -> Response<Content> {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

/// Pages of every origin may read this, also that it is not there.
fn for_anybody(mut response: Response<Content>) -> Response<Content> {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}

/// A page with its `{{places}}` filled, in one go: what stands in a value is text, whatever it looks like.
fn filled(page: &str, values: &[(&str, &str)]) -> String {
    let mut parts = page.split("{{");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").expect("a place ends");
        let (_, value) = values.iter().find(|(known, _)| *known == name).expect("the page names places that are known");
        whole.push_str(&escaped(value));
        whole.push_str(rest);
    }
    whole
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
