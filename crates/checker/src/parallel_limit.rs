//! Limits the concurrent gateway calls of a key, a project or an organization on this node.
//!
//! Rate limits bound how often calls start. Long calls, streams above all, also hold connections,
//! memory and reservations while they last, and that needs its own limit. These counts are of this
//! node's calls. Without Redis they are all there is: the limit holds on each node, and several
//! nodes together run up to as many times the limit. With Redis nodes count together, see
//! [`super::shared_calls`]. Only calls under a limit are counted, so a limit that is set anew
//! counts the calls that start after it.

use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sea_orm::prelude::Uuid;

use crate::budget_owner::BudgetOwner;
use latchkey_store::id_map::IdMap;

/// Number of lock shards. A lock is held for an addition.
const SHARDS: usize = 64;

/// How many calls of an owner may be in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ParallelLimit {
    pub(crate) owner: BudgetOwner,
    pub(crate) limit: u64,
}

impl ParallelLimit {
    /// The refusal of a call because `used` calls are in progress. `limit` is what this node may
    /// admit at the moment.
    pub(crate) const fn full(self, limit: u64, used: u64) -> ParallelFull {
        ParallelFull { owner: self.owner, whole: self.limit, limit, used }
    }
}

/// A limit that a call does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ParallelFull {
    pub(crate) owner: BudgetOwner,
    pub(crate) whole: u64,
    /// What this node may admit of it at the moment.
    pub(crate) limit: u64,
    pub(crate) used: u64,
}

/// Number of calls in progress, by owner of a limit.
pub(crate) struct ParallelCalls([Mutex<IdMap<Uuid, u64>>; SHARDS]);

impl ParallelCalls {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    /// Counts one more call of every owner, or of none. `share` maps a limit to what this node may
    /// admit.
    ///
    /// # Errors
    /// The first limit that is full.
    pub(crate) fn acquire(
        &self,
        limits: &[ParallelLimit],
        share: impl Fn(u64) -> u64,
    ) -> Result<(), ParallelFull> {
        for (done, asked) in limits.iter().enumerate() {
            let limit = share(asked.limit);
            if let Err(used) = self.acquire_one(asked.owner.uuid(), limit) {
                self.release(limits.iter().take(done).map(|before| before.owner));
                return Err(asked.full(limit, used));
            }
        }
        Ok(())
    }

