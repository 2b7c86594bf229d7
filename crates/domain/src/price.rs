//! What a model costs, and what a call costs at that price.

use serde::{Deserialize, Deserializer};

use crate::money::{MAX_PLACES, Usd};
use crate::token_usage::TokenUsage;

/// Prices are for this many tokens.
const MILLION: u128 = 1_000_000;

/// Price of a model in US dollars: tokens per million, and each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// A million prompt tokens.
    #[serde(deserialize_with = "dollars")]
    pub input: Usd,
    /// A million prompt tokens that the upstream read from its cache. `None`: as `input`.
    #[serde(default, deserialize_with = "some_dollars")]
    pub cached_input: Option<Usd>,
    /// A million prompt tokens that the upstream wrote to its cache. `None`: as `input`.
    #[serde(default, deserialize_with = "some_dollars")]
    pub cache_write: Option<Usd>,
    /// A million completion tokens.
    #[serde(deserialize_with = "dollars")]
    pub output: Usd,
    /// Each call.
    #[serde(default, deserialize_with = "dollars")]
    pub request: Usd,
}

fn dollars<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Usd, D::Error> {
    Usd::read(deserializer, MAX_PLACES)
}

fn some_dollars<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Usd>, D::Error> {
    dollars(deserializer).map(Some)
}

impl Price {
    /// Price of the built-in model `sandbox`: 1 and 2 dollars per million tokens. Test keys' calls
    /// of a model without a price cost the same, so that spend limits can be tried.
    pub const SANDBOX: Self = Self {
        input: Usd::dollars(1),
        cached_input: None,
        cache_write: None,
        output: Usd::dollars(2),
        request: Usd::ZERO,
    };

    /// Cost of a call, rounded up to the next billionth of a dollar.
    pub fn cost(&self, tokens: TokenUsage) -> Usd {
        let TokenUsage { prompt, completion, cached, cache_written, .. } = tokens;
        let cached = cached.min(prompt);
        let written = cache_written.min(prompt - cached);
        let uncached = prompt - cached - written;
        self.sum([
            (uncached, self.input),
            (cached, self.cached_input.unwrap_or(self.input)),
            (written, self.cache_write.unwrap_or(self.input)),
            (completion, self.output),
        ])
    }

    /// Most that a call of `prompt` and `completion` tokens costs, whatever part of the prompt is
    /// cached.
    pub fn max_cost(&self, prompt: u64, completion: u64) -> Usd {
        self.sum([(prompt, self.max_input()), (completion, self.output)])
    }

    /// Number of completion tokens that `money` pays for beside `prompt` tokens, at most
    /// `u64::MAX`. `None`: not even the prompt.
    pub fn affordable_completion(&self, money: Usd, prompt: u64) -> Option<u64> {
        let money = u128::from(money.billionths()) * MILLION;
        let request = u128::from(self.request.billionths()) * MILLION;
        let prompt = u128::from(prompt) * u128::from(self.max_input().billionths());
        let rest = money.checked_sub(request)?.checked_sub(prompt)?;
        match u128::from(self.output.billionths()) {
            0 => Some(u64::MAX),
            output => Some(u64::try_from(rest / output).unwrap_or(u64::MAX)),
        }
    }

    /// The higher of two prices in each part. No call costs more at either of them.
    #[must_use]
    pub fn highest(self, other: Self) -> Self {
        let of = |one: Option<Usd>, two: Option<Usd>| match (one, two) {
            (None, None) => None,
            (one, two) => Some(one.unwrap_or(self.input).max(two.unwrap_or(other.input))),
        };
        Self {
            input: self.input.max(other.input),
            cached_input: of(self.cached_input, other.cached_input),
            cache_write: of(self.cache_write, other.cache_write),
            output: self.output.max(other.output),
            request: self.request.max(other.request),
        }
    }

    fn max_input(&self) -> Usd {
        let cached = self.cached_input.unwrap_or(self.input);
        let written = self.cache_write.unwrap_or(self.input);
        self.input.max(cached).max(written)
    }

