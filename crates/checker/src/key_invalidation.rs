//! Telling everybody that keys have changed: this process's cache, and every other node on the
//! database.
//!
//! ```text
//! this node     change the rows, pg_notify(digests), commit -> evict -> answer
//! other nodes   the notification comes -> parse -> evict
//! ```
//!
//! *Consistency.* The notification is part of the transaction: it comes if and only if that
//! commits, and in the order of commits. This node evicts after the commit and before anybody is
//! answered. On SQLite nothing is sent: other processes look whether somebody has written
//! (`crate::invalidation`).
//!
//! *Failure.* A commit that fails may have gone through, so the keys are evicted all the same. Once
//! begun, commit and eviction are carried through, although the client may have gone. A node that
//! hears of nothing does not use its cache ([`super::cache_validity`]). What this version doesn't
//! understand, it takes for a change of all keys. Digests are HMACs: who listens learns no secret.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement};

use crate::checker::Checker;
use latchkey_domain::digest::KeyDigest;
use latchkey_store::Error;

/// PostgreSQL's channel for changes of keys.
pub(crate) const CHANNEL: &str = "latchkey_keys";
/// What stands on the channel for a change of all keys.
const ALL: &str = "all";
/// A notification may have 8,000 bytes; a digest takes 64 and a space.
const DIGESTS_A_NOTIFICATION: usize = 120;
/// Beyond as many, all keys are read again: that is quicker for everybody.
const MOST_DIGESTS: usize = 12_000;

/// Keys whose records are out of date once a transaction is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum KeyInvalidation {
    /// Those with these digests, known until now or not.
    Keys(Vec<KeyDigest>),
    /// Every key.
    All,
}

impl KeyInvalidation {
    /// The keys with these digests.
    pub fn keys(digests: impl IntoIterator<Item = KeyDigest>) -> Self {
        let digests: Vec<_> = digests.into_iter().collect();
        if digests.len() > MOST_DIGESTS { Self::All } else { Self::Keys(digests) }
    }

    /// Commits the transaction that changes the keys. When this returns, no check in this process
    /// goes by what was before; other nodes hear of it with the commit.
    ///
    /// Once begun it is carried through, even if nobody waits for it any more: whoever goes away
    /// between the commit and the eviction would leave a revoked key in the cache.
    ///
    /// # Errors
    /// The database fails. What was cached is forgotten then too: the commit may have gone through.
    pub async fn commit_and_invalidate(
        self,
        checker: &Checker,
        transaction: DatabaseTransaction,
    ) -> Result<(), Error> {
        let checker = checker.clone();
        let committing = tokio::spawn(async move {
            let committed = match self.announce(&transaction).await {
                Ok(()) => transaction.commit().await.map_err(Error::from),
                Err(error) => Err(error),
            };
            self.evict(&checker);
            committed
        });
        committing.await.map_err(latchkey_store::Error::unavailable)?
    }

    /// Makes sure that no check in this process uses what was known of the keys before.
    pub fn evict(&self, checker: &Checker) {
        match self {
            Self::Keys(digests) => {
                for digest in digests {
                    checker.key_cache.evict(digest);
                }
            }
            Self::All => checker.key_cache.evict_all(),
        }
    }

    /// Within the transaction, so that PostgreSQL tells other nodes exactly when, and if, it is
    /// committed. SQLite's other processes look for themselves.
    async fn announce(&self, transaction: &DatabaseTransaction) -> Result<(), Error> {
        let backend = transaction.get_database_backend();
        if backend != DbBackend::Postgres {
            return Ok(());
        }
        for payload in self.payloads() {
            let values = [CHANNEL.into(), payload.into()];
            let notify = "SELECT pg_notify($1, $2)";
            transaction
                .execute_raw(Statement::from_sql_and_values(backend, notify, values))
                .await?;
        }
        Ok(())
    }

    fn payloads(&self) -> Vec<String> {
        match self {
            Self::All => vec![ALL.to_owned()],
            Self::Keys(digests) => {
                let words = |chunk: &[KeyDigest]| -> Vec<_> {
                    chunk.iter().copied().map(KeyDigest::to_hex).collect()
                };
                digests.chunks(DIGESTS_A_NOTIFICATION).map(|chunk| words(chunk).join(" ")).collect()
            }
        }
    }

    /// What another node said. Words that this one doesn't know are about all keys: nothing is
    /// missed.
    pub(crate) fn parse(payload: &str) -> Self {
        let digests: Option<Vec<_>> = payload.split(' ').map(KeyDigest::from_hex).collect();
        digests.map_or(Self::All, Self::Keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(count: usize) -> Vec<KeyDigest> {
        let digest = |index: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&index.to_be_bytes());
            KeyDigest::new(bytes)
        };
        (0..count).map(digest).collect()
    }

    #[test]
    fn what_is_announced_is_what_is_heard() {
        for changed in [
            KeyInvalidation::keys(digests(1)),
            KeyInvalidation::keys(digests(120)),
            KeyInvalidation::All,
        ] {
            let payloads = changed.payloads();
            assert_eq!(payloads.len(), 1);
            assert_eq!(KeyInvalidation::parse(&payloads[0]), changed);
        }
    }

    #[test]
    fn a_notification_is_never_too_long_for_postgresql() {
        let payloads = KeyInvalidation::keys(digests(1_000)).payloads();
        assert_eq!(payloads.len(), 9);
        assert!(payloads.iter().all(|payload| payload.len() < 8_000));
        assert_eq!(KeyInvalidation::keys(digests(MOST_DIGESTS + 1)), KeyInvalidation::All);
        assert!(KeyInvalidation::keys([]).payloads().is_empty());
    }

    #[test]
    fn unknown_words_are_about_all_keys() {
        for payload in ["", "all", "a later version’s words", &"0".repeat(63)] {
            assert_eq!(KeyInvalidation::parse(payload), KeyInvalidation::All, "{payload}");
        }
    }
}
