//! The cache of key records, by digest.
//!
//! Two rules keep it honest. A record is used only while its *stamp* is current: a change to a key moves the
//! stamp of its slot after the change is committed and before it is answered, so neither a cached record nor
//! one that a slower load brings back later can outlive the change. And a record is used for at most
//! [`FRESH`] from the moment its load began, because another process on the same database may change a key
//! without this one hearing of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;

use super::KeyRecord;
use crate::digest::KeyDigest;

/// How long a record may be used without asking the database again. Every process refuses a revoked key
/// within one second; half of that leaves room for a slow machine.
const FRESH: Duration = Duration::from_millis(500);
/// How many records are kept; the least useful leave first.
const CAPACITY: usize = 100_000;
/// Keys share stamps by slot, so that the stamps' memory is bounded. A neighbour's change costs one query.
const SLOTS: usize = 4096;

struct Entry {
    record: Arc<KeyRecord>,
    ticket: Ticket,
}

/// When a load began: its record is as old as that.
#[derive(Clone, Copy)]
pub(crate) struct Ticket {
    stamp: u64,
    fresh_until: Duration,
}

pub(crate) struct KeyCache {
    records: Cache<KeyDigest, Arc<Entry>>,
    stamps: Box<[AtomicU64]>,
}

impl KeyCache {
    pub(crate) fn new() -> Self {
        Self {
            records: Cache::new(CAPACITY),
            stamps: std::iter::repeat_with(AtomicU64::default).take(SLOTS).collect(),
        }
    }

    /// The record for `digest`, if one may be used. `now` is monotonic.
    pub(crate) fn get(&self, digest: &KeyDigest, now: Duration) -> Option<Arc<KeyRecord>> {
        let entry = self.records.get(digest)?;
        let current = self.stamp(digest).load(Ordering::Acquire);
        let usable = entry.ticket.stamp == current && now < entry.ticket.fresh_until;
        usable.then(|| Arc::clone(&entry.record))
    }

    /// Begins a load. Take the ticket before asking the database.
    pub(crate) fn begin_load(&self, digest: &KeyDigest, now: Duration) -> Ticket {
        let stamp = self.stamp(digest).load(Ordering::Acquire);
        Ticket { stamp, fresh_until: now + FRESH }
    }

    /// Keeps what a load brought. False: the key was changed meanwhile and the record must not be used.
    pub(crate) fn finish_load(
        &self,
        digest: KeyDigest,
        ticket: Ticket,
        record: Arc<KeyRecord>,
    ) -> bool {
        let current = self.stamp(&digest).load(Ordering::Acquire) == ticket.stamp;
        if current {
            self.records.insert(digest, Arc::new(Entry { record, ticket }));
        }
        current
    }

    /// From now on no record is used that was loaded before this call.
    pub(crate) fn evict(&self, digest: &KeyDigest) {
        self.stamp(digest).fetch_add(1, Ordering::AcqRel);
        self.records.remove(digest);
    }

    /// The same for every record.
    pub(crate) fn evict_all(&self) {
        for stamp in &self.stamps {
            stamp.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn stamp(&self, digest: &KeyDigest) -> &AtomicU64 {
        let [first, second, ..] = *digest.as_bytes();
        &self.stamps[usize::from(u16::from_be_bytes([first, second])) % SLOTS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest() -> KeyDigest {
        KeyDigest::from_bytes(&[7; 32]).unwrap()
    }

    fn record() -> Arc<KeyRecord> {
        Arc::new(crate::check::tests::record())
    }

    #[test]
    fn a_load_that_began_before_a_change_cannot_bring_the_old_record_back() {
        let cache = KeyCache::new();
        let ticket = cache.begin_load(&digest(), Duration::ZERO);
        cache.evict(&digest());
        assert!(!cache.finish_load(digest(), ticket, record()));
        assert!(cache.get(&digest(), Duration::ZERO).is_none());
    }

    #[test]
    fn an_eviction_ends_a_cached_record() {
        let cache = KeyCache::new();
        let ticket = cache.begin_load(&digest(), Duration::ZERO);
        assert!(cache.finish_load(digest(), ticket, record()));
        assert!(cache.get(&digest(), Duration::ZERO).is_some());
        cache.evict(&digest());
        assert!(cache.get(&digest(), Duration::ZERO).is_none());
    }

    #[test]
    fn a_record_is_asked_for_again_after_half_a_second() {
        let cache = KeyCache::new();
        let begun = Duration::from_secs(10);
        let ticket = cache.begin_load(&digest(), begun);
        cache.finish_load(digest(), ticket, record());
        assert!(cache.get(&digest(), begun + Duration::from_millis(499)).is_some());
        assert!(cache.get(&digest(), begun + Duration::from_millis(500)).is_none());
    }
}
