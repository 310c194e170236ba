//! Which page a request comes from.
//!
//! Browsers send requests of foreign pages and only then decide whether the page may read the answer. A stream would be opened
//! and hold a slot for nothing. So data URLs refuse foreign pages before that, unless `--cors-origin` names them.

use hyper::http::uri::Authority;
use hyper::{HeaderMap, Request, header};

/// The longest origin that is worth a line in the log: a scheme, a name of 253 bytes, a port.
const MAX_ORIGIN: usize = 270;

/// Pages of other origins that may read data URLs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    /// `*`
    pub any: bool,
    /// Exact origins, `https://example.com`.
    pub exact: Vec<String>,
}

/// What a request's origin means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Not a foreign page.
    Own,
    /// A foreign page that may; the value is for `Access-Control-Allow-Origin`.
    Allowed(String),
    /// A foreign page that may not; its origin, as far as it is known.
    Refused(String),
}

impl Origins {
    /// Whether anything is allowed at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.any && self.exact.is_empty()
    }

    /// Judges a request for data.
    #[must_use]
    pub fn judge<B>(&self, request: &Request<B>) -> Access {
        let headers = request.headers();
        let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let (origin, site) = (text("origin"), text("sec-fetch-site"));
        let is_ours = matches!(site.as_deref(), Some("same-origin" | "none"));
        match origin {
            _ if is_ours || is_top_level_navigation(headers) => Access::Own,
            Some(origin) if !is_same_host(&origin, request) => self.judge_foreign(origin),
            None if site.is_some() && !self.any => Access::Refused("another site".to_owned()),
            _ => Access::Own,
        }
    }

    fn judge_foreign(&self, origin: String) -> Access {
        match () {
            () if self.any => Access::Allowed("*".to_owned()),
            () if self.exact.contains(&origin) => Access::Allowed(origin),
            () if origin.len() <= MAX_ORIGIN && origin.bytes().all(|byte| byte.is_ascii_graphic()) => Access::Refused(origin),
            () => Access::Refused("something that is no origin".to_owned()),
        }
    }
}

/// The option that would let a refused origin in, if one would.
#[must_use]
pub fn remedy(origin: &str) -> Option<String> {
    let is_nameable = origin == "null" || origin.starts_with("http://") || origin.starts_with("https://");
    is_nameable.then(|| format!("--cors-origin {origin}"))
}

/// For browsers that do not send `Sec-Fetch-Site`: the origin is the host that was asked. Schemes are not compared, because a
/// proxy in front may speak another one than we do.
fn is_same_host<B>(origin: &str, request: &Request<B>) -> bool {
    let headers = request.headers();
    let has_site = headers.contains_key("sec-fetch-site");
    let target = request.uri().authority().map(Authority::as_str);
    let host = target.or_else(|| headers.get(header::HOST)?.to_str().ok());
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    !has_site && authority.is_some() && authority == host
}

fn is_top_level_navigation(headers: &HeaderMap) -> bool {
    let is = |name: &str, wanted: &str| headers.get(name).is_some_and(|value| value == wanted);
    is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(origins: &Origins, headers: &[(&'static str, &str)]) -> Access {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        origins.judge(&request.body(()).unwrap())
    }

    #[test]
    fn without_permission_foreign_pages_are_refused_and_everybody_else_passes() {
        let none = Origins::default();
        let foreign = ("origin", "https://evil.example");
        let host = ("host", "127.0.0.1:8080");
        for headers in [
            &[host][..],
            &[host, ("origin", "http://127.0.0.1:8080")],
            &[host, foreign, ("sec-fetch-site", "same-origin")],
            &[host, foreign, ("sec-fetch-site", "none")],
            &[host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
        ] {
            assert_eq!(judge(&none, headers), Access::Own, "{headers:?}");
        }
        for headers in [
            &[host, foreign][..],
            &[host, ("origin", "null")],
            &[host, ("origin", "http://127.0.0.1:9999")],
            &[host, foreign, ("sec-fetch-site", "cross-site")],
            &[host, ("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-site")],
            &[host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
            &[host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        ] {
            assert!(matches!(judge(&none, headers), Access::Refused(_)), "{headers:?}");
        }
    }

    #[test]
    fn named_origins_pass_exactly() {
        let some = Origins { any: false, exact: vec!["https://a.example".into()] };
        assert_eq!(judge(&some, &[("origin", "https://a.example")]), Access::Allowed("https://a.example".into()));
        assert!(matches!(judge(&some, &[("origin", "https://a.example.evil")]), Access::Refused(_)));
        assert!(matches!(judge(&some, &[("origin", "http://a.example")]), Access::Refused(_)));
        let any = Origins { any: true, exact: vec![] };
        assert_eq!(judge(&any, &[("origin", "null")]), Access::Allowed("*".into()));
    }
}