    fn sum<const N: usize>(&self, parts: [(u64, Usd); N]) -> Usd {
        let part =
            |(tokens, price): (u64, Usd)| u128::from(tokens) * u128::from(price.billionths());
        let tokens: u128 = parts.into_iter().map(part).fold(0, u128::saturating_add);
        let billionths = u64::try_from(tokens.div_ceil(MILLION)).unwrap_or(u64::MAX);
        Usd::from_billionths(billionths) + self.request
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn price(json: &str) -> Price {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn cost_prices_each_kind_of_token() {
        let price = price(
            r#"{"input": "0.40", "cached_input": 0.1, "cache_write": "0.50", "output": "1.20",
                "request": "0.001"}"#,
        );
        let tokens = TokenUsage {
            prompt: 1_000,
            completion: 100,
            cached: 600,
            cache_written: 100,
            estimated: 0,
        };
        // 300 × 400 + 600 × 100 + 100 × 500 + 100 × 1,200 billionths, and the request.
        assert_eq!(
            price.cost(tokens).billionths(),
            120_000 + 60_000 + 50_000 + 120_000 + 1_000_000
        );
    }

    #[test]
    fn no_call_costs_more_than_at_the_highest_price() {
        let cached = price(r#"{"input": 3, "cached_input": 1, "output": 4, "request": "0.1"}"#);
        let plain = price(r#"{"input": 2, "cache_write": 5, "output": 6}"#);
        let highest = cached.highest(plain);
        let wanted = price(
            r#"{"input": 3, "cached_input": 2, "cache_write": 5, "output": 6, "request": "0.1"}"#,
        );
        assert_eq!((highest, plain.highest(cached)), (wanted, wanted));
        assert_eq!(Price::SANDBOX.highest(Price::SANDBOX), Price::SANDBOX);
        for (cached_tokens, cache_written) in [(0, 0), (70, 10), (0, 100)] {
            let tokens = TokenUsage {
                prompt: 100,
                completion: 9,
                cached: cached_tokens,
                cache_written,
                estimated: 0,
            };
            for one in [cached, plain] {
                assert!(one.cost(tokens) <= highest.cost(tokens));
            }
        }
    }

    #[test]
    fn cost_is_rounded_up_to_a_billionth() {
        let price = price(r#"{"input": "0.000000001", "output": "0"}"#);
        let of = |prompt| price.cost(TokenUsage { prompt, ..TokenUsage::default() }).billionths();
        assert_eq!((of(0), of(1), of(1_000_000), of(1_000_001)), (0, 1, 1, 2));
    }

    #[test]
    fn price_needs_input_and_output_without_signs() {
        for json in [
            r#"{"input": "1"}"#,
            r#"{"output": "1"}"#,
            r#"{"input": "-1", "output": "1"}"#,
            r#"{"input": "+1", "output": "1"}"#,
            r#"{"input": "0.0000000001", "output": "1"}"#,
            r#"{"input": "1", "output": "1", "inputs": "1"}"#,
        ] {
            assert!(serde_json::from_str::<Price>(json).is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn affordable_completion_is_the_most_that_fits(
            money in 0_u64..1_000_000_000_000, input in 0_u64..100_000_000_000,
            output in 1_u64..100_000_000_000, request in 0_u64..1_000_000, prompt in 0_u64..1_000_000,
        ) {
            let usd = Usd::from_billionths;
            let price = Price {
                input: usd(input), cached_input: None, cache_write: None, output: usd(output),
                request: usd(request),
            };
            match price.affordable_completion(usd(money), prompt) {
                None => prop_assert!(price.max_cost(prompt, 0) > usd(money)),
                Some(tokens) => {
                    prop_assert!(price.max_cost(prompt, tokens) <= usd(money));
                    prop_assert!(price.max_cost(prompt, tokens + 1) > usd(money));
                }
            }
        }
    }
}
