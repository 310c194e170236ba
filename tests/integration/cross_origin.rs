//! Pages of other origins: who may read, who is refused before it costs anything, and what each is told.

use crate::assets::asset;
use crate::harness::{Bridge, Get, scale};
use crate::wire::{Answer, Wire, metric};

/// What stands in a request: its origin, and how the browser says it came to be made.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    origin: Option<&'a str>,
    site: Option<&'static str>,
    /// Mode and destination.
    fetch: Option<(&'static str, &'static str)>,
}

/// What the answer must be.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Passes,
    /// With this `Access-Control-Allow-Origin`.
    Allowed(String),
    Refused,
}

const FLAGS: [&[&str]; 4] = [
    &[],
    &["--cors-origin", "https://a.example"],
    &["--cors-origin", "https://a.example", "--cors-origin", "https://b.example:8443"],
    &["--cors-origin", "*"],
];

const NAVIGATION: (&str, &str) = ("navigate", "document");

/// What the design says, in other words than the code.
fn expected(flags: &[&str], asked: Asked<'_>, own: &str) -> Verdict {
    match (asked.origin, asked.site) {
        (_, Some("same-origin" | "none")) | (None, None) => Verdict::Passes,
        (None, Some(_)) if asked.fetch == Some(NAVIGATION) || flags.contains(&"*") => Verdict::Passes,
        (None, Some(_)) => Verdict::Refused,
        (Some(origin), None) if origin == own => Verdict::Passes,
        (Some(_), _) if flags.contains(&"*") => Verdict::Allowed("*".to_owned()),
        (Some(origin), _) if flags.contains(&origin) => Verdict::Allowed(origin.to_owned()),
        (Some(_), _) => Verdict::Refused,
    }
}

/// Every combination of what a browser may say.
fn all_asked<'a>(origins: &[Option<&'a str>]) -> Vec<Asked<'a>> {
    let sites = [None, Some("same-origin"), Some("none"), Some("same-site"), Some("cross-site")];
    let fetches = [None, Some(NAVIGATION), Some(("navigate", "iframe")), Some(("no-cors", "image")), Some(("cors", "empty"))];
    let mut all = Vec::new();
    for &origin in origins {
        for site in sites {
            all.extend(fetches.map(|fetch| Asked { origin, site, fetch }));
        }
    }
    // Navigations that name an origin have a test of their own.
    all.retain(|asked| asked.origin.is_none() || asked.fetch != Some(NAVIGATION));
    all
}

