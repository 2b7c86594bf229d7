//! Time comes in from outside, so that tests move it and never sleep.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use latchkey_domain::time::Timestamp;

/// Source of the time, injected so that tests control it.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock: for what is stored and shown. It may jump.
    fn now(&self) -> Timestamp;

    /// Time since some fixed point of this process: for what must not notice a jump of the wall
    /// clock.
    fn monotonic(&self) -> Duration;
}

/// A wait in whole seconds, as people and `Retry-After` have it: never zero, and who waits that
/// long has waited long enough.
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).max(1).try_into().unwrap_or(u64::MAX)
}

/// A clock that stands still until it is moved.
pub struct ManualClock {
    wall: AtomicI64,
    elapsed: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn starting_at(start: Timestamp) -> Self {
        Self { wall: AtomicI64::new(start.as_millis()), elapsed: AtomicI64::new(0) }
    }

    /// Moves the wall clock alone, as somebody does who sets it: `by` milliseconds, back if
    /// negative.
    pub fn set_by(&self, by: i64) {
        self.wall.fetch_add(by, Ordering::SeqCst);
    }

    /// Lets time pass, to the millisecond.
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
