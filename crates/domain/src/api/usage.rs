//! Usage reports of a key or a project.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BudgetState, TokenBudget};
use crate::attribute::{ExternalId, Tag};
use crate::id::KeyId;
use crate::key::Environment;
use crate::money::Usd;
use crate::outcome::Outcome;
use crate::time::Timestamp;
use crate::token_usage::TokenUsage;
use crate::usage::UsageRange;

/// Which keys of a project a usage report is about. By default all but service keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectUsageFilter {
    /// Only keys of this environment.
    pub environment: Option<Environment>,
    /// Only keys that have this external ID now.
    #[serde(default, deserialize_with = "ExternalId::given")]
    pub external_id: Option<ExternalId>,
    /// Only keys that have this tag now.
    #[serde(default, deserialize_with = "Tag::given")]
    pub tag: Option<Tag>,
}

/// Usage of a key, or of all keys of a project, in a time range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Usage {
    /// Time range of the report.
    pub range: UsageRange,
    /// Sums over all buckets.
    pub totals: UsageTotals,
    /// Consecutive buckets of equal width, oldest first, including empty ones.
    pub buckets: Vec<UsageBucket>,
    /// Last use, regardless of its outcome and of the range; null if never used.
    pub last_used: Option<LastUsed>,
    /// Up to 50 denied requests in the range, newest first.
    pub denials: Vec<RecentDenial>,
    /// State of the first budget in tokens; null if there is none.
    pub budget: Option<TokenBudget>,
    /// States of the budgets of the key or the project.
    #[cfg_attr(feature = "openapi", schema(max_items = 8))]
    pub budgets: Vec<BudgetState>,
}

/// Totals of a time range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageTotals {
    /// Number of requests, admitted or denied.
    pub requests: u64,
    /// Number of admitted requests.
    pub valid: u64,
    /// Number of denied requests.
    pub denied: u64,
    /// Number of prompt tokens.
    pub prompt_tokens: u64,
    /// Number of completion tokens.
    pub completion_tokens: u64,
    /// Number of these tokens that are an estimate because the upstream reported no usage.
    pub estimated_tokens: u64,
    /// Number of prompt tokens that upstreams read from their cache.
    pub cached_tokens: u64,
    /// Cost of these requests.
    pub cost_usd: Usd,
    /// Number of spans, log records and metric data points of admitted requests that were not
    /// stored.
    pub rejected_items: u64,
}

/// Usage in one interval of a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageBucket {
    /// Start of the interval.
    pub start: Timestamp,
    /// Number of requests by outcome. Outcomes that did not occur are omitted.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, u64>, example = json!({"valid": 1204, "rate_limited": 27})))]
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Number of prompt tokens.
    pub prompt_tokens: u64,
    /// Number of completion tokens.
    pub completion_tokens: u64,
    /// Number of these tokens that are an estimate because the upstream reported no usage.
    pub estimated_tokens: u64,
    /// Cost of the requests.
    pub cost_usd: Usd,
}

/// Time and IP address of a key's last use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LastUsed {
    /// Time of the last use.
    pub at: Timestamp,
    /// IP address of the last use.
    pub ip: Option<String>,
}

/// A request that was denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecentDenial {
    /// Time of the request.
    pub at: Timestamp,
    /// Outcome of the check.
    pub code: Outcome,
    /// Explanation: the limit, what was used, and when it resets.
    pub detail: String,
    /// IP address that the request came from.
    pub ip: Option<String>,
}

/// Hourly requests of a key in the last 24 hours, for the sparkline in the dashboard's lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyActivity {
    /// Key that the hours belong to.
    pub key_id: KeyId,
    /// One entry per hour, oldest first. The last one is the current hour.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<HourOfUse>, min_items = 24, max_items = 24))]
    pub hours: [HourOfUse; 24],
}

/// Requests in one hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HourOfUse {
    /// Number of admitted requests.
    pub allowed: u64,
    /// Number of denied requests.
    pub denied: u64,
}

impl HourOfUse {
    /// Adds requests with the given outcome.
    pub fn add(&mut self, outcome: Outcome, requests: u64) {
        if outcome == Outcome::Valid {
            self.allowed += requests;
        } else {
            self.denied += requests;
        }
    }
}

