//! Limits a key's concurrent gateway calls on this node.
//!
//! Rate limits bound how often calls start. Long calls, streams above all, also hold connections,
//! memory and reservations while they last, and that needs its own limit. Each node keeps it in
//! memory, since it protects the node.

use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use latchkey_domain::id::KeyId;

use latchkey_store::id_map::IdMap;

/// Number of lock shards. A lock is held for an addition.
const SHARDS: usize = 64;
/// Number of calls in progress, by key.
pub(crate) struct ParallelCalls([Mutex<IdMap<KeyId, u64>>; SHARDS]);

impl ParallelCalls {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    /// Counts one more call if fewer than `limit` are in progress. The error is their number.
    pub(crate) fn acquire(&self, key: KeyId, limit: u64) -> Result<(), u64> {
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

    pub(crate) fn release(&self, key: KeyId) {
        if let Entry::Occupied(mut calls) = self.shard(key).entry(key) {
            *calls.get_mut() -= 1;
            if *calls.get() == 0 {
                calls.remove();
            }
        }
    }

    /// Number of the key's calls in progress.
    pub(crate) fn count(&self, key: KeyId) -> u64 {
        self.shard(key).get(&key).copied().unwrap_or_default()
    }

    fn shard(&self, key: KeyId) -> MutexGuard<'_, IdMap<KeyId, u64>> {
        let last = key.to_bytes()[15];
        // Each step leaves a count consistent, even if a thread panicked while holding the lock.
        self.0[usize::from(last) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
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
