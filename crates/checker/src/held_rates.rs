//! What background responses of this node hold of tokens per minute.
//!
//! A reservation leaves the window a minute after it was made, whatever becomes of it. Until then
//! it is kept here, so that a response that has ended sooner gives back what it has not used. A
//! node that settles another node's response gives nothing back: the strict side.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_domain::id::KeyId;

use crate::background_store::ResponsePlace;
use crate::rate_limit::RatePermit;

/// How long a reservation is in the window.
const HELD: Duration = Duration::from_mins(1);
/// Most reservations that are kept. Further ones leave the windows by themselves.
const MAX_HELD: usize = 10_000;

/// What one response holds.
pub(crate) struct HeldRate {
    pub(crate) rates: RatePermit,
    pub(crate) key: KeyId,
    /// Tokens by which it counts among the key's calls in progress.
    pub(crate) tokens: u64,
    /// Monotonic time at which it was handed over.
    pub(crate) since: Duration,
}

/// All that is held.
#[derive(Default)]
pub(crate) struct HeldRates(Mutex<HashMap<ResponsePlace, HeldRate>>);

impl HeldRates {
    /// Keeps what a response holds. Returns what is not kept: it, if there are too many, or what
    /// another response had in its place.
    pub(crate) fn hold(&self, place: ResponsePlace, held: HeldRate) -> Option<HeldRate> {
        let mut all = self.lock();
        if all.len() >= MAX_HELD {
            return Some(held);
        }
        all.insert(place, held)
    }

    /// Takes what a response holds.
    pub(crate) fn take(&self, place: &ResponsePlace) -> Option<HeldRate> {
        self.lock().remove(place)
    }

    /// Takes what has left the windows at `now`.
    pub(crate) fn take_expired(&self, now: Duration) -> Vec<HeldRate> {
        let mut all = self.lock();
        let expired = all.extract_if(|_, held| now.saturating_sub(held.since) >= HELD);
        expired.map(|(_, held)| held).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ResponsePlace, HeldRate>> {
        // Each step leaves the map consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::id::ProjectId;
    use latchkey_domain::time::Timestamp;

    use super::*;

    #[test]
    fn held_rate_is_dropped_after_a_minute() {
        let at = Timestamp::from_millis(0);
        let place = |number: u8| (ProjectId::new(at, [0; 10]), vec![number]);
        let held = |seconds| HeldRate {
            rates: RatePermit::default(),
            key: KeyId::new(at, [0; 10]),
            tokens: 7,
            since: Duration::from_secs(seconds),
        };
        let all = HeldRates::default();
        assert!(all.hold(place(1), held(0)).is_none());
        assert!(all.hold(place(2), held(1)).is_none());
        assert_eq!(all.take_expired(Duration::from_mins(1)).len(), 1);
        assert!(all.take(&place(1)).is_none() && all.take(&place(2)).is_some());
        assert!(all.take(&place(2)).is_none(), "it is given back once");
    }
}