impl Usage {
    /// The range that ends at `now`, without any usage.
    pub fn none(range: UsageRange, now: Timestamp) -> Self {
        let bucket = |start| UsageBucket {
            start,
            outcomes: BTreeMap::new(),
            prompt_tokens: 0,
            completion_tokens: 0,
            estimated_tokens: 0,
            cost_usd: Usd::ZERO,
        };
        Self {
            range,
            totals: UsageTotals::default(),
            buckets: range.starts(now).map(bucket).collect(),
            last_used: None,
            denials: Vec::new(),
            budget: None,
            budgets: Vec::new(),
        }
    }

    /// Adds requests and tokens to the bucket that contains `at` and to the totals. Ignores times
    /// outside the range.
    pub fn add(&mut self, at: Timestamp, outcome: Outcome, requests: u64, tokens: TokenUsage) {
        let Some(bucket) = self.bucket(at) else { return };
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
        self.totals.cached_tokens += tokens.cached;
    }

    /// Adds the cost of requests that [`Self::add`] has added.
    pub fn add_cost(&mut self, at: Timestamp, cost: Usd) {
        let Some(bucket) = self.bucket(at) else { return };
        bucket.cost_usd += cost;
        self.totals.cost_usd += cost;
    }

    /// The bucket that contains `at`, if it is in the range.
    fn bucket(&mut self, at: Timestamp) -> Option<&mut UsageBucket> {
        let index = self.buckets.partition_point(|bucket| bucket.start <= at).checked_sub(1)?;
        let end = self.buckets[index].start + self.range.bucket();
        (at < end).then(|| &mut self.buckets[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_report_serializes_as_documented() {
        let now = Timestamp::parse("2026-11-18T11:06:40Z").unwrap();
        let mut usage = Usage::none(UsageRange::Day, now);
        let tokens = TokenUsage {
            prompt: 30,
            completion: 12,
            cached: 10,
            estimated: 5,
            ..TokenUsage::default()
        };
        usage.add(now, Outcome::Valid, 2, tokens);
        usage.add_cost(now, Usd::from_billionths(250_000_000));
        usage.add(now, Outcome::RateLimited, 1, TokenUsage::default());
        usage.last_used = Some(LastUsed { at: now, ip: Some("203.0.113.9".to_owned()) });
        let wire = serde_json::to_value(&usage).unwrap();
        assert_eq!(
            wire["totals"],
            serde_json::json!({
                "requests": 3, "valid": 2, "denied": 1, "prompt_tokens": 30, "completion_tokens": 12,
                "estimated_tokens": 5, "cached_tokens": 10, "cost_usd": "0.25", "rejected_items": 0,
            })
        );
        assert_eq!(wire["range"], "24h");
        assert_eq!(wire["buckets"].as_array().unwrap().len(), 48);
        assert_eq!(
            wire["buckets"][47],
            serde_json::json!({
                "start": "2026-11-18T11:00:00.000Z", "outcomes": {"valid": 2, "rate_limited": 1},
                "prompt_tokens": 30, "completion_tokens": 12, "estimated_tokens": 5,
                "cost_usd": "0.25",
            })
        );
        assert_eq!(wire["buckets"][0]["outcomes"], serde_json::json!({}));
        assert_eq!(wire["denials"], serde_json::json!([]));
        assert_eq!(wire["budget"], serde_json::Value::Null);
        assert_eq!(serde_json::from_value::<Usage>(wire).unwrap(), usage);
    }

    #[test]
    fn usage_outside_the_range_is_ignored() {
        let now = Timestamp::parse("2026-11-18T11:06:40Z").unwrap();
        let mut usage = Usage::none(UsageRange::Hour, now);
        let (first, last) = (usage.buckets[0].start, usage.buckets[29].start);
        let instant = std::time::Duration::from_millis(1);
        let some = TokenUsage { prompt: 1, completion: 1, ..TokenUsage::default() };
        usage.add(first - instant, Outcome::Valid, 1, some);
        usage.add(last + UsageRange::Hour.bucket(), Outcome::Valid, 1, some);
        usage.add_cost(first - instant, Usd::dollars(1));
        usage.add_cost(last + UsageRange::Hour.bucket(), Usd::dollars(1));
        assert_eq!(usage, Usage::none(UsageRange::Hour, now));
        usage.add(first, Outcome::Valid, 1, TokenUsage::default());
        usage.add(
            last + UsageRange::Hour.bucket() - instant,
            Outcome::Valid,
            1,
            TokenUsage::default(),
        );
        assert_eq!(usage.totals.requests, 2);
    }
}
