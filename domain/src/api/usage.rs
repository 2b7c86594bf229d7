//! What a key, or a whole project, was used for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::BudgetState;
use crate::id::KeyId;
use crate::outcome::Outcome;
use crate::time::Timestamp;
use crate::usage::UsageRange;

/// The use of a key, or of a project's keys together, over a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Usage {
    /// The range that was asked for.
    pub range: UsageRange,
    /// The sums over all buckets.
    pub totals: UsageTotals,
    /// The whole range in equal parts, earliest first, those without any request too.
    pub buckets: Vec<UsageBucket>,
    /// The last use, whatever its outcome and however long ago; null: never used.
    pub last_used: Option<LastUsed>,
    /// The newest denials of the range, newest first, at most 50.
    pub denials: Vec<RecentDenial>,
    /// The token budget, if the key has one.
    pub budget: Option<BudgetState>,
}

/// Sums over a range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageTotals {
    /// All requests.
    pub requests: u64,
    /// Those that were admitted.
    pub valid: u64,
    /// Those that were not.
    pub denied: u64,
    /// Tokens that went in.
    pub prompt_tokens: u64,
    /// Tokens that came out.
    pub completion_tokens: u64,
    /// How many of both are an estimate, because the upstream did not say.
    pub estimated_tokens: u64,
    /// Telemetry of admitted calls that was not stored: spans, log records and metrics.
    pub rejected_items: u64,
}

/// One part of a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageBucket {
    /// When it begins.
    pub start: Timestamp,
    /// Requests by outcome; an outcome that did not occur is left out.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, u64>, example = json!({"valid": 1204, "rate_limited": 27})))]
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Tokens that went in.
    pub prompt_tokens: u64,
    /// Tokens that came out.
    pub completion_tokens: u64,
    /// How many of both are an estimate, because the upstream did not say.
    pub estimated_tokens: u64,
}

/// The tokens of some requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenSum {
    /// That went in.
    pub prompt: u64,
    /// That came out.
    pub completion: u64,
    /// How many of both are an estimate.
    pub estimated: u64,
}

/// When and from where a key was last used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LastUsed {
    /// When.
    pub at: Timestamp,
    /// The address.
    pub ip: Option<String>,
}

/// A request that was not admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecentDenial {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub code: Outcome,
    /// Why, in words: what the limit is, what was used, when it frees.
    pub detail: String,
    /// The address that it came from.
    pub ip: Option<String>,
}

/// What a key was used for in the last 24 hours, for its line in a list of the pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyActivity {
    /// The key.
    pub key_id: KeyId,
    /// The hours, earliest first; the last one is not over.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<HourOfUse>, min_items = 24, max_items = 24))]
    pub hours: [HourOfUse; 24],
}

/// The requests of one hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HourOfUse {
    /// Those that were admitted.
    pub allowed: u64,
    /// Those that were not.
    pub denied: u64,
}

impl HourOfUse {
    /// Adds requests that came to that outcome.
    pub fn add(&mut self, outcome: Outcome, requests: u64) {
        if outcome == Outcome::Valid {
            self.allowed += requests;
        } else {
            self.denied += requests;
        }
    }
}

impl Usage {
    /// A range in which nothing was used, as seen at `now`.
    pub fn none(range: UsageRange, now: Timestamp) -> Self {
        let bucket = |start| UsageBucket {
            start,
            outcomes: BTreeMap::new(),
            prompt_tokens: 0,
            completion_tokens: 0,
            estimated_tokens: 0,
        };
        Self {
            range,
            totals: UsageTotals::default(),
            buckets: range.starts(now).map(bucket).collect(),
            last_used: None,
            denials: Vec::new(),
            budget: None,
        }
    }

    /// Adds requests and tokens to the bucket that `at` is in, and to the totals. What lies outside
    /// the range is not added.
    pub fn add(&mut self, at: Timestamp, outcome: Outcome, requests: u64, tokens: TokenSum) {
        let index = self.buckets.partition_point(|bucket| bucket.start <= at);
        let Some(bucket) = index.checked_sub(1).map(|index| &mut self.buckets[index]) else {
            return;
        };
        if at >= bucket.start + self.range.bucket() {
            return;
        }
        if requests > 0 {
            *bucket.outcomes.entry(outcome).or_default() += requests;
        }
        bucket.prompt_tokens += tokens.prompt;
        bucket.completion_tokens += tokens.completion;
        bucket.estimated_tokens += tokens.estimated;
        self.totals.requests += requests;
        if outcome == Outcome::Valid {
            self.totals.valid += requests;
        } else {
            self.totals.denied += requests;
        }
        self.totals.prompt_tokens += tokens.prompt;
        self.totals.completion_tokens += tokens.completion;
        self.totals.estimated_tokens += tokens.estimated;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: TokenSum = TokenSum { prompt: 0, completion: 0, estimated: 0 };

    #[test]
    fn usage_reads_as_the_contract_says() {
        let now = Timestamp::parse("2026-11-18T11:06:40Z").unwrap();
        let mut usage = Usage::none(UsageRange::Day, now);
        let tokens = TokenSum { prompt: 30, completion: 12, estimated: 5 };
        usage.add(now, Outcome::Valid, 2, tokens);
        usage.add(now, Outcome::RateLimited, 1, NONE);
        usage.last_used = Some(LastUsed { at: now, ip: Some("203.0.113.9".to_owned()) });
        let wire = serde_json::to_value(&usage).unwrap();
        assert_eq!(
            wire["totals"],
            serde_json::json!({
                "requests": 3, "valid": 2, "denied": 1, "prompt_tokens": 30, "completion_tokens": 12,
                "estimated_tokens": 5, "rejected_items": 0,
            })
        );
        assert_eq!(wire["range"], "24h");
        assert_eq!(wire["buckets"].as_array().unwrap().len(), 48);
        assert_eq!(
            wire["buckets"][47],
            serde_json::json!({
                "start": "2026-11-18T11:00:00.000Z", "outcomes": {"valid": 2, "rate_limited": 1},
                "prompt_tokens": 30, "completion_tokens": 12, "estimated_tokens": 5,
            })
        );
        assert_eq!(wire["buckets"][0]["outcomes"], serde_json::json!({}));
        assert_eq!(wire["denials"], serde_json::json!([]));
        assert_eq!(wire["budget"], serde_json::Value::Null);
        assert_eq!(serde_json::from_value::<Usage>(wire).unwrap(), usage);
    }

    #[test]
    fn what_lies_outside_the_range_is_not_added() {
        let now = Timestamp::parse("2026-11-18T11:06:40Z").unwrap();
        let mut usage = Usage::none(UsageRange::Hour, now);
        let (first, last) = (usage.buckets[0].start, usage.buckets[29].start);
        let instant = std::time::Duration::from_millis(1);
        let some = TokenSum { prompt: 1, completion: 1, estimated: 0 };
        usage.add(first - instant, Outcome::Valid, 1, some);
        usage.add(last + UsageRange::Hour.bucket(), Outcome::Valid, 1, some);
        assert_eq!(usage, Usage::none(UsageRange::Hour, now));
        usage.add(first, Outcome::Valid, 1, NONE);
        usage.add(last + UsageRange::Hour.bucket() - instant, Outcome::Valid, 1, NONE);
        assert_eq!(usage.totals.requests, 2);
    }
}
