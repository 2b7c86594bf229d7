//! Usage of a project, by what its keys have in common.

use serde::{Deserialize, Serialize};

use crate::money::Usd;
use crate::usage::UsageRange;
use crate::word::{from_name, from_words, words};

/// What the usage of a project is grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum UsageGrouping {
    /// Key that made the calls.
    #[default]
    Key,
    /// Model that the gateway was asked for.
    Model,
    /// Application that the key is scoped to.
    Application,
    /// External ID that the key has now.
    ExternalId,
    /// Tag that the key has now. A key with several tags counts under each of them.
    Tag,
}

words!(UsageGrouping);
from_words!(UsageGrouping);
from_name!(UsageGrouping);

/// Usage of a project in a time range, by group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroupedUsage {
    /// Time range of the report.
    pub range: UsageRange,
    /// What it is grouped by.
    pub group_by: UsageGrouping,
    /// Groups that were used, most requests first; at most 1,000.
    #[cfg_attr(feature = "openapi", schema(max_items = 1_000))]
    pub data: Vec<UsageGroup>,
}

impl GroupedUsage {
    /// Maximum number of groups.
    pub const MAX_GROUPS: usize = 1_000;
}

/// Usage of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageGroup {
    /// ID of the key or application, or the model, external ID or tag itself; null for requests
    /// that have none.
    pub group: Option<String>,
    /// Name of the key or application, or the same as `group`.
    pub label: Option<String>,
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
    /// Cost of the requests.
    pub cost_usd: Usd,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grouped_usage_serializes_as_documented() {
        let group = UsageGroup {
            group: None,
            label: None,
            requests: 3,
            valid: 2,
            denied: 1,
            prompt_tokens: 30,
            completion_tokens: 12,
            cost_usd: Usd::from_billionths(250_000_000),
        };
        let group_by = UsageGrouping::ExternalId;
        let usage = GroupedUsage { range: UsageRange::Day, group_by, data: vec![group] };
        let wire = serde_json::to_value(&usage).unwrap();
        let expected = serde_json::json!({
            "range": "24h", "group_by": "external_id", "data": [{
                "group": null, "label": null, "requests": 3, "valid": 2, "denied": 1,
                "prompt_tokens": 30, "completion_tokens": 12, "cost_usd": "0.25",
            }],
        });
        assert_eq!(wire, expected);
        assert_eq!(serde_json::from_value::<GroupedUsage>(wire).unwrap(), usage);
        for grouping in UsageGrouping::ALL {
            assert_eq!(serde_json::to_value(grouping).unwrap(), grouping.as_str());
            assert_eq!(UsageGrouping::from_name(grouping.as_str()), Some(grouping));
        }
    }
}
