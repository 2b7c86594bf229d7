//! Limits a minute of what is cheap to send and not to answer: management writes, per person and
//! per service key; renewals, per session; views of a key by its holder, per key.
//!
//! Each node counts on its own, in bounded memory: with `n` nodes a caller gets up to `n` times the
//! limit. The limit only keeps one caller from occupying the writer, so it need not be exact across
//! nodes. For the same reason a retried transaction counts again.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use latchkey_domain::window::Window;
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::error::Error;
use latchkey_store::clock::whole_seconds;

/// Maximum number of callers in memory, at about 1 KiB each.
const CALLERS: usize = 16_384;

/// Limit of session renewals a minute. Each of a person's tabs renews every few minutes.
const RENEWALS: u64 = 60;
/// Limit of the views of a key by its holder a minute.
const KEY_VIEWS: u64 = 60;

/// Writes of the last minute, per caller.
pub(crate) struct Writes {
    limit: u64,
    /// Noun and hint for the error message.
    words: (&'static str, &'static str),
    windows: Cache<Uuid, Arc<Mutex<Window>>>,
}

impl Writes {
    /// Limits changes to `limit` a minute.
    pub(crate) fn new(limit: u64) -> Self {
        let words = ("changes", ", or ask the operator of this server for a higher limit");
        Self { limit, words, windows: Cache::new(CALLERS) }
    }

    /// Limits renewals of a session, counted per session.
    pub(crate) fn renewals() -> Self {
        let words = ("renewals of this session", "");
        Self { limit: RENEWALS, words, windows: Cache::new(CALLERS) }
    }

    /// Limits how often a key's holder looks at it, counted per key.
    pub(crate) fn key_views() -> Self {
        let words = ("requests for this key’s view", "");
        Self { limit: KEY_VIEWS, words, windows: Cache::new(CALLERS) }
    }

    /// Writes a minute that each caller may make.
    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    /// Counts a write of a caller at `now` (monotonic).
    ///
    /// # Errors
    /// `TooMany`; a refused write is not counted.
    pub(crate) fn count(&self, caller: impl Into<Uuid>, now: Duration) -> Result<(), Error> {
        let new = || Ok::<_, Infallible>(Arc::default());
        let window = match self.windows.get_or_insert_with(&caller.into(), new) {
            Ok(window) => window,
            Err(never) => match never {},
        };
        // Each step leaves the window consistent, so a panic of the lock's holder does no harm.
        let permit =
            window.lock().unwrap_or_else(PoisonError::into_inner).acquire(now, 1, self.limit);
        match permit {
            Ok(_) => Ok(()),
            Err(full) => {
                let retry_after = full.retry_after.unwrap_or_default();
                let (what, hint) = self.words;
                Err(Error::TooMany {
                    detail: format!(
                        "You made {} of {} {what} in the last minute. Wait {} s{hint}.",
                        full.used,
                        self.limit,
                        whole_seconds(retry_after)
                    ),
                    retry_after,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_limit_is_counted_per_caller() {
        let writes = Writes::new(2);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for _ in 0..2 {
            writes.count(one, Duration::ZERO).unwrap();
        }
        let Err(Error::TooMany { retry_after, detail }) = writes.count(one, Duration::ZERO) else {
            panic!("the third one")
        };
        assert_eq!(retry_after, Duration::from_mins(1));
        assert!(detail.starts_with("You made 2 of 2 changes in the last minute. Wait 60 s"));
        writes.count(other, Duration::ZERO).unwrap();
        writes.count(one, retry_after).unwrap();
    }

    #[test]
    fn write_limits_use_bounded_memory() {
        let writes = Writes::new(2);
        for caller in 0..200_000 {
            writes.count(Uuid::from_u128(caller), Duration::ZERO).unwrap();
        }
        assert!(writes.windows.len() <= CALLERS);
    }
}
