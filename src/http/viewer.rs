//! The page at `/` and its assets, built into the binary.
//!
//! Lines come from anybody, so the page trusts nothing: its policy allows scripts and styles of this origin only, no inline
//! ones, no frames, and the scripts write text, never markup.

use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use super::response::{self, Content};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = include_str!("../viewer/index.html");

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Everything below `/viewer/`: name, type, content.
const ASSETS: [(&str, &str, &str); 7] = [
    ("viewer.js", JAVASCRIPT, include_str!("../viewer/viewer.js")),
    ("stream.js", JAVASCRIPT, include_str!("../viewer/stream.js")),
    ("log.js", JAVASCRIPT, include_str!("../viewer/log.js")),
    ("follow.js", JAVASCRIPT, include_str!("../viewer/follow.js")),
    ("words.js", JAVASCRIPT, include_str!("../viewer/words.js")),
    ("viewer.css", "text/css; charset=utf-8", include_str!("../viewer/viewer.css")),
    ("icon.svg", "image/svg+xml", include_str!("../viewer/icon.svg")),
];

/// The page, under this title, for events of this type (`message` is what events without one have).
#[must_use]
pub fn page(title: &str, event_type: Option<&str>) -> Response<Content> {
    let page = PAGE.replace("{{event-type}}", &escaped(event_type.unwrap_or("message"))).replace("{{title}}", &escaped(title));
    guarded(response::content(StatusCode::OK, "text/html; charset=utf-8", page))
}

/// An asset of the page, if there is one of this name.
#[must_use]
pub fn asset(name: &str) -> Option<Response<Content>> {
    let (_, kind, content) = ASSETS.iter().find(|(asset, _, _)| *asset == name)?;
    let mut response = guarded(response::content(StatusCode::OK, kind, *content));
    // A new version of the daemon must not meet scripts of the old one.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Some(response)
}

fn guarded(mut response: Response<Content>) -> Response<Content> {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_that_the_page_and_its_scripts_name_is_there() {
        let sources = ASSETS.iter().map(|(_, _, content)| *content).chain([PAGE]);
        for source in sources {
            for reference in source.split(['"', '\'']).filter(|part| part.starts_with("viewer/") || part.starts_with("./")) {
                let name = reference.trim_start_matches("viewer/").trim_start_matches("./");
                assert!(asset(name).is_some(), "{reference}");
            }
        }
    }

    #[test]
    fn a_title_is_text() {
        assert_eq!(escaped("<b>&\"'"), "&lt;b&gt;&amp;&quot;&#39;");
    }
}
