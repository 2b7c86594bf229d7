//! How many gateway calls of a key are in progress at once, on this node.
//!
//! Rates bound how often calls begin. Calls that last, streams above all, also hold connections,
//! memory and reservations for as long as they last, and that needs a bound of its own. It is kept
//! by each node in memory: what it protects is the node.

use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::limit::{DEFAULT_MAX_PARALLEL, Limit};
use latchkey_domain::outcome::Outcome;

use crate::Checker;
use crate::outcome::Denial;
use crate::record::KeyRecord;
use latchkey_store::id_map::IdMap;

/// Keys are spread over this many locks, each held for an addition.
const SHARDS: usize = 64;
/// When a refused call may try again: nobody knows when one of the others ends.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The calls in progress of the keys that have any.
pub(crate) struct ParallelCalls([Mutex<IdMap<KeyId, u64>>; SHARDS]);

impl ParallelCalls {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    /// Counts one call more, if there are fewer than `limit`; otherwise how many there are.
    fn acquire(&self, key: KeyId, limit: u64) -> Result<(), u64> {
        match self.shard(key).entry(key) {
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

    fn release(&self, key: KeyId) {
        if let Entry::Occupied(mut calls) = self.shard(key).entry(key) {
            *calls.get_mut() -= 1;
            if *calls.get() == 0 {
                calls.remove();
            }
        }
    }

    /// How many calls of the key are in progress.
    pub(crate) fn count(&self, key: KeyId) -> u64 {
        self.shard(key).get(&key).copied().unwrap_or_default()
    }

    fn shard(&self, key: KeyId) -> MutexGuard<'_, IdMap<KeyId, u64>> {
        let last = key.as_uuid().as_bytes()[15];
        // A count is whole after each of its steps, whatever happened to the thread that held it.
        self.0[usize::from(last) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the calls that a key may have in progress, until it is dropped.
#[must_use]
pub struct CallSlot {
    checker: Checker,
    key: KeyId,
}

impl CallSlot {
    /// Takes a place among the key's calls.
    ///
    /// # Errors
    /// The [`Denial`]: all are taken.
    pub(crate) fn acquire(checker: &Checker, key: &KeyRecord) -> Result<Self, Box<Denial>> {
        let limit = limit(key);
        match checker.parallel.acquire(key.id, limit) {
            Ok(()) => Ok(Self { checker: checker.clone(), key: key.id }),
            Err(used) => Err(Box::new(full(limit, used))),
        }
    }
}

impl Drop for CallSlot {
    fn drop(&mut self) {
        self.checker.parallel.release(self.key);
    }
}

/// How many calls a key may have in progress.
fn limit(key: &KeyRecord) -> u64 {
    key.extended().max_parallel.map_or(DEFAULT_MAX_PARALLEL, Limit::get)
}

/// What a call would be refused with now; nothing is taken.
pub(crate) fn peek(checker: &Checker, key: &KeyRecord) -> Option<Denial> {
    let (limit, used) = (limit(key), checker.parallel.count(key.id));
    (used >= limit).then(|| full(limit, used))
}

fn full(limit: u64, used: u64) -> Denial {
    Denial {
        detail: format!(
            "max_parallel {limit} reached: {used} calls of this key are in progress. Retry when \
             one has finished."
        ),
        retry_after: Some(RETRY_AFTER),
        ..Denial::of(Outcome::TooManyParallelRequests)
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::time::Timestamp;

    use super::*;

    fn key(last: u8) -> KeyId {
        KeyId::new(Timestamp::from_millis(0), [last; 10])
    }

    #[test]
    fn calls_beyond_the_limit_wait_for_another_to_end() {
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
    fn keys_without_calls_take_no_memory() {
        let calls = ParallelCalls::new();
        for last in 0..200 {
            assert_eq!(calls.acquire(key(last), 1), Ok(()));
            calls.release(key(last));
            assert_eq!(calls.count(key(last)), 0);
        }
        assert!(calls.0.iter().all(|shard| shard.lock().unwrap().is_empty()));
    }
}
