//! Check counters for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use latchkey_domain::outcome::Outcome;

use crate::sharding;

const SHARDS: usize = 16;

/// Counts since the process started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckCounts {
    /// Number of checks by outcome.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Lookups answered by the cache.
    pub cache_hits: u64,
    /// Lookups that queried the database.
    pub cache_misses: u64,
    /// Leases of budgets that the database granted.
    pub budget_leases: u64,
}

/// Aligned so that no two shards share a cache line.
#[derive(Default)]
#[repr(align(128))]
struct CounterShard {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    hits: AtomicU64,
    misses: AtomicU64,
    leases: AtomicU64,
}

#[derive(Default)]
pub(crate) struct CheckCounters([CounterShard; SHARDS]);

impl CheckCounters {
    pub(crate) fn checked(&self, outcome: Outcome) {
        self.shard().outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a cache lookup.
    pub(crate) fn looked_up(&self, hit: bool) {
        let shard = self.shard();
        let counter = if hit { &shard.hits } else { &shard.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a lease that the database granted.
    pub(crate) fn leased(&self) {
        self.shard().leases.fetch_add(1, Ordering::Relaxed);
    }

    /// Sums of all shards.
    pub(crate) fn counts(&self) -> CheckCounts {
        let sum = |counter: &dyn Fn(&CounterShard) -> &AtomicU64| {
            self.0.iter().map(|shard| counter(shard).load(Ordering::Relaxed)).sum()
        };
        let outcomes = Outcome::ALL.into_iter();
        CheckCounts {
            outcomes: outcomes
                .map(|outcome| (outcome, sum(&|shard| &shard.outcomes[outcome as usize])))
                .collect(),
            cache_hits: sum(&|shard| &shard.hits),
            cache_misses: sum(&|shard| &shard.misses),
            budget_leases: sum(&|shard| &shard.leases),
        }
    }

    fn shard(&self) -> &CounterShard {
        &self.0[sharding::of_thread(SHARDS)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_own_counter_on_every_thread() {
        let counters = CheckCounters::default();
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            for _ in 0..=index {
                std::thread::scope(|scope| _ = scope.spawn(|| counters.checked(outcome)));
            }
        }
        let counts = counters.counts().outcomes.into_iter();
        let expected = Outcome::ALL.into_iter().zip(1..);
        assert!(counts.eq(expected));
    }
}
