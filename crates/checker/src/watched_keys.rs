//! The keys of calls that are in progress, each with those who want to know when it ends.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::outcome::Denial;
use latchkey_domain::digest::KeyDigest;

pub(crate) type Ended = watch::Sender<Option<Denial>>;

/// The keys that are looked at, by the secret that was used: after a rotation the other one may
/// still be good.
#[derive(Default)]
pub(crate) struct WatchedKeys(Mutex<HashMap<KeyDigest, Ended>>);

impl WatchedKeys {
    pub(crate) fn lock(&self) -> MutexGuard<'_, HashMap<KeyDigest, Ended>> {
        // The map is whole after each of its steps.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops looking at a key of which no call is in progress. False: there is one again.
    pub(crate) fn forget_unused(&self, digest: &KeyDigest) -> bool {
        let mut keys = self.lock();
        let unused = keys.get(digest).is_none_or(|ended| ended.receiver_count() == 0);
        if unused {
            keys.remove(digest);
        }
        unused
    }
}

/// Tells when the key of a call in progress stops being good.
#[derive(Debug, Clone)]
pub struct KeyWatch(pub(crate) watch::Receiver<Option<Denial>>);

impl KeyWatch {
    /// Waits until a check would refuse the key; why. While nobody can say, as the database is
    /// away, it goes on waiting.
    pub async fn ended(&mut self) -> Denial {
        match self.0.wait_for(Option::is_some).await.map(|denial| (*denial).clone()) {
            Ok(Some(denial)) => denial,
            // Nobody is left who could tell.
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
    async fn call_hears_of_an_end_that_came_before_it_asked() {
        let (ended, receiver) = watch::channel(None);
        ended.send_replace(Some(Denial::of(Outcome::RevokedKey)));
        let mut watch = KeyWatch(receiver);
        assert_eq!(watch.ended().await.outcome, Outcome::RevokedKey);
        drop(ended);
        assert_eq!(watch.ended().await.outcome, Outcome::RevokedKey);
    }
}
