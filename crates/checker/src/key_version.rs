//! Version of a key when it was looked up, so that confirming it later costs two comparisons.

use std::time::Duration;

use crate::cache::{Generation, KeyCache};
use latchkey_domain::digest::KeyDigest;

/// Digest of the secret that identified a key, and the generation at that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyVersion {
    digest: KeyDigest,
    generation: Generation,
}

impl KeyVersion {
    /// Current version. Take it before looking up the key.
    pub(crate) fn now(cache: &KeyCache, digest: KeyDigest) -> Self {
        Self { digest, generation: cache.begin_load(&digest) }
    }

    /// Digest of the secret that was used.
    pub const fn digest(&self) -> &KeyDigest {
        &self.digest
    }

    /// Whether the key, or another of its cache slot, is known to have changed since.
    pub(crate) fn has_changed(&self, cache: &KeyCache) -> bool {
        cache.begin_load(&self.digest) != self.generation
    }

    /// Whether the key is unchanged since. False while invalidations may be missed.
    pub(crate) fn holds(&self, cache: &KeyCache, now: Duration) -> bool {
        cache.is_valid(now) && !self.has_changed(cache)
    }
}
