//! Values as people write them: sizes, durations, counts. Each error says what would have been good.

use std::time::Duration;

use bytesize::ByteSize;
use jiff::{SignedDuration, Span, SpanRelativeTo};

use crate::channel::Tail;
use crate::http::query;
use crate::source::file::Begin;
use crate::store::Sync;

/// A size in bytes: `512KiB`, `16MiB`, `1GiB`, `1000`.
pub fn size(text: &str) -> Result<u64, String> {
    let starts_well = text.starts_with(|c: char| c.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| starts_well)
        .map(|size: ByteSize| size.as_u64())
        .ok_or_else(|| "expected a size such as 16MiB".to_owned())
}

/// A duration: `500ms`, `15s`, `10m`, `1h30m`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    parsed.ok_or_else(|| "expected a duration such as 15s or 10m".to_owned())
}

/// How old something becomes: a duration in which days and weeks may stand, of 24 hours and of 7 days: `36h`, `7d`, `2w`.
pub fn age(text: &str) -> Result<Duration, String> {
    let span = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    let parsed = span.ok().and_then(|duration| Duration::try_from(duration).ok());
    parsed.ok_or_else(|| "expected a time such as 12h or 7d".to_owned())
}

/// `never`, `interval` or `always`.
pub fn sync(text: &str) -> Result<Sync, String> {
    match text {
        "never" => Ok(Sync::Never),
        "interval" => Ok(Sync::Interval),
        "always" => Ok(Sync::Always),
        _ => Err("expected never, interval or always".to_owned()),
    }
}

/// Whether something is on.
pub fn switch(text: &str) -> Result<bool, String> {
    match text {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err("expected yes or no".to_owned()),
    }
}

/// A port.
pub fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "expected a number from 0 to 65535".to_owned())
}

/// A count of at least one.
pub fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "expected a number from 1 on".to_owned())
}

/// `N` or `all`.
pub fn tail(text: &str) -> Result<Tail, String> {
    query::tail("--tail", text).map_err(|_| "expected a number or 'all'".to_owned())
}

/// `N` or `all`, as it was written.
pub fn tail_text(text: &str) -> Result<String, String> {
    tail(text).map(|_| text.to_owned())
}

/// A time since which lines are wanted, as it was written.
pub fn since_text(text: &str) -> Result<String, String> {
    let expected = |_| "expected a duration such as 10m, an RFC 3339 time or Unix milliseconds".to_owned();
    query::since(text, 0).map(|_| text.to_owned()).map_err(expected)
}

/// Where files begin: `start`, `end`, or `-N` for the last N lines.
pub fn begin(text: &str) -> Result<Begin, String> {
    let last = || text.strip_prefix('-').and_then(|count| count.parse().ok()).map(Begin::Last);
    match text {
        "start" => Ok(Begin::Start),
        "end" => Ok(Begin::End),
        _ => last().ok_or_else(|| "expected start, end, or -N for the last N lines".to_owned()),
    }
}

/// After how long an unfinished line becomes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// After this time.
    After(Duration),
    /// Not before it ends.
    Off,
}

/// A duration, or `off`.
pub fn flush(text: &str) -> Result<Flush, String> {
    if text == "off" {
        return Ok(Flush::Off);
    }
    duration(text).map(Flush::After).map_err(|_| "expected a duration such as 1s, or off".to_owned())
}

/// Rights of a file, in octal: `0620`.
pub fn rights(text: &str) -> Result<u32, String> {
    let is_octal = text.len() <= 4 && !text.is_empty() && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let rights = u32::from_str_radix(text, 8).ok().filter(|rights| is_octal && *rights <= 0o777);
    rights.ok_or_else(|| "expected rights in octal, such as 0620".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_are_read_as_people_write_them() {
        assert_eq!(size("16MiB"), Ok(16 << 20));
        assert_eq!(size("1GiB"), Ok(1 << 30));
        assert_eq!(size("64 KiB"), Ok(64 << 10));
        assert_eq!(size("1000"), Ok(1000));
        assert_eq!(duration("15s"), Ok(Duration::from_secs(15)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        for (text, seconds) in [("1s", 1), ("12h", 43_200), ("7d", 604_800), ("1w", 604_800), ("1d12h", 129_600), ("90m", 5400)] {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        let syncs = ["never", "interval", "always"].map(sync);
        assert_eq!(syncs, [Ok(Sync::Never), Ok(Sync::Interval), Ok(Sync::Always)]);
    }

    #[test]
    fn places_rights_and_pauses_are_read_as_people_write_them() {
        assert_eq!((begin("start"), begin("end"), begin("-50")), (Ok(Begin::Start), Ok(Begin::End), Ok(Begin::Last(50))));
        assert_eq!((rights("0620"), rights("600")), (Ok(0o620), Ok(0o600)));
        assert_eq!((flush("off"), flush("2s")), (Ok(Flush::Off), Ok(Flush::After(Duration::from_secs(2)))));
    }

    #[test]
    fn what_is_no_size_or_duration_is_refused() {
        for bad in ["", "x", "16QiB", "-1", "MiB", "1e3", "nan", "inf"] {
            assert!(size(bad).is_err(), "{bad}: {:?}", size(bad));
        }
        for bad in ["", "x", "15", "-5s", "5 parsecs"] {
            assert!(duration(bad).is_err(), "{bad}: {:?}", duration(bad));
        }
        for bad in ["", "x", "7", "-7d", "7 parsecs", "1mo", "1y", "99999999999999999999d", "7D7"] {
            assert!(age(bad).is_err(), "{bad}: {:?}", age(bad));
        }
        for bad in ["", "no", "1s", "ALWAYS", "always "] {
            assert!(sync(bad).is_err(), "{bad}: {:?}", sync(bad));
        }
        for bad in ["", "0", "1000", "-", "--5", "begin"] {
            assert!(begin(bad).is_err(), "{bad}: {:?}", begin(bad));
        }
        for bad in ["", "8", "01777", "-1", "rw", "00620"] {
            assert!(rights(bad).is_err(), "{bad}: {:?}", rights(bad));
        }
        assert!(flush("never").is_err());
        assert!(count("0").is_err());
        assert!(port("65536").is_err());
        assert!(tail("some").is_err());
    }
}
