//! Digests under which the row of a presented key may stand.

use latchkey_domain::digest::KeyDigest;
use latchkey_domain::id::ProjectId;
use smallvec::SmallVec;

use crate::cache::KeyCache;
use crate::key_version::KeyVersion;
use crate::record::KeyRecord;

/// Digests under which a row may stand, likely ones first, and the one that it should have. The row
/// moves from one to another at any time, so all are read at once.
#[derive(Debug, Clone)]
pub(crate) struct KeyDigests {
    all: SmallVec<[KeyDigest; 2]>,
    target: KeyDigest,
    /// How many of the first ones go before the others, if several keys have one.
    preferred: usize,
    /// The one that it gets once every node knows a new pepper, maybe while a call is in progress.
    later: Option<KeyDigest>,
    /// Projects that the key may belong to; `None`: any.
    within: Option<Box<[ProjectId]>>,
}

impl KeyDigests {
    pub(crate) fn one(digest: KeyDigest) -> Self {
        Self::new([digest], digest)
    }

    pub(crate) fn new(all: impl IntoIterator<Item = KeyDigest>, target: KeyDigest) -> Self {
        let all: SmallVec<[KeyDigest; 2]> = all.into_iter().collect();
        Self { preferred: all.len(), all, target, later: None, within: None }
    }

    /// Digests to look up a key by that was found before, and may have moved since.
    pub(crate) fn again(seen: &KeyVersion) -> Self {
        let mut all: SmallVec<[KeyDigest; 2]> = SmallVec::from_iter([*seen.digest()]);
        for other in [Some(*seen.target()), seen.later()].into_iter().flatten() {
            if !all.contains(&other) {
                all.push(other);
            }
        }
        Self { later: seen.later(), ..Self::new(all, *seen.target()) }
    }

    /// The same, for keys that get this digest once every node knows a new pepper.
    pub(crate) fn moving_later(self, later: KeyDigest) -> Self {
        Self { later: Some(later), ..self }
    }

    /// Others, of a key that gets the same digest as one of these.
    pub(crate) fn instead(&self, all: impl IntoIterator<Item = KeyDigest>) -> Self {
        Self { later: self.later, ..Self::new(all, self.target) }
    }

    /// The same, for keys of these projects only.
    pub(crate) fn within(self, projects: &[ProjectId]) -> Self {
        Self { within: Some(projects.into()), ..self }
    }

    /// The same, and more that are less likely.
    pub(crate) fn and(mut self, more: impl IntoIterator<Item = KeyDigest>) -> Self {
        self.all.extend(more);
        self
    }

    pub(crate) fn as_slice(&self) -> &[KeyDigest] {
        &self.all
    }

    /// Digests that go before others: another project may have imported a digest of the same text.
    /// `None`: all are alike.
    pub(crate) fn preferred(&self) -> Option<&[KeyDigest]> {
        self.all.get(..self.preferred).filter(|preferred| preferred.len() < self.all.len())
    }

    pub(crate) fn projects(&self) -> Option<&[ProjectId]> {
        self.within.as_deref()
    }

    /// Whether a key that has one of the digests may be found by them.
    pub(crate) fn admit(&self, key: &KeyRecord) -> bool {
        self.projects().is_none_or(|projects| projects.contains(&key.project))
    }

    /// Current versions of all digests. Take them before anything is read.
    pub(crate) fn versions(&self, cache: &KeyCache) -> SmallVec<[KeyVersion; 2]> {
        let version = |digest| KeyVersion::now(cache, digest, self.target, self.later);
        self.all.iter().copied().map(version).collect()
    }
}
