//! Turns and failures of keys whose stored form is a slow hash: what a node may spend on them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::window::{Window, WindowFull, WindowPermit};
use quick_cache::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::failures::TooManyFailures;

/// Hashes computed at a time, by all callers and by guessers.
const MAX_CONCURRENT: (usize, usize) = (2, 1);
/// How long a check waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(1);
/// Failures a minute for one key.
const FAILURES: u64 = 30;
/// Most keys whose failures are counted. One takes two KiB.
const COUNTED: usize = 4_096;

type FailureWindow = Arc<Mutex<Window>>;

/// Turns and failures of slow hashes.
pub(crate) struct SlowKeys {
    everybody: Arc<Semaphore>,
    guessers: Arc<Semaphore>,
    failures: Cache<KeyId, FailureWindow>,
}

/// A turn to compute hashes. It lasts until the computation has ended, even if the caller is gone.
pub(super) struct Turn {
    _everybody: OwnedSemaphorePermit,
    _guesser: Option<OwnedSemaphorePermit>,
}

impl SlowKeys {
    pub(crate) fn new() -> Self {
        Self {
            everybody: Arc::new(Semaphore::new(MAX_CONCURRENT.0)),
            guessers: Arc::new(Semaphore::new(MAX_CONCURRENT.1)),
            failures: Cache::new(COUNTED),
        }
    }

    /// Waits for a turn. `None`: it did not come in time.
    pub(super) async fn turn(&self, is_guesser: bool) -> Option<Turn> {
        let acquiring = async {
            let guesser = if is_guesser {
                Some(Arc::clone(&self.guessers).acquire_owned().await.ok()?)
            } else {
                None
            };
            let everybody = Arc::clone(&self.everybody).acquire_owned().await.ok()?;
            Some(Turn { _everybody: everybody, _guesser: guesser })
        };
        timeout(TURN_TIMEOUT, acquiring).await.ok().flatten()
    }

    /// Counts a failed attempt before it is known to be one.
    pub(super) fn count(
        &self,
        key: KeyId,
        now: Duration,
    ) -> Result<CountedAttempt, TooManyFailures> {
        let new = || Ok::<_, Infallible>(FailureWindow::default());
        let window = match self.failures.get_or_insert_with(&key, new) {
            Ok(window) => window,
            Err(never) => match never {},
        };
        // Outside the `match`, whose scrutinee would hold the lock until its end.
        let permit = lock(&window).acquire(now, 1, FAILURES);
        match permit {
            Ok(permit) => Ok(CountedAttempt(window, permit)),
            Err(WindowFull { used, retry_after, .. }) => Err(TooManyFailures {
                what: "failed attempts",
                of: "for this key, which is checked slowly until its first use",
                used,
                limit: FAILURES,
                retry_after: retry_after.unwrap_or_default(),
            }),
        }
    }

    /// Drops keys without failures in the last minute.
    pub(crate) fn forget_idle(&self, now: Duration) {
        self.failures.retain(|_, window| !lock(window).is_idle(now));
    }
}

/// An attempt counted as failed.
pub(super) struct CountedAttempt(FailureWindow, WindowPermit);

impl CountedAttempt {
    /// Uncounts an attempt that did not fail.
    pub(super) fn release(self) {
        lock(&self.0).release(self.1);
    }
}

fn lock(window: &Mutex<Window>) -> MutexGuard<'_, Window> {
    // Each step leaves a window consistent, even if a thread panicked while holding the lock.
    window.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use latchkey_domain::time::Timestamp;

    use super::*;

    #[tokio::test]
    async fn guessers_share_one_of_two_turns() {
        let keys = SlowKeys::new();
        let first = keys.turn(true).now_or_never().flatten();
        assert!(first.is_some());
        assert!(keys.turn(true).now_or_never().is_none(), "it waits");
        let second = keys.turn(false).now_or_never().flatten();
        assert!(second.is_some());
        assert!(keys.turn(false).await.is_none(), "it did not come within a second");
        drop(first);
        assert!(keys.turn(true).now_or_never().flatten().is_some());
    }

    #[test]
    fn failures_of_one_key_hold_up_no_other() {
        let keys = SlowKeys::new();
        let key = |last| KeyId::new(Timestamp::from_millis(0), [last; 10]);
        for _ in 0..FAILURES {
            assert!(keys.count(key(1), Duration::ZERO).is_ok());
            keys.count(key(2), Duration::ZERO).ok().unwrap().release();
        }
        let full = keys.count(key(1), Duration::ZERO).err().unwrap();
        assert_eq!((full.used, full.limit), (30, 30));
        assert!(keys.count(key(2), Duration::ZERO).is_ok());
        assert!(keys.count(key(1), Duration::from_secs(61)).is_ok());
        keys.forget_idle(Duration::from_secs(200));
        assert!(keys.failures.is_empty());
    }
}
