//! Tokens reserved by a key's calls in progress on this node.
//!
//! Reserved is not spent: most of it is released when the call settles. A call that fits what is
//! spent, but not what is reserved, waits briefly for that instead of being refused for the rest of
//! the period.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use latchkey_domain::id::KeyId;
use tokio::sync::Notify;

use latchkey_store::id_map::IdMap;

/// Number of lock shards. A lock is held for an addition.
const SHARDS: usize = 64;

#[derive(Default)]
struct Entry {
    calls: u64,
    tokens: u64,
    settled: Arc<Notify>,
}

/// Keys that have reservations.
pub(crate) struct InProgress([Mutex<IdMap<KeyId, Entry>>; SHARDS]);

/// Reservations of a key's calls in progress.
#[derive(Debug, Clone)]
pub(crate) struct ReservedByCalls {
    pub(crate) calls: u64,
    pub(crate) tokens: u64,
    /// Notified when one of them settles.
    pub(crate) settled: Arc<Notify>,
}

impl InProgress {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    /// Reservations of a key. `None` if no call is in progress.
    pub(crate) fn of(&self, key: KeyId) -> Option<ReservedByCalls> {
        let shard = self.shard(key);
        let entry = shard.get(&key)?;
        let Entry { calls, tokens, settled } = entry;
        Some(ReservedByCalls { calls: *calls, tokens: *tokens, settled: Arc::clone(settled) })
    }

    pub(crate) fn add(&self, key: KeyId, tokens: u64) {
        let mut shard = self.shard(key);
        let entry = shard.entry(key).or_default();
        entry.calls += 1;
        entry.tokens = entry.tokens.saturating_add(tokens);
    }

    pub(crate) fn remove(&self, key: KeyId, tokens: u64) {
        let mut shard = self.shard(key);
        let Some(entry) = shard.get_mut(&key) else { return };
        entry.calls = entry.calls.saturating_sub(1);
        entry.tokens = entry.tokens.saturating_sub(tokens);
        entry.settled.notify_waiters();
        if entry.calls == 0 {
            shard.remove(&key);
        }
    }

    fn shard(&self, key: KeyId) -> MutexGuard<'_, IdMap<KeyId, Entry>> {
        let last = key.to_bytes()[15];
        // Each step leaves an entry consistent, even if a thread panicked while holding the lock.
        self.0[usize::from(last) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::time::Timestamp;

    use super::*;

    #[test]
    fn idle_keys_take_no_memory() {
        let calls = InProgress::new();
        let key = KeyId::new(Timestamp::from_millis(0), [7; 10]);
        calls.add(key, 30);
        calls.add(key, 12);
        let reserved = calls.of(key).unwrap();
        assert_eq!((reserved.calls, reserved.tokens), (2, 42));
        calls.remove(key, 30);
        assert_eq!(calls.of(key).unwrap().tokens, 12);
        calls.remove(key, 12);
        assert!(calls.of(key).is_none());
        assert!(calls.0.iter().all(|shard| shard.lock().unwrap().is_empty()));
    }
}
