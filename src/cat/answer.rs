//! What the answer of a server means.

use std::time::Duration;

use hyper::header::{self, HeaderMap};

/// What is done with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is an event stream.
    Stream,
    /// The stream has ended for good, and everything of it was taken.
    Finished,
    /// It is elsewhere.
    Moved(String),
    /// Time does not cure it.
    Refused,
    /// Time cures it; perhaps the server says how much.
    Later(Option<Duration>),
    /// Something else than a stream: a person's mistake at first, a proxy's page while the daemon is away later.
    Strange(String),
}

/// Judges an answer by its head.
#[must_use]
pub fn judge(status: u16, headers: &HeaderMap) -> Verdict {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match status {
        200 => {
            let kind = text(header::CONTENT_TYPE).unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
            let coding = text(header::CONTENT_ENCODING).unwrap_or("identity").trim().to_ascii_lowercase();
            match &*kind {
                "text/event-stream" if coding == "identity" => Verdict::Stream,
                "text/event-stream" => Verdict::Strange(format!("text/event-stream, coded as {coding}, which was not asked for")),
                "" => Verdict::Strange("no content type".to_owned()),
                _ => Verdict::Strange(kind),
            }
        }
        204 => Verdict::Finished,
        301 | 302 | 303 | 307 | 308 => match text(header::LOCATION) {
            Some(place) => Verdict::Moved(place.to_owned()),
            None => Verdict::Refused,
        },
        408 | 425 | 429 | 500.. => Verdict::Later(text(header::RETRY_AFTER).and_then(retry_after)),
        _ => Verdict::Refused,
    }
}

/// Seconds; a date (RFC 9110, 10.2.3) is left to the usual pauses, for the clocks may differ.
fn retry_after(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, fields: &[(&'static str, &'static str)]) -> Verdict {
        let headers = fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        judge(status, &headers)
    }

    #[test]
    fn only_200_with_the_right_type_is_a_stream() {
        assert_eq!(verdict(200, &[("content-type", "text/event-stream")]), Verdict::Stream);
        assert_eq!(verdict(200, &[("content-type", "Text/Event-Stream; charset=utf-8")]), Verdict::Stream);
        assert_eq!(verdict(200, &[("content-type", "text/html; charset=utf-8")]), Verdict::Strange("text/html".into()));
        assert_eq!(verdict(200, &[]), Verdict::Strange("no content type".into()));
        let coded = |coding| verdict(200, &[("content-type", "text/event-stream"), ("content-encoding", coding)]);
        assert_eq!(coded("identity"), Verdict::Stream);
        assert!(matches!(coded("gzip"), Verdict::Strange(what) if what.contains("gzip")));
        assert_eq!(verdict(206, &[("content-type", "text/event-stream")]), Verdict::Refused);
    }

    #[test]
    fn what_time_cures_is_tried_again() {
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(verdict(status, &[]), Verdict::Later(None), "{status}");
        }
        assert_eq!(verdict(503, &[("retry-after", "17")]), Verdict::Later(Some(Duration::from_secs(17))));
        assert_eq!(verdict(503, &[("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")]), Verdict::Later(None));
        for status in [400, 401, 403, 404, 405, 406, 410, 421] {
            assert_eq!(verdict(status, &[]), Verdict::Refused, "{status}");
        }
        assert_eq!(verdict(204, &[]), Verdict::Finished);
        assert_eq!(verdict(302, &[("location", "/x")]), Verdict::Moved("/x".into()));
        assert_eq!(verdict(302, &[]), Verdict::Refused);
    }
}
