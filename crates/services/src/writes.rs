//! Management writes a minute, counted per person and per service key.
//!
//! Each node counts for itself, in memory that has a bound: with `n` nodes a caller has up to `n`
//! times as many. It keeps one caller from occupying the writer, nothing more, so it need not be
//! exact across nodes. A write that the database gave up and that is done again counts again, for
//! the same reason.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use latchkey_domain::window::Window;
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::error::Error;
use latchkey_store::clock::whole_seconds;

/// How many callers are remembered, at about 1 KiB each.
const CALLERS: usize = 16_384;

/// How often a session may be renewed in a minute: each of a person's tabs does so every few
/// minutes.
const RENEWALS: u64 = 60;

/// The writes of the last minute, of every caller.
pub(crate) struct Writes {
    limit: u64,
    /// What they are, and what can be done about the limit.
    words: (&'static str, &'static str),
    windows: Cache<Uuid, Arc<Mutex<Window>>>,
}

impl Writes {
    /// At most `limit` changes a minute.
    pub(crate) fn new(limit: u64) -> Self {
        let words = ("changes", ", or ask the operator of this server for a higher limit");
        Self { limit, words, windows: Cache::new(CALLERS) }
    }

    /// Renewals of sessions, counted per session.
    pub(crate) fn renewals() -> Self {
        let words = ("renewals of this session", "");
        Self { limit: RENEWALS, words, windows: Cache::new(CALLERS) }
    }

    /// How many a minute a caller has.
    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    /// Counts a write of a caller at `now` (monotonic).
    ///
    /// # Errors
    /// `TooMany`; nothing was counted.
    pub(crate) fn count(&self, caller: impl Into<Uuid>, now: Duration) -> Result<(), Error> {
        let new = || Ok::<_, Infallible>(Arc::default());
        let window = match self.windows.get_or_insert_with(&caller.into(), new) {
            Ok(window) => window,
            Err(never) => match never {},
        };
        // A window is whole after each of its steps, whatever happened to the thread that held it.
        let taken =
            window.lock().unwrap_or_else(PoisonError::into_inner).acquire(now, 1, self.limit);
        match taken {
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
    fn each_caller_has_writes_of_its_own() {
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
    fn callers_take_bounded_memory() {
        let writes = Writes::new(2);
        for caller in 0..200_000 {
            writes.count(Uuid::from_u128(caller), Duration::ZERO).unwrap();
        }
        assert!(writes.windows.len() <= CALLERS);
    }
}
