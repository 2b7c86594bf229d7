//! How long this node may rely on its cache.
//!
//! A node can't detect a lost notification, so it tests the channel. On PostgreSQL it sends itself
//! a heartbeat through the same channel every 200 ms (`crate::invalidation`). Notifications arrive
//! in order. So a heartbeat that returns proves that every change committed before it was *sent*
//! has been received, and the cache is valid until [`VALIDITY`] after that moment. Each heartbeat
//! extends the validity. Without one it expires by itself; nothing has to detect the failure.
//!
//! *Consistency.* Time is monotonic and includes suspend: a process that was suspended finds its
//! cache expired. An older heartbeat never shortens the validity.
//!
//! *Failure.* Without validity every check queries the database. That is also the initial state.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long the cache stays valid after the last moment up to which all changes are known. Every
/// process has to refuse a revoked key within one second, notified or not; the rest is margin for a
/// slow machine.
pub(crate) const VALIDITY: Duration = Duration::from_millis(700);

/// End of the cache's validity, in milliseconds on the monotonic clock. Initially 0: invalid.
#[derive(Debug, Default)]
pub(crate) struct CacheValidity(AtomicU64);

impl CacheValidity {
    /// Extends the validity: every change committed before `asked_at` has been received.
    pub(crate) fn renew(&self, asked_at: Duration) {
        self.0.fetch_max(millis(asked_at + VALIDITY), Ordering::AcqRel);
    }

    /// Ends the validity: a change may have been missed.
    pub(crate) fn end(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// Whether the cache is valid at `now`.
    pub(crate) fn holds(&self, now: Duration) -> bool {
        millis(now) < self.0.load(Ordering::Acquire)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_expires_and_older_heartbeat_never_shortens_it() {
        let validity = CacheValidity::default();
        let at = Duration::from_secs(10);
        assert!(!validity.holds(Duration::ZERO), "invalid before the first heartbeat");
        validity.renew(at);
        validity.renew(Duration::from_secs(9));
        assert!(validity.holds(at + Duration::from_millis(699)));
        assert!(!validity.holds(at + VALIDITY));
        validity.renew(at);
        validity.end();
        assert!(!validity.holds(at));
    }
}
