//! The cache of key records, by digest, and of digests that no key has.
//!
//! A check must not use what a key was before a change that was answered. Two rules see to that:
//!
//! ```text
//! load     stamp of the slot -> query -> keep the record with the stamp, if it still is the slot's
//! change   commit -> next stamp for the slot, forget the record -> answer
//! get      may the cache be believed now, and is the record's stamp still the slot's? -> use it
//! ```
//!
//! What a load brought is used only while its *stamp* (the slot's generation number) is current: a
//! change to a key moves the stamp of its slot after the change is committed and before it is
//! answered, so neither a cached record nor one that a slower load brings back later can outlive
//! the change. And nothing is used unless this node is sure to hear of what other nodes change: see
//! [`CacheValidity`].
//!
//! *Consistency.* A check at the same time as a change sees the key before or after it; one that
//! begins after the change was answered sees it after. Stamps only grow, and keys share them: a
//! neighbour's change costs a key one query, never an old record. Who changes what, and how other
//! nodes hear of it: `super::key_invalidation` and `crate::invalidation`.
//!
//! *Failure.* While changes are not heard of, the cache gives nothing, and each check asks the
//! database; if that fails too, it is refused. Memory is bounded, whatever is presented. Why it is
//! so: `docs/decisions/002-key-cache-invalidation.md`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;

use crate::cache_validity::CacheValidity;
use crate::record::KeyRecord;
use latchkey_domain::digest::KeyDigest;

/// How many records are kept; the least useful leave first.
const CAPACITY: usize = 200_000;
/// How many unknown digests are kept: apart, so that a flood of guesses drives no record out.
const UNKNOWN: usize = 50_000;
/// For how long an unknown digest is kept. Stamps alone would do; this frees what nobody asks for
/// again.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);
/// Keys share stamps by slot, so that the stamps' memory is bounded. A neighbour's change costs one
/// query.
const SLOTS: usize = 4096;

/// The state of a key's slot when its load began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(u64);

#[derive(Clone)]
struct CacheEntry {
    record: Arc<KeyRecord>,
    stamp: Generation,
}

#[derive(Clone)]
struct Unknown {
    until: Duration,
    stamp: Generation,
}

/// What is known of a digest.
#[derive(Debug, Clone)]
pub(crate) enum CachedLookup {
    /// The key that has it.
    Key(Arc<KeyRecord>),
    /// No key has it.
    Unknown,
}

/// How much is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSize {
    /// Number of cached key records.
    pub keys: usize,
    /// Digests that no key has.
    pub unknown: usize,
}

pub(crate) struct KeyCache {
    records: Cache<KeyDigest, CacheEntry>,
    unknown: Cache<KeyDigest, Unknown>,
    stamps: Box<[AtomicU64]>,
    trust: CacheValidity,
}

impl KeyCache {
    pub(crate) fn new() -> Self {
        Self {
            records: Cache::new(CAPACITY),
            unknown: Cache::new(UNKNOWN),
            stamps: std::iter::repeat_with(AtomicU64::default).take(SLOTS).collect(),
            trust: CacheValidity::default(),
        }
    }

    /// What is known of `digest` and may be used. `now` is monotonic.
    pub(crate) fn get(&self, digest: &KeyDigest, now: Duration) -> Option<CachedLookup> {
        if !self.trust.holds(now) {
            return None;
        }
        let current = self.begin_load(digest);
        if let Some(entry) = self.records.get(digest) {
            return (entry.stamp == current).then_some(CachedLookup::Key(entry.record));
        }
        let unknown = self.unknown.get(digest)?;
        (unknown.stamp == current && now < unknown.until).then_some(CachedLookup::Unknown)
    }

    /// Begins a load. Take the stamp before asking the database.
    pub(crate) fn begin_load(&self, digest: &KeyDigest) -> Generation {
        Generation(self.slot(digest).load(Ordering::Acquire))
    }

    /// Keeps what a load brought, at `now`. False: the key was changed meanwhile and it must not be
    /// used.
    pub(crate) fn finish_load(
        &self,
        digest: KeyDigest,
        stamp: Generation,
        known: &CachedLookup,
        now: Duration,
    ) -> bool {
        let current = self.begin_load(&digest) == stamp;
        match known {
            _ if !current => {}
            CachedLookup::Key(record) => {
                self.records.insert(digest, CacheEntry { record: Arc::clone(record), stamp });
            }
            CachedLookup::Unknown => {
                self.unknown.insert(digest, Unknown { until: now + UNKNOWN_FOR, stamp });
            }
        }
        current
    }

