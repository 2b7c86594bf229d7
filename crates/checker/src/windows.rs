//! Sliding windows in this process, for keys, projects and organizations with a limit per minute.
//!
//! Each owner of such a limit has one [`Window`] for its requests and one for its tokens. It is
//! created by the owner's first call and dropped after a minute without calls
//! ([`RateWindows::forget_idle`]). A window never admits more than the limit in any 60 seconds. It
//! errs by less than a second, always on the strict side. This module finds an owner's window and
//! locks it.
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

use latchkey_domain::window::{Window, WindowFull, WindowPermit, WindowState};
use sea_orm::prelude::Uuid;

use crate::budget_owner::BudgetOwner;
use latchkey_store::id_map::IdMap;

/// Number of lock shards. A lock is held for a few additions.
const SHARDS: usize = 64;

/// One window for each owner that has the limit and was used in the last minute.
pub(crate) struct RateWindows([Mutex<IdMap<Uuid, Box<Window>>>; SHARDS]);

impl RateWindows {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    /// Acquires `amount` of an owner's `limit`, all or nothing, and returns the window's state
    /// after that.
    pub(crate) fn acquire(
        &self,
        owner: BudgetOwner,
        now: Duration,
        amount: u64,
        limit: u64,
    ) -> Result<(WindowPermit, WindowState), WindowFull> {
        let mut shard = self.shard(owner);
        let window = shard.entry(owner.uuid()).or_default();
        let permit = window.acquire(now, amount, limit)?;
        Ok((permit, window.state(now, limit)))
    }

    /// Counts what Redis has admitted, without checking the limit.
    pub(crate) fn count(&self, owner: BudgetOwner, now: Duration, amount: u64) -> WindowPermit {
        self.shard(owner).entry(owner.uuid()).or_default().count(now, amount)
    }

    /// Acquires the part of what is left that `amount` returns, all or nothing.
    pub(crate) fn acquire_of_left(
        &self,
        owner: BudgetOwner,
        now: Duration,
        amount: impl Fn(u64) -> u64,
        limit: u64,
    ) -> Result<(WindowPermit, WindowState), WindowFull> {
        let mut shard = self.shard(owner);
        let window = shard.entry(owner.uuid()).or_default();
        let left = window.state(now, limit).remaining;
        let permit = window.acquire(now, amount(left), limit)?;
        Ok((permit, window.state(now, limit)))
    }

    /// Replaces a reservation with actual usage.
    pub(crate) fn settle(
        &self,
        owner: BudgetOwner,
        now: Duration,
        permit: WindowPermit,
        used: u64,
    ) {
        let mut shard = self.shard(owner);
        shard.entry(owner.uuid()).or_default().settle(now, permit, used);
    }

    /// Releases the reservation of a call that was refused for another reason.
    pub(crate) fn release(&self, owner: BudgetOwner, permit: WindowPermit) {
        if let Some(window) = self.shard(owner).get_mut(&owner.uuid()) {
            window.release(permit);
        }
    }

    /// Result of acquiring `amount`, without acquiring it.
    pub(crate) fn peek(
        &self,
        owner: BudgetOwner,
        now: Duration,
        amount: u64,
        limit: u64,
    ) -> Result<WindowState, WindowFull> {
        match self.shard(owner).get_mut(&owner.uuid()) {
            Some(window) => window.peek(now, amount, limit),
            None => Window::default().peek(now, amount, limit),
        }
    }

    /// Amount that an owner was admitted in the last `seconds`.
    pub(crate) fn recent(&self, owner: BudgetOwner, now: Duration, seconds: u64) -> u64 {
        self.shard(owner).get_mut(&owner.uuid()).map_or(0, |window| window.recent(now, seconds))
    }

    /// Drops the windows that were not used in the last minute.
    pub(crate) fn forget_idle(&self, now: Duration) {
        for shard in &self.0 {
            lock(shard).retain(|_, window| !window.is_idle(now));
        }
    }

    fn shard(&self, owner: BudgetOwner) -> MutexGuard<'_, IdMap<Uuid, Box<Window>>> {
        let last = owner.uuid().as_bytes()[15];
        lock(&self.0[usize::from(last) % SHARDS])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each step leaves a window consistent, even if a thread panicked while holding the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
