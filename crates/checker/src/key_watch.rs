//! Keys of calls that are in progress: a long call must not outlive the key that it was admitted
//! by.
//!
//! One task for each such key asks, a few times a second, what a check would ask: the cache, and
//! the database where the cache doesn't know or may not be believed. So a revocation is heard of
//! wherever a check would hear of it, and whatever makes a check refuse the key itself (its life,
//! not its limits) ends its calls, without being told here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_domain::outcome::Outcome;
use tokio::sync::watch;

use crate::Checker;
use crate::cache::CachedLookup;
use crate::check::IdentifiedKey;
use crate::check::PresentedBy;
use crate::check::load;
use crate::digest::KeyDigest;
use crate::evaluate;
use crate::lookup_limiter::LookupCaller;
use crate::outcome::Denial;

/// How often a key is looked at. With what it takes to distrust a cache that no changes reach (700
/// ms), a revoked key's calls end within one second.
const INTERVAL: Duration = Duration::from_millis(100);
/// How often the database is asked where the cache may not be believed, or the database does not
/// answer.
const DATABASE_INTERVAL: Duration = Duration::from_millis(250);

type Ended = watch::Sender<Option<Denial>>;

/// The keys that are looked at, by the secret that was used: after a rotation the other one may
/// still be good.
#[derive(Default)]
pub(crate) struct WatchedKeys(Mutex<HashMap<KeyDigest, Ended>>);

impl WatchedKeys {
    fn lock(&self) -> MutexGuard<'_, HashMap<KeyDigest, Ended>> {
        // The map is whole after each of its steps.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops looking at a key of which no call is in progress. False: there is one again.
    fn forget_unused(&self, digest: &KeyDigest) -> bool {
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
pub struct KeyWatch(watch::Receiver<Option<Denial>>);

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

impl Checker {
    /// Looks at the key of a call for as long as what is returned is kept.
    pub fn watch_key(&self, found: &IdentifiedKey) -> KeyWatch {
        let digest = *found.seen.digest();
        let mut keys = self.watched_keys.lock();
        match keys.entry(digest) {
            Entry::Occupied(ended) => KeyWatch(ended.get().subscribe()),
            Entry::Vacant(place) => {
                let (ended, receiver) = watch::channel(None);
                place.insert(ended.clone());
                tokio::spawn(look_on(self.clone(), digest, ended));
                KeyWatch(receiver)
            }
        }
    }
}

/// Looks at a key until it is no good any more, or nobody wants to know. It goes on for a moment
/// after a call: the next one of the same client needs no task of its own.
async fn look_on(checker: Checker, digest: KeyDigest, ended: Ended) {
    let mut wait = INTERVAL;
    loop {
        tokio::time::sleep(wait).await;
        if checker.watched_keys.forget_unused(&digest) {
            return;
        }
        wait = match standing(&checker, digest).await {
            KeyState::Good => INTERVAL,
            KeyState::Asked => DATABASE_INTERVAL,
            KeyState::Ended(denial) => {
                // Whoever begins a call from now on looks for themselves.
                checker.watched_keys.lock().remove(&digest);
                ended.send_replace(Some(denial));
                return;
            }
        };
    }
}

/// How a key stands.
enum KeyState {
    Good,
    /// As far as the database could tell, which had to be asked.
    Asked,
    Ended(Denial),
}

async fn standing(checker: &Checker, digest: KeyDigest) -> KeyState {
    let cached = checker.key_cache.get(&digest, checker.clock.monotonic());
    let (known, good) = match cached {
        Some(known) => (known, KeyState::Good),
        None => match load(checker, digest, PresentedBy::Other(LookupCaller::Server)).await {
            Ok(known) => (known, KeyState::Asked),
            Err(_) => return KeyState::Asked,
        },
    };
    let CachedLookup::Key(key) = known else {
        // The secret was rotated out for good.
        return KeyState::Ended(Denial::of(Outcome::RevokedKey));
    };
    match evaluate::ended(&key, key.is_old(&digest), checker.clock.now()) {
        Some((outcome, detail)) => KeyState::Ended(Denial { detail, ..Denial::of(outcome) }),
        None => good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_without_calls_are_forgotten() {
        let keys = WatchedKeys::default();
        let digest = KeyDigest::from_bytes(&[7; 32]).unwrap();
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