fn ask(wire: &mut Wire, method: &str, path: &str, host: &str, asked: Asked<'_>) -> Answer {
    let fields = [
        ("Origin", asked.origin),
        ("Sec-Fetch-Site", asked.site),
        ("Sec-Fetch-Mode", asked.fetch.map(|fetch| fetch.0)),
        ("Sec-Fetch-Dest", asked.fetch.map(|fetch| fetch.1)),
    ];
    let said = fields.iter().filter_map(|(name, value)| Some(format!("{name}: {}\r\n", (*value)?)));
    wire.send(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{}\r\n", said.collect::<String>()));
    if method == "HEAD" { Answer { head: wire.head(), body: String::new() } } else { wire.answer() }
}

fn verdict(answer: &Answer) -> Verdict {
    match (answer.status(), answer.header("access-control-allow-origin")) {
        (403, None) => Verdict::Refused,
        (200, None) => Verdict::Passes,
        (200, Some(origin)) => Verdict::Allowed(origin.to_owned()),
        _ => panic!("{answer:?}"),
    }
}

#[test]
fn data_is_for_pages_of_our_own_and_for_those_that_were_named() {
    for flags in FLAGS {
        let bridge = Bridge::start(flags);
        let host = format!("127.0.0.1:{}", bridge.port);
        let own = format!("http://{host}");
        let by_name = format!("http://localhost:{}", bridge.port);
        let origins = [
            None,
            Some(&*own),
            Some("https://a.example"),
            Some("https://b.example:8443"),
            Some("http://a.example"),
            Some("https://a.example:444"),
            Some("https://a.example.evil"),
            Some("https://xa.example"),
            Some("http://127.0.0.1:1"),
            Some(&by_name),
            Some("null"),
            Some("evil"),
        ];
        let mut wire = Wire::to(&bridge);
        for asked in all_asked(&origins) {
            let expected = expected(flags, asked, &own);
            for (method, path) in [("HEAD", "/events"), ("GET", "/channels"), ("HEAD", "/metrics")] {
                let answer = ask(&mut wire, method, path, &host, asked);
                assert_eq!(verdict(&answer), expected, "{flags:?} {method} {path} {asked:?}");
                assert_eq!(answer.header("access-control-allow-credentials"), None);
            }
        }
    }
}

#[test]
fn a_top_level_navigation_always_passes() {
    for flags in FLAGS {
        let bridge = Bridge::start(flags);
        for origin in [None, Some("null"), Some("https://evil.example"), Some("https://a.example")] {
            let asked = Asked { origin, site: Some("cross-site"), fetch: Some(NAVIGATION) };
            let answer = ask(&mut Wire::to(&bridge), "HEAD", "/events", "localhost", asked);
            assert_eq!(answer.status(), 200, "{flags:?} {origin:?}");
        }
    }
}

#[test]
fn the_page_its_assets_and_health_ask_nobody_where_he_comes_from() {
    let bridge = Bridge::start(&[]);
    let mut wire = Wire::to(&bridge);
    let origins = [None, Some("https://evil.example"), Some("null")];
    let named = ["viewer.js", "viewer.css", "icon.svg"].map(|path| asset(&bridge, path));
    let assets = named.into_iter().chain(["/sse-bridge.js".to_owned()]).collect::<Vec<_>>();
    for asked in all_asked(&origins) {
        for path in ["/", "/healthz", "/readyz"] {
            assert_eq!(verdict(&ask(&mut wire, "HEAD", path, "localhost", asked)), Verdict::Passes, "{path} {asked:?}");
        }
        for path in &assets {
            let everybody = Verdict::Allowed("*".to_owned());
            assert_eq!(verdict(&ask(&mut wire, "HEAD", path, "localhost", asked)), everybody, "{path} {asked:?}");
        }
    }
}

#[test]
fn a_preflight_tells_a_named_origin_what_it_may_send() {
    for (flags, allowed) in [(FLAGS[1], "https://a.example"), (FLAGS[2], "https://b.example:8443"), (FLAGS[3], "*")] {
        let bridge = Bridge::start(flags);
        let origin = if allowed == "*" { "https://anybody.example" } else { allowed };
        for path in ["/events", "/events/stdin", "/channels", "/metrics"] {
            let answer = preflight(&bridge, path, origin);
            assert_eq!(answer.status(), 204, "{flags:?} {path}");
            let value = |name: &str| answer.header(name).unwrap_or_else(|| panic!("{flags:?} {path}: no {name}: {}", answer.head));
            assert_eq!(value("access-control-allow-origin"), allowed, "{flags:?} {path}");
            assert!(value("access-control-allow-methods").contains("GET"));
            for field in ["Last-Event-ID", "Cache-Control", "Accept"] {
                assert!(value("access-control-allow-headers").split(", ").any(|allowed| allowed == field), "{path} {field}");
            }
            assert!(value("access-control-max-age").parse::<u32>().unwrap() > 0);
            assert!(value("vary").contains("Origin"));
        }
    }
}

#[test]
fn a_preflight_tells_others_nothing() {
    for flags in &FLAGS[..3] {
        let bridge = Bridge::start(flags);
        for origin in ["https://evil.example", "null", "https://a.example.evil"] {
            let answer = preflight(&bridge, "/events", origin);
            assert_eq!(answer.status(), 403, "{flags:?} {origin}");
            assert!(!answer.head.contains("access-control-"), "{flags:?} {origin}: {}", answer.head);
        }
    }
}

fn preflight(bridge: &Bridge, path: &str, origin: &str) -> Get {
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "cache-control,last-event-id"),
        ("Sec-Fetch-Mode", "cors"),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    Get::request(bridge.port, "OPTIONS", path, &headers)
}

