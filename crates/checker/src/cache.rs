//! Cache of key records by digest, and of digests that belong to no key.
//!
//! A check must not use a key's state from before a change that was acknowledged. Two rules ensure
//! that:
//!
//! ```text
//! load     generation of the slot -> query -> cache the record if the generation is the same
//! change   commit -> increment the slot's generation, remove the record -> respond
//! get      is the cache valid now, and is the record's generation current? -> use it
//! ```
//!
//! A loaded record is used only while its *generation* is the current one of its slot. A change to
//! a key increments the generation after the commit and before the response. So neither a cached
//! record nor one from a slower concurrent load can outlive the change. And nothing is used unless
//! this node is certain to receive other nodes' invalidations: see [`CacheValidity`].
//!
//! *Consistency.* A check concurrent with a change sees the key before or after it. A check that
//! begins after the change was acknowledged sees it after. Generations only grow, and keys share
//! them by slot: another key's change costs one query, never a stale record. For how changes reach
//! this node and others, see `super::key_invalidation` and `crate::invalidation`.
//!
//! *Failure.* While invalidations may be missed, the cache returns nothing and every check queries
//! the database; if that fails too, the check is refused. Memory is bounded, whatever callers
//! present. For the reasons see `docs/decisions/002-key-cache-invalidation.md`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::cache_validity::CacheValidity;
use crate::record::KeyRecord;
use latchkey_domain::digest::KeyDigest;

/// Most cached records; the least used are evicted first.
const CAPACITY: usize = 200_000;
/// Bytes of texts for which a record takes another place. Most records have far fewer; one with all
/// attributes has 16 KiB, and 200,000 of these would fill the memory.
const BYTES_OF_PLACE: usize = 1_024;
/// Most cached unknown digests. They have their own cache, so that a flood of guesses evicts no
/// record.
const UNKNOWN: usize = 50_000;
/// How long an unknown digest is cached. Correctness needs only the generation; this frees memory.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);
/// Number of generations, which keys share by slot to bound memory. Another key's change in the
/// slot costs one query.
const SLOTS: usize = 4096;

/// Generation of a key's slot when its load began. Two are equal if the key has not changed between
/// them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Generation {
    slot: u64,
    /// Number of imports until then. What was unknown before one may be a key after it.
    imports: u64,
}

impl PartialEq for Generation {
    fn eq(&self, other: &Self) -> bool {
        self.slot == other.slot
    }
}

impl Eq for Generation {}

#[derive(Clone)]
struct CacheEntry {
    record: Arc<KeyRecord>,
    generation: Generation,
    /// Number of places of [`CAPACITY`] that it takes.
    places: u64,
}

/// Limits the cache by memory and not by the number of its records.
#[derive(Clone)]
struct PlacesOfEntry;

impl Weighter<KeyDigest, CacheEntry> for PlacesOfEntry {
    fn weight(&self, _: &KeyDigest, entry: &CacheEntry) -> u64 {
        entry.places
    }
}

#[derive(Clone)]
struct Unknown {
    until: Duration,
    generation: Generation,
}

/// Cached result of a lookup.
#[derive(Debug, Clone)]
pub(crate) enum CachedLookup {
    /// Record of the key with this digest.
    Key(Arc<KeyRecord>),
    /// No key has this digest.
    Unknown,
}

/// Number of cache entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSize {
    /// Number of cached key records.
    pub keys: usize,
    /// Number of cached digests that belong to no key.
    pub unknown: usize,
}

pub(crate) struct KeyCache {
    records: Cache<KeyDigest, CacheEntry, PlacesOfEntry>,
    unknown: Cache<KeyDigest, Unknown>,
    generations: Box<[AtomicU64]>,
    imports: AtomicU64,
    validity: CacheValidity,
}

impl KeyCache {
    pub(crate) fn new() -> Self {
        Self {
            records: Cache::with_weighter(CAPACITY, CAPACITY as u64, PlacesOfEntry),
            unknown: Cache::new(UNKNOWN),
            generations: std::iter::repeat_with(AtomicU64::default).take(SLOTS).collect(),
            imports: AtomicU64::default(),
            validity: CacheValidity::default(),
        }
    }

    /// Cached result for `digest`, if it is valid. `now` is monotonic.
    pub(crate) fn get(&self, digest: &KeyDigest, now: Duration) -> Option<CachedLookup> {
        if !self.validity.holds(now) {
            return None;
        }
        let current = self.begin_load(digest);
        if let Some(entry) = self.records.get(digest) {
            return (entry.generation == current).then_some(CachedLookup::Key(entry.record));
        }
        let unknown = self.unknown.get(digest)?;
        let is_current =
            unknown.generation == current && unknown.generation.imports == current.imports;
        (is_current && now < unknown.until).then_some(CachedLookup::Unknown)
    }

    /// Current generation of the digest's slot. A load reads it before querying the database, and
    /// its result is valid while it is the same.
    pub(crate) fn begin_load(&self, digest: &KeyDigest) -> Generation {
        let imports = self.imports.load(Ordering::Acquire);
        Generation { slot: self.slot(digest).load(Ordering::Acquire), imports }
    }

    /// Caches a loaded result at `now`. Returns false if the key changed during the load: the
    /// result must not be used then.
    pub(crate) fn finish_load(
        &self,
        digest: KeyDigest,
        generation: Generation,
        known: &CachedLookup,
        now: Duration,
    ) -> bool {
        let current = self.begin_load(&digest) == generation;
        match known {
            _ if !current => {}
            CachedLookup::Key(record) => {
                let record = Arc::clone(record);
                let places = 1 + (record.variable_bytes() / BYTES_OF_PLACE) as u64;
                self.records.insert(digest, CacheEntry { record, generation, places });
            }
            CachedLookup::Unknown => {
                self.unknown.insert(digest, Unknown { until: now + UNKNOWN_FOR, generation });
            }
        }
        current
    }

