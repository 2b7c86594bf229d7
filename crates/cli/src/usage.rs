//! `latchkey keys usage`.

use std::collections::BTreeMap;

use crate::args::KeyUsage;
use crate::client::Client;
use crate::failure::Done;
use crate::lists::read;
use crate::row::{Row, budget};
use crate::table::print_fields;
use crate::terminal::Screen;

/// The totals in the order in which they are shown.
const TOTALS: &[&str] = &[
    "requests",
    "valid",
    "denied",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "estimated_tokens",
    "cost_usd",
    "rejected_items",
];

/// The bars of a sparkline. The first stands for nothing.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Shows what a key was used for.
///
/// # Errors
/// The server refuses or can't be reached, or standard output can't be written.
pub(crate) async fn show(client: &Client, screen: Screen, asked: &KeyUsage) -> Done {
    let path = format!("/v1/keys/{}/usage", asked.id);
    let answer = client.get(&path, &[("range", asked.range.clone())]).await?;
    if client.json() {
        return screen.print_body(&answer.body);
    }
    let usage: Row = read(client, &answer)?;
    print_fields(screen, &fields(&usage, screen.width.is_some()))
}

fn fields(usage: &Row, with_sparkline: bool) -> Vec<(String, String)> {
    let mut fields = vec![("range".to_owned(), usage.text("range"))];
    if let Some(totals) = usage.object("totals") {
        fields.extend(TOTALS.iter().map(|name| ((*name).to_owned(), totals.text(name))));
    }
    let buckets = usage.objects("buckets");
    let outcomes: Vec<_> = buckets.iter().map(outcomes).collect();
    let mut denied: BTreeMap<&str, u64> = BTreeMap::new();
    for (code, count) in outcomes.iter().flatten().filter(|(code, _)| code != "valid") {
        *denied.entry(code).or_default() += count;
    }
    fields.extend(denied.iter().map(|(code, count)| (format!("denied.{code}"), count.to_string())));
    if let Some(last) = usage.object("last_used") {
        fields.push(("last_used_at".to_owned(), last.text("at")));
        fields.push(("last_used_ip".to_owned(), last.text("ip")));
    }
    let budgets = usage.objects("budgets");
    fields.extend(budgets.iter().filter_map(budget).map(|text| ("budget".to_owned(), text)));
    if with_sparkline && !outcomes.is_empty() {
        let requests =
            outcomes.iter().map(|bucket| bucket.iter().map(|(_, count)| count).sum::<u64>());
        fields.push(("activity".to_owned(), sparkline(&requests.collect::<Vec<u64>>())));
    }
    fields
}

/// How many requests of a bucket had which outcome.
fn outcomes(bucket: &Row) -> Vec<(String, u64)> {
    let Some(outcomes) = bucket.object("outcomes") else { return Vec::new() };
    outcomes.names().map(|code| (code.to_owned(), outcomes.number(code))).collect()
}

/// A bar for each number, the highest for the largest. Only nothing looks like nothing.
fn sparkline(numbers: &[u64]) -> String {
    let largest = u128::from(numbers.iter().copied().max().unwrap_or_default().max(1));
    let bar = |number: &u64| {
        let height = (u128::from(*number) * 7).div_ceil(largest);
        usize::try_from(height).ok().and_then(|height| BARS.get(height)).copied()
    };
    numbers.iter().filter_map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparkline_shows_one_request_beside_a_million() {
        assert_eq!(sparkline(&[0, 1, 500_000, 1_000_000]), "▁▂▅█");
        assert_eq!(sparkline(&[0, 0]), "▁▁");
        assert_eq!(sparkline(&[u64::MAX, 0]), "█▁");
        assert_eq!(sparkline(&[]), "");
    }

    #[test]
    fn usage_is_shown_by_totals_denials_and_budgets() {
        let usage: Row = serde_json::from_str(
            r#"{"range":"24h",
                "totals":{"requests":3,"valid":1,"denied":2,"cost_usd":"0.25"},
                "buckets":[{"outcomes":{"valid":1,"rate_limited":1}},{"outcomes":{"rate_limited":1}}],
                "last_used":{"at":"2026-11-30T14:48:10.000Z","ip":null},
                "budgets":[{"unit":"tokens","limit":100,"period":"day","used":7}]}"#,
        )
        .unwrap();
        let lines = fields(&usage, true);
        let lines: Vec<_> = lines.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for line in [
            "range=24h",
            "requests=3",
            "cost_usd=0.25",
            "denied.rate_limited=2",
            "last_used_at=2026-11-30T14:48:10.000Z",
            "last_used_ip=",
            "budget=7 of 100 tokens a day",
            "activity=█▅",
        ] {
            assert!(lines.iter().any(|one| one == line), "{line} is not in {lines:?}");
        }
        assert!(fields(&usage, false).iter().all(|(name, _)| name != "activity"));
    }
}
