//! Sliding windows in this process, for keys with a limit per minute.
//!
//! A key has one [`Window`] for its requests and one for its tokens. It is created by the key's
//! first call and dropped after a minute without calls ([`RateWindows::forget_idle`]). A window
//! never admits more than the limit in any 60 seconds. It errs by less than a second, always on the
//! strict side. This module finds a key's window and locks it.
//!
//! *Consistency.* A call reads and acquires under one lock, which is held for a few additions and
//! never across an `await`. So only one of two concurrent calls gets the last request. Times are
//! monotonic, so setting the clock frees nothing. Other nodes have their own windows; the windows
//! shared by all nodes are in Redis, see [`super::redis_limiter`].
//!
//! *Failure.* Nothing fails while the process lives. A process that restarts has forgotten what it
//! admitted and starts with empty windows.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::window::{Window, WindowFull, WindowPermit, WindowState};

use latchkey_store::id_map::IdMap;

/// Number of lock shards. A lock is held for a few additions.
const SHARDS: usize = 64;

/// One window for each key that has the limit and was used in the last minute.
pub(crate) struct RateWindows([Mutex<IdMap<KeyId, Box<Window>>>; SHARDS]);

impl RateWindows {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    /// Acquires `amount` of a key's `limit`, all or nothing, and returns the window's state after
    /// that.
    pub(crate) fn acquire(
        &self,
        key: KeyId,
        now: Duration,
        amount: u64,
        limit: u64,
    ) -> Result<(WindowPermit, WindowState), WindowFull> {
        let mut shard = self.shard(key);
        let window = shard.entry(key).or_default();
        let permit = window.acquire(now, amount, limit)?;
        Ok((permit, window.state(now, limit)))
    }

    /// Counts what Redis has admitted, without checking the limit.
    pub(crate) fn count(&self, key: KeyId, now: Duration, amount: u64) -> WindowPermit {
        self.shard(key).entry(key).or_default().count(now, amount)
    }

    /// Acquires the part of what is left that `amount` returns, all or nothing.
    pub(crate) fn acquire_of_left(
        &self,
        key: KeyId,
        now: Duration,
        amount: impl Fn(u64) -> u64,
        limit: u64,
    ) -> Result<(WindowPermit, WindowState), WindowFull> {
        let mut shard = self.shard(key);
        let window = shard.entry(key).or_default();
        let left = window.state(now, limit).remaining;
        let permit = window.acquire(now, amount(left), limit)?;
        Ok((permit, window.state(now, limit)))
    }

    /// Replaces a reservation with actual usage.
    pub(crate) fn settle(&self, key: KeyId, now: Duration, permit: WindowPermit, used: u64) {
        self.shard(key).entry(key).or_default().settle(now, permit, used);
    }

    /// Releases the reservation of a call that was refused for another reason.
    pub(crate) fn release(&self, key: KeyId, permit: WindowPermit) {
        if let Some(window) = self.shard(key).get_mut(&key) {
            window.release(permit);
        }
    }

    /// Result of acquiring `amount`, without acquiring it.
    pub(crate) fn peek(
        &self,
        key: KeyId,
        now: Duration,
        amount: u64,
        limit: u64,
    ) -> Result<WindowState, WindowFull> {
        match self.shard(key).get_mut(&key) {
            Some(window) => window.peek(now, amount, limit),
            None => Window::default().peek(now, amount, limit),
        }
    }

    /// Amount that a key was admitted in the last `seconds`.
    pub(crate) fn recent(&self, key: KeyId, now: Duration, seconds: u64) -> u64 {
        self.shard(key).get_mut(&key).map_or(0, |window| window.recent(now, seconds))
    }

    /// Drops the windows of keys that were not used in the last minute.
    pub(crate) fn forget_idle(&self, now: Duration) {
        for shard in &self.0 {
            lock(shard).retain(|_, window| !window.is_idle(now));
        }
    }

    fn shard(&self, key: KeyId) -> MutexGuard<'_, IdMap<KeyId, Box<Window>>> {
        let last = key.to_bytes()[15];
        lock(&self.0[usize::from(last) % SHARDS])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each step leaves a window consistent, even if a thread panicked while holding the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