    /// Counts one more call if fewer than `limit` are in progress. The error is their number.
    fn acquire_one(&self, owner: Uuid, limit: u64) -> Result<(), u64> {
        match self.shard(owner).entry(owner) {
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

    /// Counts a call that was admitted elsewhere, without checking the limits.
    pub(crate) fn add(&self, owners: impl IntoIterator<Item = BudgetOwner>) {
        for owner in owners {
            *self.shard(owner.uuid()).entry(owner.uuid()).or_default() += 1;
        }
    }

    pub(crate) fn release(&self, owners: impl IntoIterator<Item = BudgetOwner>) {
        for owner in owners {
            if let Entry::Occupied(mut calls) = self.shard(owner.uuid()).entry(owner.uuid()) {
                *calls.get_mut() -= 1;
                if *calls.get() == 0 {
                    calls.remove();
                }
            }
        }
    }

    /// The first limit that would refuse a call, if any. Acquires nothing.
    pub(crate) fn peek(
        &self,
        limits: &[ParallelLimit],
        share: impl Fn(u64) -> u64,
    ) -> Option<ParallelFull> {
        limits.iter().find_map(|asked| {
            let (limit, used) = (share(asked.limit), self.count(asked.owner.uuid()));
            (used >= limit).then(|| asked.full(limit, used))
        })
    }

    /// Number of an owner's calls in progress.
    pub(crate) fn count(&self, owner: Uuid) -> u64 {
        self.shard(owner).get(&owner).copied().unwrap_or_default()
    }

    /// The owners that have calls in progress: one of so many `parts` of them.
    pub(crate) fn owners(&self, part: usize, parts: usize) -> Vec<Uuid> {
        let shards = self.0.iter().skip(part).step_by(parts);
        shards.flat_map(|shard| lock(shard).keys().copied().collect::<Vec<_>>()).collect()
    }

    fn shard(&self, owner: Uuid) -> MutexGuard<'_, IdMap<Uuid, u64>> {
        lock(&self.0[usize::from(owner.as_bytes()[15]) % SHARDS])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each step leaves a count consistent, even if a thread panicked while holding the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use latchkey_domain::id::{KeyId, ProjectId};
    use latchkey_domain::time::Timestamp;

    use super::*;

    fn key(last: u8, limit: u64) -> ParallelLimit {
        let owner = BudgetOwner::Key(KeyId::new(Timestamp::from_millis(0), [last; 10]));
        ParallelLimit { owner, limit }
    }

    fn project(limit: u64) -> ParallelLimit {
        let owner = BudgetOwner::Project(ProjectId::new(Timestamp::from_millis(0), [200; 10]));
        ParallelLimit { owner, limit }
    }

    /// Acquires by the whole limits.
    fn acquire(calls: &ParallelCalls, limits: &[ParallelLimit]) -> Result<(), ParallelFull> {
        calls.acquire(limits, |limit| limit)
    }

    #[test]
    fn call_beyond_limit_is_refused_until_another_ends() {
        let calls = ParallelCalls::new();
        assert_eq!(acquire(&calls, &[key(1, 2)]), Ok(()));
        assert_eq!(acquire(&calls, &[key(1, 2)]), Ok(()));
        assert_eq!(acquire(&calls, &[key(1, 2)]), Err(key(1, 2).full(2, 2)));
        assert_eq!(acquire(&calls, &[key(2, 2)]), Ok(()), "each key has its own");
        calls.release([key(1, 2).owner]);
        assert_eq!(acquire(&calls, &[key(1, 2)]), Ok(()));
        let lowered = key(1, 1);
        assert_eq!(
            acquire(&calls, &[lowered]),
            Err(lowered.full(1, 2)),
            "it was lowered meanwhile"
        );
    }

    #[test]
    fn call_that_a_level_refuses_takes_nothing_of_any() {
        let calls = ParallelCalls::new();
        let levels = [key(1, 9), project(2)];
        assert_eq!(acquire(&calls, &levels), Ok(()));
        assert_eq!(acquire(&calls, &[key(2, 9), project(2)]), Ok(()));
        assert_eq!(acquire(&calls, &levels), Err(project(2).full(2, 2)));
        assert_eq!(calls.peek(&levels, |limit| limit), Some(project(2).full(2, 2)));
        assert_eq!(calls.count(levels[0].owner.uuid()), 1);
        calls.release(levels.map(|level| level.owner));
        assert_eq!(calls.peek(&levels, |limit| limit), None);
        let halved = calls.acquire(&levels, |limit| limit / 2);
        assert_eq!(halved, Err(project(2).full(1, 1)));
        assert_eq!(calls.count(levels[0].owner.uuid()), 0);
    }

    #[test]
    fn calls_admitted_elsewhere_count_beyond_the_limit() {
        let calls = ParallelCalls::new();
        for _ in 0..3 {
            calls.add([key(1, 2).owner]);
        }
        assert_eq!(acquire(&calls, &[key(1, 2)]), Err(key(1, 2).full(2, 3)));
    }

    #[test]
    fn parts_have_every_owner_once() {
        let calls = ParallelCalls::new();
        let keys: Vec<_> = (0..200).map(|last| key(last, 1).owner).collect();
        calls.add(keys.iter().copied());
        let mut owners: Vec<_> = (0..3).flat_map(|part| calls.owners(part, 3)).collect();
        owners.sort_unstable();
        let mut expected: Vec<_> = keys.iter().map(|owner| owner.uuid()).collect();
        expected.sort_unstable();
        assert_eq!(owners, expected);
        assert_eq!(calls.owners(0, 1).len(), 200);
    }

    #[test]
    fn idle_keys_take_no_memory() {
        let calls = ParallelCalls::new();
        for last in 0..200 {
            let limit = key(last, 1);
            assert_eq!(acquire(&calls, &[limit]), Ok(()));
            calls.release([limit.owner]);
            assert_eq!(calls.count(limit.owner.uuid()), 0);
        }
        assert!(calls.0.iter().all(|shard| shard.lock().unwrap().is_empty()));
    }
}