    /// From now on nothing is used that was loaded for `digest` before this call.
    pub(crate) fn evict(&self, digest: &KeyDigest) {
        self.slot(digest).fetch_add(1, Ordering::AcqRel);
        self.records.remove(digest);
        self.unknown.remove(digest);
    }

    /// The same for every digest.
    pub(crate) fn evict_all(&self) {
        for stamp in &self.stamps {
            stamp.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// What is cached may be used for a while: every change that was committed before `asked_at`
    /// has been heard of.
    pub(crate) fn trust(&self, asked_at: Duration) {
        self.trust.renew(asked_at);
    }

    /// What is cached may not be used until [`Self::trust`].
    pub(crate) fn distrust(&self) {
        self.trust.end();
    }

    /// Whether what is cached may be used at `now`.
    pub(crate) fn is_trusted(&self, now: Duration) -> bool {
        self.trust.holds(now)
    }

    pub(crate) fn size(&self) -> CacheSize {
        CacheSize { keys: self.records.len(), unknown: self.unknown.len() }
    }

    fn slot(&self, digest: &KeyDigest) -> &AtomicU64 {
        let [first, second, ..] = *digest.as_bytes();
        &self.stamps[usize::from(u16::from_be_bytes([first, second])) % SLOTS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(10);

    fn digest() -> KeyDigest {
        KeyDigest::new([7; 32])
    }

    fn key() -> CachedLookup {
        CachedLookup::Key(Arc::new(crate::record::tests::record()))
    }

    fn trusted() -> KeyCache {
        let cache = KeyCache::new();
        cache.trust(NOW);
        cache
    }

    fn is_known(cache: &KeyCache, now: Duration) -> bool {
        cache.get(&digest(), now).is_some()
    }

    #[test]
    fn load_from_before_a_change_never_restores_old_record() {
        for known in [key(), CachedLookup::Unknown] {
            let cache = trusted();
            let stamp = cache.begin_load(&digest());
            cache.evict(&digest());
            assert!(!cache.finish_load(digest(), stamp, &known, NOW));
            assert!(!is_known(&cache, NOW));
        }
    }

    #[test]
    fn an_eviction_ends_what_is_cached() {
        for known in [key(), CachedLookup::Unknown] {
            let cache = trusted();
            let keep = || cache.finish_load(digest(), cache.begin_load(&digest()), &known, NOW);
            assert!(keep());
            assert!(is_known(&cache, NOW));
            cache.evict(&digest());
            assert!(!is_known(&cache, NOW));
            assert!(keep());
            cache.evict_all();
            assert!(!is_known(&cache, NOW));
        }
    }

    #[test]
    fn nothing_is_used_unless_changes_are_heard_of() {
        let cache = KeyCache::new();
        assert!(cache.finish_load(digest(), cache.begin_load(&digest()), &key(), NOW));
        assert!(!is_known(&cache, NOW), "nobody listens yet");
        cache.trust(NOW);
        assert!(is_known(&cache, NOW + Duration::from_millis(699)));
        assert!(!is_known(&cache, NOW + Duration::from_millis(700)), "nobody listens any more");
        cache.trust(NOW);
        cache.distrust();
        assert!(!is_known(&cache, NOW));
    }

    #[test]
    fn an_unknown_digest_is_asked_for_again_after_a_while() {
        let cache = trusted();
        cache.finish_load(digest(), cache.begin_load(&digest()), &CachedLookup::Unknown, NOW);
        assert!(is_known(&cache, NOW));
        cache.trust(NOW + UNKNOWN_FOR);
        assert!(!is_known(&cache, NOW + UNKNOWN_FOR));
    }

    #[test]
    fn a_flood_of_guesses_is_bounded_and_drives_no_record_out() {
        let cache = trusted();
        cache.finish_load(digest(), cache.begin_load(&digest()), &key(), NOW);
        for guess in 0..3 * UNKNOWN {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&guess.to_be_bytes());
            let guess = KeyDigest::new(bytes);
            cache.finish_load(guess, cache.begin_load(&guess), &CachedLookup::Unknown, NOW);
        }
        assert!(is_known(&cache, NOW));
        assert!(cache.size().unknown <= UNKNOWN, "{:?}", cache.size());
    }
}
