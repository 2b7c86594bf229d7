//! How many checks there were, for an operator's metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use latchkey_domain::outcome::Outcome;

/// Checks are spread over as many counters, so that threads rarely write to the same memory.
const SHARDS: usize = 8;

/// Counts since the process started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckCounts {
    /// Checks, by what they came to.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Looks into the cache that found what they needed.
    pub cache_hits: u64,
    /// Looks that had to ask the database.
    pub cache_misses: u64,
}

/// On cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    hits: AtomicU64,
    misses: AtomicU64,
}

/// The counters.
#[derive(Default)]
pub(crate) struct Tally([Shard; SHARDS]);

impl Tally {
    /// Counts a check; `spread` is any byte that differs from key to key.
    pub(super) fn checked(&self, spread: u8, outcome: Outcome) {
        self.shard(spread).outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a look into the cache.
    pub(super) fn looked(&self, spread: u8, hit: bool) {
        let shard = self.shard(spread);
        let counter = if hit { &shard.hits } else { &shard.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted until now.
    pub(super) fn counts(&self) -> CheckCounts {
        let sum = |counter: &dyn Fn(&Shard) -> &AtomicU64| {
            self.0.iter().map(|shard| counter(shard).load(Ordering::Relaxed)).sum()
        };
        let outcomes = Outcome::ALL.into_iter();
        CheckCounts {
            outcomes: outcomes
                .map(|outcome| (outcome, sum(&|shard| &shard.outcomes[outcome as usize])))
                .collect(),
            cache_hits: sum(&|shard| &shard.hits),
            cache_misses: sum(&|shard| &shard.misses),
        }
    }

    fn shard(&self, spread: u8) -> &Shard {
        &self.0[usize::from(spread) % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_a_counter_of_its_own() {
        let tally = Tally::default();
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            for spread in 0..=u8::try_from(index).unwrap() {
                tally.checked(spread, outcome);
            }
        }
        let counts = tally.counts().outcomes.into_iter();
        let expected = Outcome::ALL.into_iter().zip(1..);
        assert!(counts.eq(expected));
    }
}
