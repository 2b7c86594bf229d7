//! Watches the keys of calls in progress: a long call must not outlive its key.
//!
//! One task per key repeats, several times a second, what a check would do: it reads the cache, or
//! the database if the cache has no valid entry. So a revocation reaches calls in progress wherever
//! it reaches checks. Whatever makes a check refuse the key itself (its status, not its limits)
//! ends its calls without being listed here.
//!
//! *Failure.* While the cache is invalid and the database cannot be queried, calls in progress go
//! on: nothing says that their key has ended. They are checked again every 250 ms.

use std::collections::hash_map::Entry;
use std::time::Duration;

use latchkey_domain::outcome::Outcome;
use tokio::sync::watch;

use crate::checker::Checker;
use crate::evaluate;
use crate::key_digests::KeyDigests;
use crate::key_version::KeyVersion;
use crate::lookup::{KeyLookup, PresentedBy, cached, load};
use crate::lookup_limiter::LookupCaller;
use crate::outcome::Denial;
use crate::request::IdentifiedKey;
use crate::watched_keys::{EndSender, KeyWatch};

/// Interval at which a key is checked. Together with the 700 ms until a cache without invalidations
/// expires, a revoked key's calls end within one second.
const INTERVAL: Duration = Duration::from_millis(100);
/// Interval of database queries while the cache is invalid or the database unavailable.
const DATABASE_INTERVAL: Duration = Duration::from_millis(250);

impl Checker {
    /// Watches the key of a call until the returned watch is dropped.
    pub fn watch_key(&self, identity: &IdentifiedKey) -> KeyWatch {
        let seen = &identity.seen;
        let digest = *seen.digest();
        let mut keys = self.watched_keys.lock();
        match keys.entry(digest) {
            Entry::Occupied(ended) => KeyWatch::new(ended.get().subscribe()),
            Entry::Vacant(place) => {
                let (ended, receiver) = watch::channel(None);
                place.insert(ended.clone());
                tokio::spawn(watch_until_ended(self.clone(), seen.clone(), ended));
                KeyWatch::new(receiver)
            }
        }
    }
}

/// Watches a key until it becomes invalid or has no calls. It stays a moment after the last call,
/// so that the client's next call needs no new task.
async fn watch_until_ended(checker: Checker, seen: KeyVersion, ended: EndSender) {
    let digest = *seen.digest();
    let mut wait = INTERVAL;
    loop {
        tokio::time::sleep(wait).await;
        if checker.watched_keys.forget_unused(&digest) {
            return;
        }
        wait = match key_state(&checker, &seen).await {
            KeyState::Good => INTERVAL,
            KeyState::Unconfirmed => DATABASE_INTERVAL,
            KeyState::Ended(denial) => {
                // Calls that begin from now on check the key themselves.
                checker.watched_keys.lock().remove(&digest);
                ended.send_replace(Some(denial));
                return;
            }
        };
    }
}

/// State of a watched key.
enum KeyState {
    Good,
    /// Valid according to the database, or unknown because the database failed.
    Unconfirmed,
    Ended(Denial),
}

async fn key_state(checker: &Checker, seen: &KeyVersion) -> KeyState {
    // The key may move to another digest while its calls go on.
    let digests = KeyDigests::again(seen);
    let (known, good) = match cached(checker, &digests) {
        Some(known) => (known, KeyState::Good),
        None => match load(checker, &digests, PresentedBy::Other(LookupCaller::Server)).await {
            Ok(known) => (known, KeyState::Unconfirmed),
            Err(_) => return KeyState::Unconfirmed,
        },
    };
    let KeyLookup::Key(identity) = known else {
        // No key has this secret any more: its rotation is complete.
        return KeyState::Ended(Denial::of(Outcome::RevokedKey));
    };
    match evaluate::ended(&identity.key, identity.old, checker.clock.now()) {
        Some((outcome, detail)) => KeyState::Ended(Denial { detail, ..Denial::of(outcome) }),
        None => good,
    }
}
