//! Limits how often a line is logged that every request may cause.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Pause between two such lines, on this node.
const PAUSE_MILLIS: u64 = 60_000;

/// When the next line may be logged, in milliseconds on the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct LogLimit(AtomicU64);

impl LogLimit {
    /// Whether the line may be logged at `now` (monotonic). It counts as logged then.
    pub(crate) fn admits(&self, now: Duration) -> bool {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let next = self.0.load(Ordering::Relaxed);
        let after = now.saturating_add(PAUSE_MILLIS);
        now >= next
            && self.0.compare_exchange(next, after, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_logged_once_a_minute() {
        let limit = LogLimit::default();
        let at = [0, 1, 59_999, 60_000, 60_001, 200_000].map(Duration::from_millis);
        let logged = at.map(|now| limit.admits(now));
        assert_eq!(logged, [true, false, false, true, false, true]);
    }
}
