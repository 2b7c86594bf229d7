//! Invalidates cached keys after a change, in this process and on every other node.
//!
//! ```text
//! this node     change the rows, pg_notify(digests), commit -> evict -> respond
//! other nodes   receive the notification -> parse -> evict
//! ```
//!
//! *Consistency.* The notification is part of the transaction: it is sent if and only if that
//! commits, and in the order of commits. This node evicts after the commit and before the response.
//! On SQLite nothing is sent; other processes poll for writes (`crate::invalidation`).
//!
//! *Failure.* A failed commit may have gone through, so the keys are evicted all the same. Commit
//! and eviction complete even if the client disconnects. A node that receives no notifications does
//! not use its cache ([`super::cache_validity`]). A payload that this version cannot parse
//! invalidates all keys. Digests are HMACs, so a listener learns no secret.
//!
//! *Cost.* A key that is invalidated costs its next check one query. A change of more than 12,000
//! digests (a limit of a very large organization, the deletion of one) invalidates the keys of
//! everybody, as a change of plan does: naming them takes more than 100 notifications, which every
//! node has to parse. Other tenants' checks are slower until their keys are cached again, and never
//! wrong. What bounds it: queries at a time are limited and callers take turns
//! (`crate::lookup_limiter`), and a person's changes per minute are limited.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement};

use crate::checker::Checker;
use latchkey_domain::digest::KeyDigest;
use latchkey_store::Error;

/// PostgreSQL notification channel.
pub(crate) const CHANNEL: &str = "latchkey_keys";
/// Payload that invalidates all keys.
const ALL: &str = "all";
/// Payload after which nodes read the shapes of imported keys again. Nodes of the release before
/// know none, and invalidate all keys.
const SHAPES: &str = "shapes";
/// A payload may have 8,000 bytes; a digest takes 64 and a space.
const DIGESTS_A_NOTIFICATION: usize = 120;
/// Number of digests beyond which all keys are invalidated: that is faster for every node.
const MAX_DIGESTS: usize = 12_000;

/// Keys whose cached records become stale when a transaction commits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum KeyInvalidation {
    /// Keys with these digests, whether they existed before or not.
    Keys(Vec<KeyDigest>),
    /// Every key.
    All,
    /// Texts that were unknown and may be keys now, and what imported keys look like. No key that
    /// was there before.
    Imported,
}

impl KeyInvalidation {
    /// Invalidates the keys with these digests.
    pub fn keys(digests: impl IntoIterator<Item = KeyDigest>) -> Self {
        let digests: Vec<_> = digests.into_iter().collect();
        if digests.len() > MAX_DIGESTS { Self::All } else { Self::Keys(digests) }
    }

    /// Commits the transaction that changes the keys. After that, no check in this process uses the
    /// previous state; other nodes are notified by the commit.
    ///
    /// It completes even if the caller is cancelled: stopping between commit and eviction would
    /// leave a revoked key in the cache.
    ///
    /// # Errors
    /// The database fails. The keys are evicted in that case too, since the commit may have gone
    /// through.
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

    /// As [`Self::commit_and_invalidate`], in a process that checks no keys: servers learn of the
    /// commit as of another node's.
    ///
    /// # Errors
    /// The database fails.
    pub async fn commit_and_notify(self, transaction: DatabaseTransaction) -> Result<(), Error> {
        self.announce(&transaction).await?;
        transaction.commit().await.map_err(Error::from)
    }

    /// Ensures that no check in this process uses the previous state of the keys.
    pub fn evict(&self, checker: &Checker) {
        match self {
            Self::Keys(digests) => {
                for digest in digests {
                    checker.key_cache.evict(digest);
                }
            }
            Self::All => checker.key_cache.evict_all(),
            Self::Imported => {
                // First, so that no text is looked up in fewer projects, and kept as unknown.
                checker.shapes.invalidate();
                checker.key_cache.forget_unknown();
            }
        }
    }

    /// Part of the transaction, so that PostgreSQL notifies other nodes if and when it commits. On
    /// SQLite, other processes poll.
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
            Self::Imported => vec![SHAPES.to_owned()],
        }
    }

    /// Parses another node's payload. An unknown payload invalidates all keys, so nothing is
    /// missed.
    pub(crate) fn parse(payload: &str) -> Self {
        if payload == SHAPES {
            return Self::Imported;
        }
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
    fn invalidation_survives_notification_round_trip() {
        for changed in [
            KeyInvalidation::keys(digests(1)),
            KeyInvalidation::keys(digests(120)),
            KeyInvalidation::All,
            KeyInvalidation::Imported,
        ] {
            let payloads = changed.payloads();
            assert_eq!(payloads.len(), 1);
            assert_eq!(KeyInvalidation::parse(&payloads[0]), changed);
        }
    }

    #[test]
    fn notification_fits_the_postgresql_limit() {
        let payloads = KeyInvalidation::keys(digests(1_000)).payloads();
        assert_eq!(payloads.len(), 9);
        assert!(payloads.iter().all(|payload| payload.len() < 8_000));
        assert_eq!(KeyInvalidation::keys(digests(MAX_DIGESTS + 1)), KeyInvalidation::All);
        assert!(KeyInvalidation::keys([]).payloads().is_empty());
    }

    #[test]
    fn unknown_payload_invalidates_all_keys() {
        for payload in ["", "all", "a later version’s words", &"0".repeat(63)] {
            assert_eq!(KeyInvalidation::parse(payload), KeyInvalidation::All, "{payload}");
        }
    }
}
