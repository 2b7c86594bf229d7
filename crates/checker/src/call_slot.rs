//! Slot for one of the gateway calls that a key may have in progress.

use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::limit::{DEFAULT_MAX_PARALLEL, Limit};
use latchkey_domain::outcome::Outcome;

use crate::checker::Checker;
use crate::outcome::Denial;
use crate::record::KeyRecord;

/// When a refused call may retry. When another call ends is unknown.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Slot of a call in progress. Dropping it frees the slot.
#[must_use]
pub struct CallSlot {
    checker: Checker,
    key: KeyId,
}

impl CallSlot {
    /// Acquires one of the key's slots.
    ///
    /// # Errors
    /// The [`Denial`]: all slots are in use.
    pub(crate) fn acquire(checker: &Checker, key: &KeyRecord) -> Result<Self, Box<Denial>> {
        let limit = limit(key);
        match checker.parallel.acquire(key.id, limit) {
            Ok(()) => Ok(Self { checker: checker.clone(), key: key.id }),
            Err(used) => Err(Box::new(full(limit, used))),
        }
    }
}

impl Drop for CallSlot {
    fn drop(&mut self) {
        self.checker.parallel.release(self.key);
    }
}

/// Number of calls that a key may have in progress.
fn limit(key: &KeyRecord) -> u64 {
    key.extended().max_parallel.map_or(DEFAULT_MAX_PARALLEL, Limit::get)
}

/// Denial that a new call would get, if any. Acquires nothing.
pub(crate) fn peek(checker: &Checker, key: &KeyRecord) -> Option<Denial> {
    let (limit, used) = (limit(key), checker.parallel.count(key.id));
    (used >= limit).then(|| full(limit, used))
}

fn full(limit: u64, used: u64) -> Denial {
    Denial {
        detail: format!(
            "max_parallel {limit} reached: {used} calls of this key are in progress. Retry when \
             one has finished."
        ),
        retry_after: Some(RETRY_AFTER),
        ..Denial::of(Outcome::TooManyParallelRequests)
    }
}
