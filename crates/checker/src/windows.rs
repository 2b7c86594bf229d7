//! The sliding windows of the keys that have a limit per minute, in this process.
//!
//! A key has a [`Window`] for its requests and one for its tokens, made with its first call and
//! dropped after a minute without one ([`RateWindows::forget_idle`]). The window itself says how it
//! counts: in no 60 seconds more is admitted than the limit, and it errs by less than a second,
//! always on the strict side. This module finds a key's window and locks it.
//!
//! *Consistency.* A call looks and takes under one lock, which is held for a few additions and
//! never across an `await`: of two calls at once only one gets the last request. Times are
//! monotonic, so a clock that is set frees nothing. Other nodes have windows of their own; those
//! that all nodes share are in Redis, see [`super::redis_limiter`].
//!
//! *Failure.* There is none while the process lives. A process that dies forgets what it has
//! admitted, and begins a new minute when it is back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::window::{Window, WindowFull, WindowPermit, WindowState};

use latchkey_store::id_map::IdMap;

/// Keys are spread over this many locks, each held for the time of a few additions.
const SHARDS: usize = 64;

/// One window for each key that was used in the last minute and has the limit.
pub(crate) struct RateWindows([Mutex<IdMap<KeyId, Box<Window>>>; SHARDS]);

impl RateWindows {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    /// Takes `amount` of a key's `limit`, all of it or none, and says where the window stands then.
    pub(crate) fn acquire(
        &self,
        key: KeyId,
        now: Duration,
        amount: u64,
        limit: u64,
    ) -> Result<(WindowPermit, WindowState), WindowFull> {
        let mut shard = self.shard(key);
        let window = shard.entry(key).or_default();
        let taken = window.acquire(now, amount, limit)?;
        Ok((taken, window.state(now, limit)))
    }

    /// Counts what was admitted elsewhere, whatever is left.
    pub(crate) fn count(&self, key: KeyId, now: Duration, amount: u64) -> WindowPermit {
        self.shard(key).entry(key).or_default().count(now, amount)
    }

    /// Takes of what is left of a key's `limit` as much as `amount` says, all of it or none.
    pub(crate) fn take_of_left(
        &self,
        key: KeyId,
        now: Duration,
        amount: impl Fn(u64) -> u64,
        limit: u64,
    ) -> Result<(WindowPermit, WindowState), WindowFull> {
        let mut shard = self.shard(key);
        let window = shard.entry(key).or_default();
        let left = window.state(now, limit).remaining;
        let taken = window.acquire(now, amount(left), limit)?;
        Ok((taken, window.state(now, limit)))
    }

    /// Puts what a call really used in the place of what it had taken ahead.
    pub(crate) fn settle(&self, key: KeyId, now: Duration, taken: WindowPermit, used: u64) {
        self.shard(key).entry(key).or_default().settle(now, taken, used);
    }

    /// Gives back what a call had taken that was refused for another reason.
    pub(crate) fn release(&self, key: KeyId, taken: WindowPermit) {
        if let Some(window) = self.shard(key).get_mut(&key) {
            window.release(taken);
        }
    }

    /// What taking `amount` would come to, which is not taken.
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

    /// What was admitted to a key in the last `seconds`.
    pub(crate) fn recent(&self, key: KeyId, now: Duration, seconds: u64) -> u64 {
        self.shard(key).get_mut(&key).map_or(0, |window| window.recent(now, seconds))
    }

    /// Forgets the keys that were not used in the last minute.
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
    // A window is whole after each of its steps, whatever happened to the thread that held it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
