//! The clock is injected, so that tests advance it and never sleep.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use latchkey_domain::time::Timestamp;

/// Source of the time.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock, for what is stored and shown. It may jump.
    fn now(&self) -> Timestamp;

    /// Time since a fixed point in this process, for durations that a jump of the wall clock must
    /// not affect.
    fn monotonic(&self) -> Duration;
}

/// A wait rounded up to whole seconds, at least one, as people and `Retry-After` express it.
/// Waiting that long is always long enough.
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).max(1).try_into().unwrap_or(u64::MAX)
}

/// A clock that moves only when it is set.
pub struct ManualClock {
    wall: AtomicI64,
    elapsed: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn starting_at(start: Timestamp) -> Self {
        Self { wall: AtomicI64::new(start.as_millis()), elapsed: AtomicI64::new(0) }
    }

    /// Sets the wall clock forward by `by` milliseconds, backward if negative. The monotonic clock
    /// does not change.
    pub fn set_by(&self, by: i64) {
        self.wall.fetch_add(by, Ordering::SeqCst);
    }

    /// Advances both clocks, with millisecond precision.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.wall.fetch_add(millis, Ordering::SeqCst);
        self.elapsed.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        let millis = self.elapsed.load(Ordering::SeqCst);
        Duration::from_millis(u64::try_from(millis).unwrap_or_default())
    }
}