#[test]
fn errors_can_be_read_by_pages_that_may_read_the_answer() {
    let bridge = Bridge::start(&["--cors-origin", "https://a.example", "--max-clients", "1"]);
    let from_a = [("Origin", "https://a.example"), ("Sec-Fetch-Site", "cross-site")];
    let place = bridge.get("/events");
    for (path, accept, status) in [
        ("/events/other", "*/*", 404),
        ("/events?tail=x", "*/*", 400),
        ("/events", "*/*", 503),
        ("/events", "text/event-stream", 200),
        ("/channels", "*/*", 200),
    ] {
        let get = bridge.get_with(path, &[from_a[0], from_a[1], ("Accept", accept)]);
        assert_eq!(
            (get.status(), get.header("access-control-allow-origin").as_deref()),
            (status, Some("https://a.example")),
            "{path}"
        );
    }
    drop(place);
}

#[test]
fn answers_that_depend_on_the_origin_say_so_to_everybody() {
    let bridge = Bridge::start(FLAGS[1]);
    for path in ["/events", "/channels", "/metrics", "/events/other", "/events?tail=x"] {
        for headers in [&[][..], &[("Origin", "https://a.example")], &[("Sec-Fetch-Site", "same-origin")]] {
            let get = bridge.get_with(path, headers);
            let vary = get.header("vary").unwrap_or_else(|| panic!("{path} {headers:?}: {}", get.head));
            assert!(vary.split(", ").any(|field| field == "Origin"), "{path} {headers:?}: {vary}");
            assert_eq!(get.header("cross-origin-resource-policy").as_deref(), Some("cross-origin"), "{path} {headers:?}");
        }
    }
}

#[test]
fn a_refused_page_takes_no_place() {
    let bridge = Bridge::start(&["--max-clients", "1"]);
    let foreign = [("Origin", "https://evil.example"), ("Accept", "text/event-stream")];
    for _ in 0..scale(10, 200) {
        assert_eq!(bridge.get_with("/events", &foreign).status(), 403);
    }
    let mut only = bridge.get("/events");
    assert_eq!(only.events(1)[0].event, "start");
    assert_eq!(bridge.get_with("/events", &foreign).status(), 403, "refused before the house is looked at");
    assert_eq!(
        (metric(&bridge, "clients"), metric(&bridge, "streams_total"), metric(&bridge, "refusals_total{reason=\"clients\"}")),
        (1, 1, 0)
    );
}

#[test]
fn a_refusal_is_logged_once_for_each_origin_and_tells_the_flag() {
    let bridge = Bridge::start(&[]);
    for origin in ["https://one.example", "https://two.example", "https://one.example", "null", "https://last.example"] {
        let mut get = bridge.get_with("/events", &[("Origin", origin)]);
        assert!(get.text().contains("--cors-origin"), "{origin}");
    }
    let log = bridge.wait_for_stderr("--cors-origin https://last.example");
    assert_eq!(log.matches("--cors-origin https://one.example").count(), 1, "{log}");
    assert_eq!(log.matches("--cors-origin").count(), 4, "{log}");
}

#[test]
fn an_origin_cannot_write_into_the_log() {
    let bridge = Bridge::start(&[]);
    let long = format!("https://{}.example", "x".repeat(10_000));
    for origin in ["https://a\tb", "https://a\u{202e}b", "https://a\u{9b}31mb", &long, "https://last.example"] {
        bridge.get_with("/channels", &[("Origin", origin)]);
    }
    let log = bridge.wait_for_stderr("last.example");
    assert!(!log.contains(['\t', '\u{202e}', '\u{9b}']), "{log:?}");
    assert!(log.lines().all(|line| line.len() < 1000), "a line of {} bytes", log.lines().map(str::len).max().unwrap());
}
