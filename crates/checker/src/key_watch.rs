//! Keys of calls that are in progress: a long call must not outlive the key that it was admitted
//! by.
//!
//! One task for each such key asks, a few times a second, what a check would ask: the cache, and
//! the database where the cache doesn't know or may not be believed. So a revocation is heard of
//! wherever a check would hear of it, and whatever makes a check refuse the key itself (its life,
//! not its limits) ends its calls, without being told here.

use std::collections::hash_map::Entry;
use std::time::Duration;

use latchkey_domain::outcome::Outcome;
use tokio::sync::watch;

use crate::cache::CachedLookup;
use crate::checker::Checker;
use crate::evaluate;
use crate::lookup::PresentedBy;
use crate::lookup::load;
use crate::lookup_limiter::LookupCaller;
use crate::outcome::Denial;
use crate::request::IdentifiedKey;
use crate::watched_keys::{Ended, KeyWatch};
use latchkey_domain::digest::KeyDigest;

/// How often a key is looked at. With what it takes to distrust a cache that no changes reach (700
/// ms), a revoked key's calls end within one second.
const INTERVAL: Duration = Duration::from_millis(100);
/// How often the database is asked where the cache may not be believed, or the database does not
/// answer.
const DATABASE_INTERVAL: Duration = Duration::from_millis(250);

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
            KeyState::Unconfirmed => DATABASE_INTERVAL,
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
    Unconfirmed,
    Ended(Denial),
}

async fn standing(checker: &Checker, digest: KeyDigest) -> KeyState {
    let cached = checker.key_cache.get(&digest, checker.clock.monotonic());
    let (known, good) = match cached {
        Some(known) => (known, KeyState::Good),
        None => match load(checker, digest, PresentedBy::Other(LookupCaller::Server)).await {
            Ok(known) => (known, KeyState::Unconfirmed),
            Err(_) => return KeyState::Unconfirmed,
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
