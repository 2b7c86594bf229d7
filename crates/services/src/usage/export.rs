//! Usage reports as CSV.

use std::borrow::Cow;

use latchkey_domain::api::{GroupedUsage, Usage, UsageBucket, UsageGroup};
use latchkey_domain::outcome::Outcome;

use crate::csv_lines::csv_lines;

const BUCKET_COLUMNS: [&str; 8] = [
    "start",
    "requests",
    "valid",
    "denied",
    "prompt_tokens",
    "completion_tokens",
    "estimated_tokens",
    "cost_usd",
];
const GROUP_COLUMNS: [&str; 8] = [
    "group",
    "label",
    "requests",
    "valid",
    "denied",
    "prompt_tokens",
    "completion_tokens",
    "cost_usd",
];

/// The buckets of a report as CSV with a header line, oldest first.
pub fn buckets_as_csv(usage: &Usage) -> String {
    let header = [BUCKET_COLUMNS.map(Cow::from)];
    csv_lines(header.into_iter().chain(usage.buckets.iter().map(bucket_cells)))
}

fn bucket_cells(bucket: &UsageBucket) -> [Cow<'_, str>; BUCKET_COLUMNS.len()] {
    let requests: u64 = bucket.outcomes.values().sum();
    let valid = bucket.outcomes.get(&Outcome::Valid).copied().unwrap_or_default();
    [
        bucket.start.to_string().into(),
        requests.to_string().into(),
        valid.to_string().into(),
        (requests - valid).to_string().into(),
        bucket.prompt_tokens.to_string().into(),
        bucket.completion_tokens.to_string().into(),
        bucket.estimated_tokens.to_string().into(),
        bucket.cost_usd.to_string().into(),
    ]
}

/// The groups of a report as CSV with a header line, most requests first. The cells `group` and
/// `label` of requests that have none are empty.
pub fn groups_as_csv(usage: &GroupedUsage) -> String {
    let header = [GROUP_COLUMNS.map(Cow::from)];
    csv_lines(header.into_iter().chain(usage.data.iter().map(group_cells)))
}

fn group_cells(group: &UsageGroup) -> [Cow<'_, str>; GROUP_COLUMNS.len()] {
    [
        group.group.as_deref().unwrap_or_default().into(),
        group.label.as_deref().unwrap_or_default().into(),
        group.requests.to_string().into(),
        group.valid.to_string().into(),
        group.denied.to_string().into(),
        group.prompt_tokens.to_string().into(),
        group.completion_tokens.to_string().into(),
        group.cost_usd.to_string().into(),
    ]
}

#[cfg(test)]
mod tests {
    use latchkey_domain::api::UsageGrouping;
    use latchkey_domain::money::Usd;
    use latchkey_domain::time::Timestamp;
    use latchkey_domain::token_usage::TokenUsage;
    use latchkey_domain::usage::UsageRange;

    use super::*;

    #[test]
    fn bucket_is_a_line_of_csv() {
        let now = Timestamp::parse("2026-11-18T11:06:40Z").unwrap();
        let mut usage = Usage::none(UsageRange::Day, now);
        let tokens =
            TokenUsage { prompt: 30, completion: 12, estimated: 5, ..TokenUsage::default() };
        usage.add(now, Outcome::Valid, 2, tokens);
        usage.add(now, Outcome::RateLimited, 1, TokenUsage::default());
        usage.add_cost(now, Usd::from_billionths(250_000_000));
        let csv = buckets_as_csv(&usage);
        let lines: Vec<_> = csv.lines().collect();
        assert_eq!(lines.len(), 49);
        assert_eq!(
            lines[0],
            "start,requests,valid,denied,prompt_tokens,completion_tokens,estimated_tokens,cost_usd"
        );
        assert_eq!(lines[48], "2026-11-18T11:00:00.000Z,3,2,1,30,12,5,0.25");
        assert!(lines[1].ends_with(",0,0,0,0,0,0,0"), "{}", lines[1]);
    }

    #[test]
    fn group_is_a_line_of_csv_without_formulas() {
        let group = |label: Option<&str>| UsageGroup {
            group: label.map(str::to_owned),
            label: label.map(str::to_owned),
            requests: 3,
            valid: 2,
            denied: 1,
            prompt_tokens: 30,
            completion_tokens: 12,
            cost_usd: Usd::dollars(1),
        };
        let data = vec![group(Some("=1+1")), group(None)];
        let usage = GroupedUsage { range: UsageRange::Day, group_by: UsageGrouping::Tag, data };
        assert_eq!(
            groups_as_csv(&usage),
            "group,label,requests,valid,denied,prompt_tokens,completion_tokens,cost_usd\r\n\
             '=1+1,'=1+1,3,2,1,30,12,1\r\n,,3,2,1,30,12,1\r\n"
        );
    }
}
