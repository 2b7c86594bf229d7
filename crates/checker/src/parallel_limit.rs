//! Limits the concurrent gateway calls of a key, a project or an organization on this node.
//!
//! Rate limits bound how often calls start. Long calls, streams above all, also hold connections,
//! memory and reservations while they last, and that needs its own limit. The limit holds on each
//! node: it is kept in memory and protects the node, and several nodes together run up to as many
//! times the limit. Only calls under a limit are counted, so a limit that is set anew counts the
//! calls that start after it.

use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sea_orm::prelude::Uuid;

use crate::budget_owner::BudgetOwner;
use latchkey_store::id_map::IdMap;

/// Number of lock shards. A lock is held for an addition.
const SHARDS: usize = 64;

/// Number of calls in progress, by owner of a limit.
pub(crate) struct ParallelCalls([Mutex<IdMap<Uuid, u64>>; SHARDS]);

impl ParallelCalls {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    /// Counts one more call if fewer than `limit` are in progress. The error is their number.
    pub(crate) fn acquire(&self, owner: BudgetOwner, limit: u64) -> Result<(), u64> {
        match self.shard(owner).entry(owner.uuid()) {
            Entry::Occupied(calls) if *calls.get() >= limit => Err(*calls.get()),
            Entry::Occupied(mut calls) => {
                *calls.get_mut() += 1;
                Ok(())
            }
            Entry::Vacant(calls) => {
                calls.insert(1);
                Ok(())
            }
        }
    }

    pub(crate) fn release(&self, owner: BudgetOwner) {
        if let Entry::Occupied(mut calls) = self.shard(owner).entry(owner.uuid()) {
            *calls.get_mut() -= 1;
            if *calls.get() == 0 {
                calls.remove();
            }
        }
    }

    /// Number of the owner's calls in progress.
    pub(crate) fn count(&self, owner: BudgetOwner) -> u64 {
        self.shard(owner).get(&owner.uuid()).copied().unwrap_or_default()
    }

    fn shard(&self, owner: BudgetOwner) -> MutexGuard<'_, IdMap<Uuid, u64>> {
        let last = owner.uuid().as_bytes()[15];
        // Each step leaves a count consistent, even if a thread panicked while holding the lock.
        self.0[usize::from(last) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::id::KeyId;
    use latchkey_domain::time::Timestamp;

    use super::*;

    fn key(last: u8) -> BudgetOwner {
        BudgetOwner::Key(KeyId::new(Timestamp::from_millis(0), [last; 10]))
    }

    #[test]
    fn call_beyond_limit_is_refused_until_another_ends() {
        let calls = ParallelCalls::new();
        assert_eq!(calls.acquire(key(1), 2), Ok(()));
        assert_eq!(calls.acquire(key(1), 2), Ok(()));
        assert_eq!(calls.acquire(key(1), 2), Err(2));
        assert_eq!(calls.acquire(key(2), 2), Ok(()), "each key has its own");
        calls.release(key(1));
        assert_eq!(calls.acquire(key(1), 2), Ok(()));
        assert_eq!(calls.acquire(key(1), 1), Err(2), "a limit that was lowered meanwhile");
    }

    #[test]
    fn idle_keys_take_no_memory() {
        let calls = ParallelCalls::new();
        for last in 0..200 {
            assert_eq!(calls.acquire(key(last), 1), Ok(()));
            calls.release(key(last));
            assert_eq!(calls.count(key(last)), 0);
        }
        assert!(calls.0.iter().all(|shard| shard.lock().unwrap().is_empty()));
    }
}
