//! The last 24 hours of a key in a table row: requests per hour, and how many of them were denied.

use latchkey_domain::api::HourOfUse;
use leptos::prelude::*;

const HEIGHT: u64 = 24;
/// What a denial takes at least: one among thousands must be seen.
const LEAST_DENIED: u64 = 2;

/// The bars, earliest first. Without traffic, only the baseline.
#[component]
pub fn Sparkline(
    /// Requests of the last 24 hours.
    hours: [HourOfUse; 24],
) -> impl IntoView {
    let highest = hours.iter().map(|hour| hour.allowed + hour.denied).max().unwrap_or_default();
    let bars = (0..).step_by(4).zip(hours).map(|(x, hour)| {
        let (allowed, denied) = heights(hour, highest);
        let bar = move |class: &'static str, bottom: u64, height: u64| {
            (height > 0).then(|| {
                let y = (HEIGHT - bottom - height).to_string();
                view! { <rect class=class x=x.to_string() y=y width="3" height=height.to_string()></rect> }
            })
        };
        view! {
            {(allowed + denied == 0).then(|| bar("fill-line-strong", 0, 1))}
            {bar("fill-series-1", 0, allowed)}
            {bar("fill-series-4", allowed, denied)}
        }
    });
    view! {
        <svg class="h-6 w-[95px]" viewBox="0 0 95 24" role="img" aria-label=in_words(&hours)>
            {bars.collect_view()}
        </svg>
    }
}

/// How high an hour's two parts are, next to the busiest hour. What is there is seen.
fn heights(hour: HourOfUse, highest: u64) -> (u64, u64) {
    let scaled = |count: u64, least: u64| match count {
        0 => 0,
        count => (count.saturating_mul(HEIGHT) / highest.max(1)).clamp(least, HEIGHT),
    };
    let denied = scaled(hour.denied, LEAST_DENIED);
    (scaled(hour.allowed, 1).min(HEIGHT - denied), denied)
}

/// “1,204 requests in 24 hours, 27 denied”.
fn in_words(hours: &[HourOfUse]) -> String {
    let denied: u64 = hours.iter().map(|hour| hour.denied).sum();
    let requests = hours.iter().map(|hour| hour.allowed).sum::<u64>() + denied;
    let noun = if requests == 1 { "request" } else { "requests" };
    let refused =
        if denied == 0 { String::new() } else { format!(", {} denied", super::thousands(denied)) };
    format!("{} {noun} in 24 hours{refused}", super::thousands(requests))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(allowed: u64, denied: u64) -> HourOfUse {
        HourOfUse { allowed, denied }
    }

    #[test]
    fn a_denial_among_thousands_is_seen_and_no_bar_is_too_high() {
        assert_eq!(heights(hour(9_999, 1), 10_000), (22, 2));
        assert_eq!(heights(hour(1, 0), 1_000_000), (1, 0));
        assert_eq!(heights(hour(0, 7), 7), (0, 24));
        assert_eq!(heights(hour(0, 0), 0), (0, 0));
        assert_eq!(heights(hour(u64::MAX / 2, 5), u64::MAX), (1, 2));
    }

    #[test]
    fn the_numbers_are_told() {
        assert_eq!(
            in_words(&[hour(1_000, 27), hour(177, 0)]),
            "1,204 requests in 24 hours, 27 denied"
        );
        assert_eq!(in_words(&[hour(1, 0)]), "1 request in 24 hours");
        assert_eq!(in_words(&[hour(0, 0)]), "0 requests in 24 hours");
    }
}
