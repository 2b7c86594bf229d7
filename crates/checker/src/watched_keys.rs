//! Keys of calls in progress, each with the calls to notify when it ends.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::outcome::Denial;
use latchkey_domain::digest::KeyDigest;

pub(crate) type EndSender = watch::Sender<Option<Denial>>;

/// Watched keys, by the digest of the secret used: after a rotation the other secret may still be
/// valid.
#[derive(Default)]
pub(crate) struct WatchedKeys(Mutex<HashMap<KeyDigest, EndSender>>);

impl WatchedKeys {
    pub(crate) fn lock(&self) -> MutexGuard<'_, HashMap<KeyDigest, EndSender>> {
        // Each step leaves the map consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops watching a key without calls in progress. Returns false if a call uses it again.
    pub(crate) fn forget_unused(&self, digest: &KeyDigest) -> bool {
        let mut keys = self.lock();
        let unused = keys.get(digest).is_none_or(|ended| ended.receiver_count() == 0);
        if unused {
            keys.remove(digest);
        }
        unused
    }
}

/// Reports when the key of a call in progress becomes invalid.
#[derive(Debug, Clone)]
pub struct KeyWatch(pub(crate) watch::Receiver<Option<Denial>>);

impl KeyWatch {
    /// Waits until a check would refuse the key, and returns the denial. It keeps waiting while the
    /// database is unavailable and the key's state is unknown.
    pub async fn ended(&mut self) -> Denial {
        match self.0.wait_for(Option::is_some).await.map(|denial| (*denial).clone()) {
            Ok(Some(denial)) => denial,
            // The watching task has ended without a result.
            _ => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::outcome::Outcome;

    use super::*;

    #[test]
    fn keys_without_calls_are_forgotten() {
        let keys = WatchedKeys::default();
        let digest = KeyDigest::new([7; 32]);
        let (ended, receiver) = watch::channel(None);
        keys.lock().insert(digest, ended);
        assert!(!keys.forget_unused(&digest), "a call is in progress");
        drop(receiver);
        assert!(keys.forget_unused(&digest));
        assert!(keys.lock().is_empty());
    }

    #[tokio::test]
    async fn watch_reports_an_end_from_before_it_waited() {
        let (ended, receiver) = watch::channel(None);
        ended.send_replace(Some(Denial::of(Outcome::RevokedKey)));
        let mut watch = KeyWatch(receiver);
        assert_eq!(watch.ended().await.outcome, Outcome::RevokedKey);
        drop(ended);
        assert_eq!(watch.ended().await.outcome, Outcome::RevokedKey);
    }
}
