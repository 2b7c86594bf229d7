//! A bar that shows how much of a limit is used, and large numbers in short form.

use leptos::prelude::*;

use super::slot_meter::tone;
use super::thousands;

/// The bar without its text, which is beside it.
#[component]
pub fn BarMeter(
    /// What is measured, for screen readers.
    #[prop(into)]
    label: String,
    /// Amount that has been used.
    used: u64,
    /// Amount that can be used.
    limit: u64,
    /// Used amount and limit in words.
    #[prop(into)]
    text: String,
    /// Whether it measures something that is over.
    #[prop(optional)]
    muted: bool,
    /// Whether it is on a card of its own.
    #[prop(optional)]
    large: bool,
) -> impl IntoView {
    let fill = if muted { "fill-ink-3" } else { tone(used, limit).bar() };
    let height = if large { "h-2" } else { "h-1.5" };
    view! {
        <svg
            class=format!("block w-full rounded-full bg-subtle inset-ring inset-ring-line {height}")
            role="meter"
            aria-label=label
            aria-valuemin="0"
            aria-valuemax=limit.to_string()
            aria-valuenow=used.min(limit).to_string()
            aria-valuetext=text
        >
            <rect class=fill width=format!("{}%", f64::from(permille(used, limit)) / 10.0) height="100%" rx="3"></rect>
        </svg>
    }
}

/// The used part in thousandths, at most all.
pub fn permille(used: u64, limit: u64) -> u16 {
    let part = u128::from(used.min(limit)) * 1_000 / u128::from(limit.max(1));
    u16::try_from(part).unwrap_or(1_000)
}

/// “64%”; one decimal below 10.
pub fn percent(used: u64, limit: u64) -> String {
    let part = u128::from(used) * 1_000 / u128::from(limit.max(1));
    if part == 0 {
        "0%".to_owned()
    } else if part < 100 {
        format!("{}.{}%", part / 10, part % 10)
    } else {
        format!("{}%", part / 10)
    }
}

/// A number with few digits: “9,999”, “12k”, “3.2M”, “1.5B”. It is rounded down: a
/// budget is never told to be spent before it is.
pub fn short(number: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "T"), (1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k")];
    if number < 10_000 {
        return thousands(number);
    }
    let unit = UNITS.into_iter().find(|(unit, _)| number >= *unit).unwrap_or((1, ""));
    let tenths = number / (unit.0 / 10);
    match (tenths / 10, tenths % 10) {
        (whole, tenth) if whole < 10 && tenth > 0 => format!("{whole}.{tenth}{}", unit.1),
        (whole, tenth) if whole < 100 && tenth > 0 && unit.0 > 1_000 => {
            format!("{whole}.{tenth}{}", unit.1)
        }
        (whole, _) => format!("{}{}", thousands(whole), unit.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_written_short() {
        for (number, text) in [
            (0, "0"),
            (9_999, "9,999"),
            (10_000, "10k"),
            (12_999, "12k"),
            (999_999, "999k"),
            (1_000_000, "1M"),
            (3_249_000, "3.2M"),
            (18_600_000, "18.6M"),
            (186_600_000, "186M"),
            (9_007_199_254_740_991, "9,007T"),
        ] {
            assert_eq!(short(number), text, "{number}");
        }
    }

    #[test]
    fn a_share_is_whole_from_10_percent_on() {
        for (used, limit, text) in
            [(0, 5, "0%"), (32, 1_000, "3.2%"), (1, 3, "33%"), (5, 5, "100%"), (6, 5, "120%")]
        {
            assert_eq!(percent(used, limit), text);
        }
        assert_eq!(permille(6, 5), 1_000);
        assert_eq!(permille(u64::MAX / 2, u64::MAX), 499);
        assert_eq!(permille(1, 0), 0);
    }
}
