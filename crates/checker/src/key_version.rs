//! By which secret a key was found and as of when, so that a later look costs two comparisons.

use std::time::Duration;

use crate::cache::{Generation, KeyCache};
use latchkey_domain::digest::KeyDigest;

/// By which secret a key was found, and as of when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyVersion {
    digest: KeyDigest,
    stamp: Generation,
}

impl KeyVersion {
    /// As of now. Take it before the key is looked up.
    pub(crate) fn now(cache: &KeyCache, digest: KeyDigest) -> Self {
        Self { digest, stamp: cache.begin_load(&digest) }
    }

    /// The digest of the secret.
    pub const fn digest(&self) -> &KeyDigest {
        &self.digest
    }

    /// Whether what was read then still holds. It does not where changes by other nodes are not
    /// heard of.
    pub(crate) fn holds(&self, cache: &KeyCache, now: Duration) -> bool {
        cache.is_trusted(now) && cache.begin_load(&self.digest) == self.stamp
    }
}
