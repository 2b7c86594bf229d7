//! Turns usage into the series of the charts.

use latchkey_domain::api::{Usage, UsageBucket};
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;
use latchkey_domain::usage::UsageRange;

use latchkey_ui::budget::dollars;
use latchkey_ui::chart::{Bucket, ChartData, Colour, Series};
use latchkey_ui::relative_time::{day_and_time, month_and_day_of, time_to_the_minute};

/// What requests came to, from the bottom.
pub const REQUESTS: &[Series] = &[
    Series { label: "Allowed", colour: Colour::One },
    Series { label: "Rate limited", colour: Colour::Three },
    Series { label: "Over budget", colour: Colour::Four },
    Series { label: "Other denials", colour: Colour::Five },
];

/// Tokens, from the bottom.
pub const TOKENS: &[Series] = &[
    Series { label: "Input", colour: Colour::One },
    Series { label: "Output", colour: Colour::Two },
];

/// Which of [`REQUESTS`] an outcome is counted with.
const fn series_of(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Valid => 0,
        Outcome::RateLimited | Outcome::TokenRateLimited | Outcome::TooManyParallelRequests => 1,
        Outcome::RequestBudgetExhausted
        | Outcome::TokenBudgetExhausted
        | Outcome::SpendLimitReached
        | Outcome::QuotaExceeded => 2,
        Outcome::MissingKey
        | Outcome::MalformedKey
        | Outcome::UnknownKey
        | Outcome::RevokedKey
        | Outcome::ExpiredKey
        | Outcome::DisabledKey
        | Outcome::WrongScope
        | Outcome::IpNotAllowed
        | Outcome::ModelNotAllowed
        | Outcome::ModelNotPriced
        | Outcome::InsufficientScope
        | Outcome::Unavailable => 3,
    }
}

/// The requests of each bucket.
pub fn requests(usage: &Usage) -> ChartData {
    chart(usage, |bucket| {
        let mut counts = vec![0; REQUESTS.len()];
        for (outcome, requests) in &bucket.outcomes {
            counts[series_of(*outcome)] += requests;
        }
        counts
    })
}

/// The tokens of each bucket, and what they cost.
pub fn tokens(usage: &Usage) -> ChartData {
    let mut chart = chart(usage, |bucket| vec![bucket.prompt_tokens, bucket.completion_tokens]);
    for (shown, bucket) in chart.buckets.iter_mut().zip(&usage.buckets) {
        shown.beside = dollars(bucket.cost_usd);
    }
    chart
}

fn chart(usage: &Usage, counts: impl Fn(&UsageBucket) -> Vec<u64>) -> ChartData {
    let range = usage.range;
    let buckets = usage
        .buckets
        .iter()
        .map(|bucket| Bucket {
            label: span(range, bucket.start),
            counts: counts(bucket),
            beside: String::new(),
        })
        .collect();
    ChartData { buckets, ticks: ticks(usage) }
}

/// From when to when a bucket goes.
fn span(range: UsageRange, start: Timestamp) -> String {
    let end = start + range.bucket();
    match range {
        UsageRange::Hour | UsageRange::Day => {
            format!("{} to {}", time_to_the_minute(start), time_to_the_minute(end))
        }
        UsageRange::Week => {
            let from = day_and_time(start);
            let from = from.trim_end_matches(" UTC");
            format!("{from} to {}", time_to_the_minute(end))
        }
        UsageRange::Month => month_and_day_of(start),
    }
}

/// Start of each quarter, and the end, which is now.
fn ticks(usage: &Usage) -> Vec<String> {
    let word = |start| match usage.range {
        UsageRange::Hour | UsageRange::Day => time_to_the_minute(start),
        UsageRange::Week | UsageRange::Month => month_and_day_of(start),
    };
    let count = usage.buckets.len();
    let quarters = (0..4).filter_map(|quarter| usage.buckets.get(quarter * count / 4));
    quarters.map(|bucket| word(bucket.start)).chain(["Now".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use latchkey_domain::token_usage::TokenUsage;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-18T11:06:40Z").unwrap()
    }

    #[test]
    fn every_request_is_in_one_series() {
        let mut usage = Usage::none(UsageRange::Day, now());
        for outcome in Outcome::ALL {
            let tokens = TokenUsage { prompt: 3, completion: 2, ..TokenUsage::default() };
            usage.add(now(), outcome, 1, tokens);
        }
        let last = requests(&usage).buckets.pop().unwrap();
        assert_eq!(last.counts, [1, 3, 4, 12]);
        assert_eq!(last.counts.iter().sum::<u64>(), usage.totals.requests);
        assert_eq!(last.label, "11:00 to 11:30");
        let last = tokens(&usage).buckets.pop().unwrap();
        assert_eq!(last.counts, [60, 40]);
        assert_eq!(last.beside, "$0");
    }

    #[test]
    fn buckets_and_ticks_are_named_by_their_range() {
        let of = |range| {
            let chart = requests(&Usage::none(range, now()));
            (chart.buckets[0].label.clone(), chart.ticks.join(" "))
        };
        let (first, ticks) = of(UsageRange::Hour);
        assert_eq!(
            (first.as_str(), ticks.as_str()),
            ("10:08 to 10:10", "10:08 10:22 10:38 10:52 Now")
        );
        let (first, ticks) = of(UsageRange::Week);
        assert_eq!(first, "Nov 11, 12:00 to 16:00");
        assert_eq!(ticks, "Nov 11 Nov 13 Nov 15 Nov 16 Now");
        let (first, ticks) = of(UsageRange::Month);
        assert_eq!((first.as_str(), ticks.as_str()), ("Oct 20", "Oct 20 Oct 27 Nov 4 Nov 11 Now"));
    }
}