    /// Invalidates everything loaded for `digest` before this call, including loads in progress.
    pub(crate) fn evict(&self, digest: &KeyDigest) {
        self.slot(digest).fetch_add(1, Ordering::AcqRel);
        self.records.remove(digest);
        self.unknown.remove(digest);
    }

    /// Same as [`Self::evict`], for every digest. Entries stay in memory until they are replaced,
    /// but [`Self::get`] returns none of them.
    pub(crate) fn evict_all(&self) {
        for generation in &self.generations {
            generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Invalidates what is known to be no key, including loads in progress: keys were imported, or
    /// texts are looked up in more projects. Keys stay valid.
    pub(crate) fn forget_unknown(&self) {
        self.imports.fetch_add(1, Ordering::AcqRel);
    }

    /// Marks the cache valid for a while: all changes committed before `asked_at` have been
    /// applied.
    pub(crate) fn extend_validity(&self, asked_at: Duration) {
        self.validity.renew(asked_at);
    }

    /// Marks the cache invalid until the next [`Self::extend_validity`].
    pub(crate) fn end_validity(&self) {
        self.validity.end();
    }

    /// Whether the cache is valid at `now`.
    pub(crate) fn is_valid(&self, now: Duration) -> bool {
        self.validity.holds(now)
    }

    pub(crate) fn size(&self) -> CacheSize {
        CacheSize { keys: self.records.len(), unknown: self.unknown.len() }
    }

    fn slot(&self, digest: &KeyDigest) -> &AtomicU64 {
        let [first, second, ..] = *digest.as_bytes();
        &self.generations[usize::from(u16::from_be_bytes([first, second])) % SLOTS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ExtendedLimits;

    const NOW: Duration = Duration::from_secs(10);

    fn digest() -> KeyDigest {
        KeyDigest::new([7; 32])
    }

    fn key() -> CachedLookup {
        CachedLookup::Key(Arc::new(crate::record::tests::record()))
    }

    fn valid() -> KeyCache {
        let cache = KeyCache::new();
        cache.extend_validity(NOW);
        cache
    }

    fn is_known(cache: &KeyCache, now: Duration) -> bool {
        cache.get(&digest(), now).is_some()
    }

    #[test]
    fn load_begun_before_eviction_is_not_cached() {
        for known in [key(), CachedLookup::Unknown] {
            let cache = valid();
            let generation = cache.begin_load(&digest());
            cache.evict(&digest());
            assert!(!cache.finish_load(digest(), generation, &known, NOW));
            assert!(!is_known(&cache, NOW));
        }
    }

    #[test]
    fn eviction_removes_cached_lookup() {
        for known in [key(), CachedLookup::Unknown] {
            let cache = valid();
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
    fn import_invalidates_what_was_unknown_and_no_key() {
        for (known, stays) in [(key(), true), (CachedLookup::Unknown, false)] {
            let cache = valid();
            let generation = cache.begin_load(&digest());
            assert!(cache.finish_load(digest(), generation, &known, NOW));
            assert!(is_known(&cache, NOW));
            cache.forget_unknown();
            assert_eq!(is_known(&cache, NOW), stays);
            assert_eq!(cache.begin_load(&digest()), generation, "the key has not changed");
            assert!(cache.finish_load(digest(), generation, &known, NOW));
            assert_eq!(is_known(&cache, NOW), stays, "the load began before");
        }
    }

    #[test]
    fn cache_is_unused_while_invalidations_may_be_missed() {
        let cache = KeyCache::new();
        assert!(cache.finish_load(digest(), cache.begin_load(&digest()), &key(), NOW));
        assert!(!is_known(&cache, NOW), "nobody listens yet");
        cache.extend_validity(NOW);
        assert!(is_known(&cache, NOW + Duration::from_millis(699)));
        assert!(!is_known(&cache, NOW + Duration::from_millis(700)), "nobody listens any more");
        cache.extend_validity(NOW);
        cache.end_validity();
        assert!(!is_known(&cache, NOW));
    }

    #[test]
    fn unknown_digest_is_queried_again_after_ten_seconds() {
        let cache = valid();
        cache.finish_load(digest(), cache.begin_load(&digest()), &CachedLookup::Unknown, NOW);
        assert!(is_known(&cache, NOW));
        cache.extend_validity(NOW + UNKNOWN_FOR);
        assert!(!is_known(&cache, NOW + UNKNOWN_FOR));
    }

    #[test]
    fn records_with_long_attributes_take_more_places() {
        let cache = valid();
        let metadata = format!(r#"{{"a":"{}"}}"#, "x".repeat(8_000)).parse().unwrap();
        let extended = ExtendedLimits { metadata: Some(metadata), ..ExtendedLimits::default() };
        let record = crate::record::tests::record();
        let large = KeyRecord { extended: Some(Box::new(extended)), ..record };
        let known = CachedLookup::Key(Arc::new(large));
        for number in 0..CAPACITY / 4 {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            let digest = KeyDigest::new(bytes);
            cache.finish_load(digest, cache.begin_load(&digest), &known, NOW);
        }
        assert!(cache.size().keys <= CAPACITY / 8, "{:?}", cache.size());
    }

    #[test]
    fn flood_of_guesses_is_bounded_and_evicts_no_record() {
        let cache = valid();
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
