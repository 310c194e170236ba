//! How much silence a stream may keep before nobody is believed to be there: a connection can die without a word.
//!
//! sse-bridge was asked for pings, so it speaks every 15 s at least, and says who it is in its first bytes. Where pings come more often, silence is
//! doubted sooner. Other servers have promised nothing, and are not doubted here.

use std::time::Duration;

/// What a stream of ours begins with.
const OURS: &[u8] = b": sse-bridge\n";

/// Three times what is promised without a word about it.
const USUAL: Duration = Duration::from_secs(45);

/// The least: a busy machine may take so long to pass on a sign of life.
const LEAST: Duration = Duration::from_secs(3);

/// No pulse is faster.
const SHORTEST: Duration = Duration::from_millis(500);

/// What is known of the pulse of a stream.
#[derive(Debug, Clone, Default)]
pub struct Silence {
    /// The first bytes, until there are enough.
    head: Vec<u8>,
    limit: Option<Duration>,
    /// When the last ping came, if nothing came behind it.
    pinged: Option<Duration>,
    /// How long after the one before.
    pulse: Option<Duration>,
}

impl Silence {
    /// Bytes have come.
    pub fn heard(&mut self, bytes: &[u8]) {
        let missing = OURS.len().saturating_sub(self.head.len());
        if missing > 0 {
            self.head.extend_from_slice(&bytes[..bytes.len().min(missing)]);
            if self.head == OURS {
                self.limit = Some(USUAL);
            }
        }
    }

    /// Whether the server has said that it is one of ours.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.head == OURS
    }

    /// An event has come.
    pub fn event(&mut self) {
        (self.pinged, self.pulse) = (None, None);
    }

    /// A ping has come, so long after the stream's beginning. Those that have waited for a slow reader come too close: only two pauses that are
    /// alike tell the pulse.
    pub fn ping(&mut self, now: Duration) {
        let Some(pinged) = self.pinged.replace(now) else { return };
        let pause = now.saturating_sub(pinged);
        let before = self.pulse.replace(pause);
        if before.is_some_and(|before| pause >= SHORTEST && before.abs_diff(pause) <= pause / 4) {
            self.limit = Some((pause * 3).clamp(LEAST, USUAL));
        }
    }

    /// The longest silence; none if silence says nothing.
    #[must_use]
    pub fn limit(&self) -> Option<Duration> {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_promised_to_speak_is_doubted() {
        let mut theirs = Silence::default();
        theirs.heard(b": welcome\ndata: x\n\n");
        assert_eq!(theirs.limit(), None);
        let mut ours = Silence::default();
        ours.heard(b": sse-");
        assert_eq!(ours.limit(), None);
        ours.heard(b"bridge\nretry: 1\n");
        assert_eq!(ours.limit(), Some(USUAL));
    }

    #[test]
    fn silence_is_measured_by_the_pings() {
        let seconds = Duration::from_secs;
        let mut silence = Silence::default();
        silence.heard(OURS);
        let mut ping = |at| {
            silence.ping(seconds(at));
            silence.limit().map(|limit| limit.as_secs())
        };
        assert_eq!([ping(10), ping(12), ping(14)], [Some(45), Some(45), Some(6)]);
        assert_eq!(
            [ping(14), ping(14), ping(21), ping(36), ping(51)],
            [Some(6), Some(6), Some(6), Some(6), Some(45)],
            "a slow reader"
        );
        assert_eq!([ping(52), ping(53)], [Some(45), Some(3)]);
        silence.event();
        silence.ping(seconds(60));
        assert_eq!(silence.limit(), Some(LEAST), "an event came between");
    }
}
