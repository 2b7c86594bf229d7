//! For how long this node may believe what it has cached.
//!
//! A node can't see that a notification was lost. So it proves the way: on PostgreSQL it sends
//! itself a heartbeat by the same way every 200 ms (`crate::invalidation`). As notifications come
//! in order, one that comes back shows that every change that was committed before it was *sent*
//! has been heard of, and the cache may be believed until [`VALIDITY`] after that moment. Each
//! heartbeat that comes back renews it; if none does, it ends by itself, and nobody has to notice
//! that something is broken.
//!
//! *Consistency.* The time is monotonic and goes on while the machine sleeps: a process that stood
//! still finds its trust over when it goes on. It is never moved back by an older heartbeat.
//!
//! *Failure.* Without trust each check asks the database. It is the state at the start, too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// For how long after it was last sure to have heard of every change a node may believe its cache.
/// Every process refuses a revoked key within one second, notified or not; the rest leaves room for
/// a slow machine.
pub(crate) const VALIDITY: Duration = Duration::from_millis(700);

/// The moment until which the cache may be believed, on the monotonic clock. At first it may not.
#[derive(Debug, Default)]
pub(crate) struct CacheValidity(AtomicU64);

impl CacheValidity {
    /// Every change that was committed before `asked_at` has been heard of.
    pub(crate) fn renew(&self, asked_at: Duration) {
        self.0.fetch_max(millis(asked_at + VALIDITY), Ordering::AcqRel);
    }

    /// A change may have been missed.
    pub(crate) fn end(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// Whether the cache may be believed at `now`.
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
    fn trust_ends_by_itself_and_is_never_shortened_by_an_older_word() {
        let trust = CacheValidity::default();
        let at = Duration::from_secs(10);
        assert!(!trust.holds(Duration::ZERO), "not before anything was heard");
        trust.renew(at);
        trust.renew(Duration::from_secs(9));
        assert!(trust.holds(at + Duration::from_millis(699)));
        assert!(!trust.holds(at + VALIDITY));
        trust.renew(at);
        trust.end();
        assert!(!trust.holds(at));
    }
}
