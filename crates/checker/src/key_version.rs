//! Version of a key when it was looked up, so that confirming it later costs two comparisons.

use std::sync::Arc;
use std::time::Duration;

use crate::cache::{Generation, KeyCache};
use latchkey_domain::digest::KeyDigest;

/// Digest of the secret that identified a key, and the generation at that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyVersion {
    digest: KeyDigest,
    generation: Generation,
    /// `None`: the key has the only digest that it can have. Apart, because all futures of a check
    /// carry a version along, and few keys move.
    moves: Option<Arc<Moves>>,
}

/// Digests that a key may have after it was looked up.
#[derive(Debug, PartialEq, Eq)]
struct Moves {
    /// Digest that the key has now, if it has moved since: under another pepper, or under ours if
    /// it was imported.
    target: KeyDigest,
    /// Digest that the key gets once every node knows a new pepper.
    later: Option<KeyDigest>,
}

impl KeyVersion {
    /// Current version. Take it before looking up the key.
    pub(crate) fn now(
        cache: &KeyCache,
        digest: KeyDigest,
        target: KeyDigest,
        later: Option<KeyDigest>,
    ) -> Self {
        let is_settled = digest == target && later.is_none();
        let moves = (!is_settled).then(|| Arc::new(Moves { target, later }));
        Self { digest, generation: cache.begin_load(&digest), moves }
    }

    /// Digest by which the key was found.
    pub const fn digest(&self) -> &KeyDigest {
        &self.digest
    }

    /// Digest that the key should have.
    pub(crate) fn target(&self) -> &KeyDigest {
        self.moves.as_ref().map_or(&self.digest, |moves| &moves.target)
    }

    /// Digest that the key gets once every node knows a new pepper.
    pub(crate) fn later(&self) -> Option<KeyDigest> {
        self.moves.as_ref()?.later
    }

    /// Whether a row has this digest for the secret that was used, now or before it moved.
    pub fn is_of(&self, digest: &KeyDigest) -> bool {
        self.digest == *digest || self.target() == digest || self.later() == Some(*digest)
    }

    /// Whether the key had the digest that it should have.
    pub(crate) fn is_at_target(&self) -> bool {
        self.digest == *self.target()
    }

    pub(crate) const fn generation(&self) -> Generation {
        self.generation
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
