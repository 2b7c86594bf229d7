//! Limits of other systems, whose windows have any length, as ours, which follow the calendar.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::budget::{Budget, Budgets};
use latchkey_domain::limit::{Period, Rpm, Tokens};

/// Milliseconds of a day.
pub(super) const DAY: u64 = 86_400_000;

/// Our periods and their lengths in milliseconds, shortest first. A month has 28 to 31 days.
static PERIODS: [(Period, std::ops::RangeInclusive<u64>); 5] = [
    (Period::Minute, 60_000..=60_000),
    (Period::Hour, 3_600_000..=3_600_000),
    (Period::Day, DAY..=DAY),
    (Period::Week, 7 * DAY..=7 * DAY),
    (Period::Month, 28 * DAY..=31 * DAY),
];

/// A limit for a window of so many milliseconds, as one for a period of ours: the shortest that
/// holds the window, with as much more in it as it is longer, rounded down. A window that is longer
/// than a month becomes a month, with as much less.
pub(super) fn by_period(limit: u64, window_millis: u64) -> (Period, u64) {
    let window = window_millis.max(1);
    let fitting = PERIODS.iter().find(|(_, lengths)| window <= *lengths.end());
    let (period, length) = match fitting {
        Some((period, lengths)) if lengths.contains(&window) => return (*period, limit),
        Some((period, lengths)) => (*period, *lengths.end()),
        None => (Period::Month, 30 * DAY),
    };
    let scaled = u128::from(limit) * u128::from(length) / u128::from(window);
    (period, u64::try_from(scaled).unwrap_or(u64::MAX).max(limit.min(1)))
}

/// The limits in requests of a key, the smallest of each period.
#[derive(Default)]
pub(super) struct Requests(Vec<(Period, u64)>);

impl Requests {
    /// Limits the requests of a window.
    pub(super) fn limit(&mut self, limit: u64, window_millis: u64) {
        let (period, limit) = by_period(limit, window_millis);
        self.limit_period(limit, period);
    }

    /// Limits the requests of a period.
    pub(super) fn limit_period(&mut self, limit: u64, period: Period) {
        match self.0.iter_mut().find(|(known, _)| *known == period) {
            Some((_, least)) => *least = limit.min(*least),
            None => self.0.push((period, limit)),
        }
    }

    /// Whether some limit admits nothing. No limit of ours is 0: such a key arrives disabled.
    pub(super) fn admit_nothing(&self) -> bool {
        self.0.iter().any(|(_, limit)| *limit == 0)
    }

    /// Sets the limits of a key: per minute as its rate, others as budgets.
    pub(super) fn set(self, key: &mut KeyRequest) {
        let mut budgets = Vec::new();
        for (period, limit) in self.0 {
            if period == Period::Minute {
                key.rpm = Rpm::new(limit.min(Rpm::MAX)).ok().map(Some);
            } else if let Ok(limit) = Tokens::new(limit.min(Tokens::MAX)) {
                budgets.push(Budget::requests(limit, period));
            }
        }
        if !budgets.is_empty() {
            key.budgets = Some(Some(Budgets::of_any_number(budgets)));
        }
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::key::KeyKind;

    use super::*;

    #[test]
    fn window_becomes_the_period_that_holds_it() {
        for (limit, window, expected) in [
            (10, 60_000, (Period::Minute, 10)),
            (5, 10_000, (Period::Minute, 30)),
            (10, 3_600_000, (Period::Hour, 10)),
            (100, 900_000, (Period::Hour, 400)),
            (10, DAY, (Period::Day, 10)),
            (3, 7 * DAY, (Period::Week, 3)),
            (3, 30 * DAY, (Period::Month, 3)),
            (3, 28 * DAY, (Period::Month, 3)),
            (10, 2 * DAY, (Period::Week, 35)),
            (1_200, 360 * DAY, (Period::Month, 100)),
            (1, 360 * DAY, (Period::Month, 1)),
            (1, 0, (Period::Minute, 60_000)),
            (u64::MAX, 1, (Period::Minute, u64::MAX)),
        ] {
            assert_eq!(by_period(limit, window), expected, "{limit} in {window} ms");
        }
    }

    #[test]
    fn smallest_limit_of_each_period_is_set() {
        let mut requests = Requests::default();
        requests.limit(10, 60_000);
        requests.limit(1, 10_000);
        requests.limit(50, DAY);
        requests.limit_period(7, Period::Total);
        assert!(!requests.admit_nothing());
        let mut key = KeyRequest::new("a".parse().unwrap(), KeyKind::Api);
        requests.set(&mut key);
        assert_eq!(key.rpm, Some(Some(Rpm::new(6).unwrap())));
        let budgets = key.budgets.flatten().unwrap();
        let kinds: Vec<_> = budgets.as_slice().iter().map(|budget| budget.period).collect();
        assert_eq!(kinds, [Period::Day, Period::Total]);
        let mut none = Requests::default();
        none.limit(0, DAY);
        assert!(none.admit_nothing());
    }
}
