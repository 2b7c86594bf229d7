//! How many tokens the prompts of a key's calls to a model have, beside their estimates.
//!
//! Text has more tokens than its estimate where it is code, numbers or another language than
//! English. What a key sends to a model is mostly of one kind, so its next prompt is taken to be
//! like the last ones.
//!
//! In the node's memory alone: a node that knows nothing goes by the estimate.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use latchkey_domain::id::KeyId;
use quick_cache::sync::Cache;

/// A key and a model.
type Pair = (KeyId, u64);

/// The pairs that are remembered, those that are called the most.
const MOST_PAIRS: usize = 65_536;
/// Beyond as many estimated tokens, older calls count half: what a key sends may change.
const WINDOW: u64 = 65_536;

/// What the calls of a key to a model have settled at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    estimated: u64,
    told: u64,
}

impl Sums {
    fn with(self, estimated: u64, told: u64) -> Self {
        let half = self.estimated > WINDOW;
        let before =
            if half { Self { estimated: self.estimated / 2, told: self.told / 2 } } else { self };
        Self {
            estimated: before.estimated.saturating_add(estimated),
            told: before.told.saturating_add(told),
        }
    }

    /// An estimate times the ratio, rounded up; no less than the estimate.
    fn scaled(self, estimate: u32) -> u32 {
        let tokens = u128::from(estimate) * u128::from(self.told);
        let tokens = tokens.div_ceil(u128::from(self.estimated.max(1)));
        u32::try_from(tokens).unwrap_or(u32::MAX).max(estimate)
    }
}

/// The ratios of all keys that this node has settled calls of.
pub(crate) struct PromptRatios {
    sums: Cache<Pair, Sums>,
    hasher: RandomState,
}

impl PromptRatios {
    pub(crate) fn new() -> Self {
        Self { sums: Cache::new(MOST_PAIRS), hasher: RandomState::default() }
    }

    /// What stands for a key and a model.
    pub(crate) fn pair(&self, key: KeyId, model: Option<&str>) -> Pair {
        (key, self.hasher.hash_one(model.unwrap_or_default()))
    }

    /// The tokens of a prompt, by its estimate and the calls before.
    pub(crate) fn scaled(&self, pair: Pair, estimate: u32) -> u32 {
        self.sums.get(&pair).unwrap_or_default().scaled(estimate)
    }

    /// Learns from a call whose tokens were told. Of two at once one may be lost: it is an estimate
    /// all the same.
    pub(crate) fn learn(&self, pair: Pair, estimated: u32, told: u64) {
        let before = self.sums.get(&pair).unwrap_or_default();
        self.sums.insert(pair, before.with(estimated.into(), told));
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::time::Timestamp;

    use super::*;

    #[test]
    fn a_prompt_is_taken_to_be_like_the_ones_before() {
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
    fn an_estimate_is_never_lowered() {
        assert_eq!(Sums { estimated: 100, told: 87 }.scaled(200), 200);
        assert_eq!(Sums { estimated: 0, told: 0 }.scaled(200), 200);
    }

    #[test]
    fn a_key_that_sends_something_else_is_followed() {
        let english = (0..1_000).fold(Sums::default(), |sums, _| sums.with(1_000, 870));
        let digits = (0..200).fold(english, |sums, _| sums.with(1_000, 3_200));
        assert!((290..=320).contains(&digits.scaled(100)), "{}", digits.scaled(100));
    }
}
