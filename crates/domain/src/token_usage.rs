//! Token counts of calls to language models.

use std::ops::AddAssign;

/// Tokens of one call, or the sum of several calls. This single type is used from the upstream's
/// response to the chart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Number of prompt tokens.
    pub prompt: u64,
    /// Number of completion tokens.
    pub completion: u64,
    /// Number of prompt tokens that the upstream read from its cache.
    pub cached: u64,
    /// Number of prompt tokens that the upstream wrote to its cache.
    pub cache_written: u64,
    /// Number of prompt and completion tokens that are an estimate.
    pub estimated: u64,
}

impl TokenUsage {
    /// Maximum of each count per call. Without it, an upstream could report so many tokens that
    /// sums overflow.
    pub const MAX_PER_CALL: u64 = 1 << 40;

    /// Prompt and completion tokens.
    #[inline]
    pub const fn total(self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }

    /// The usage of one call, with each count at most [`Self::MAX_PER_CALL`].
    #[inline]
    #[must_use]
    pub fn bounded(self) -> Self {
        Self {
            prompt: self.prompt.min(Self::MAX_PER_CALL),
            completion: self.completion.min(Self::MAX_PER_CALL),
            cached: self.cached.min(Self::MAX_PER_CALL),
            cache_written: self.cache_written.min(Self::MAX_PER_CALL),
            estimated: self.estimated.min(Self::MAX_PER_CALL),
        }
    }
}

impl AddAssign for TokenUsage {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        self.prompt += other.prompt;
        self.completion += other.completion;
        self.cached += other.cached;
        self.cache_written += other.cache_written;
        self.estimated += other.estimated;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_usage_can_be_summed() {
        let reported = TokenUsage {
            prompt: u64::MAX,
            completion: u64::MAX,
            estimated: 7,
            ..TokenUsage::default()
        };
        assert_eq!(reported.total(), u64::MAX);
        let mut sum = reported.bounded();
        for _ in 1..1_000_000 {
            sum += reported.bounded();
        }
        assert_eq!((sum.prompt, sum.estimated), (1_000_000 << 40, 7_000_000));
    }
}
