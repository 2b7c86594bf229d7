//! Ratio between actual and estimated prompt tokens, by key and model.
//!
//! Code, numbers and languages other than English have more tokens than estimated. A key mostly
//! sends a model one kind of content, so the next prompt is expected to resemble the previous ones.
//!
//! Ratios are kept in the node's memory only. A node without a ratio uses the plain estimate.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use latchkey_domain::id::KeyId;
use quick_cache::sync::Cache;

/// A key and a model.
type Pair = (KeyId, u64);

/// Most pairs remembered; the least used are evicted.
const MAX_PAIRS: usize = 65_536;
/// Estimated tokens after which the sums are halved, so that the ratio follows what a key sends.
const WINDOW: u64 = 65_536;

/// Token sums of a key's settled calls to a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    estimated: u64,
    reported: u64,
}

impl Sums {
    fn with(self, estimated: u64, reported: u64) -> Self {
        let divisor = if self.estimated > WINDOW { 2 } else { 1 };
        let before =
            Self { estimated: self.estimated / divisor, reported: self.reported / divisor };
        Self {
            estimated: before.estimated.saturating_add(estimated),
            reported: before.reported.saturating_add(reported),
        }
    }

    /// Scales an estimate by the ratio, rounded up. Never lowers it.
    fn scaled(self, estimate: u32) -> u32 {
        let tokens = u128::from(estimate) * u128::from(self.reported);
        let tokens = tokens.div_ceil(u128::from(self.estimated.max(1)));
        u32::try_from(tokens).unwrap_or(u32::MAX).max(estimate)
    }
}

/// Ratios of the keys that this node has settled calls of.
pub(crate) struct PromptRatios {
    sums: Cache<Pair, Sums>,
    hasher: RandomState,
}

impl PromptRatios {
    pub(crate) fn new() -> Self {
        Self { sums: Cache::new(MAX_PAIRS), hasher: RandomState::default() }
    }

    /// Cache key for a key and a model.
    pub(crate) fn pair(&self, key: KeyId, model: Option<&str>) -> Pair {
        (key, self.hasher.hash_one(model.unwrap_or_default()))
    }

    /// Expected tokens of a prompt, from its estimate and previous calls.
    pub(crate) fn scaled(&self, pair: Pair, estimate: u32) -> u32 {
        self.sums.get(&pair).unwrap_or_default().scaled(estimate)
    }

    /// Learns from a call whose token usage was reported. A concurrent update may be lost, which is
    /// fine for an estimate.
    pub(crate) fn learn(&self, pair: Pair, estimated: u32, reported: u64) {
        let before = self.sums.get(&pair).unwrap_or_default();
        self.sums.insert(pair, before.with(estimated.into(), reported));
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::time::Timestamp;

    use super::*;

    #[test]
    fn estimate_is_scaled_by_previous_calls() {
        let ratios = PromptRatios::new();
        let key = KeyId::new(Timestamp::from_millis(0), [7; 10]);
        let pair = ratios.pair(key, Some("m"));
        assert_eq!(ratios.scaled(pair, 100), 100);
        ratios.learn(pair, 100, 250);
        assert_eq!(ratios.scaled(pair, 100), 250);
        assert_eq!(ratios.scaled(pair, 1), 3, "rounded up");
        assert_eq!(ratios.scaled(ratios.pair(key, Some("n")), 100), 100, "another model");
        assert_eq!(ratios.scaled(pair, u32::MAX), u32::MAX);
    }

    #[test]
    fn estimate_is_never_lowered() {
        assert_eq!(Sums { estimated: 100, reported: 87 }.scaled(200), 200);
        assert_eq!(Sums { estimated: 0, reported: 0 }.scaled(200), 200);
    }

    #[test]
    fn ratio_follows_a_change_of_content() {
        let english = (0..1_000).fold(Sums::default(), |sums, _| sums.with(1_000, 870));
        let digits = (0..200).fold(english, |sums, _| sums.with(1_000, 3_200));
        assert!((290..=320).contains(&digits.scaled(100)), "{}", digits.scaled(100));
    }
}
