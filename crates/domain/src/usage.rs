//! Time units of usage: chart ranges, their buckets, and the calendar months of the quota, all in
//! UTC.

use std::fmt;
use std::time::Duration;

use chrono::Datelike;
use serde::Serialize;

use crate::time::Timestamp;
use crate::word::{from_name, from_words, words};

const DAY: Duration = Duration::from_hours(24);

/// Time range of a usage report.
///
/// A range ends now and is split into buckets that start at whole multiples of their width in UTC;
/// the last bucket contains the current time.
///
/// | range | bucket | buckets |
/// |---|---|---|
/// | `1h` | 2 min | 30 |
/// | `24h` | 30 min | 48 |
/// | `7d` | 4 h | 42 |
/// | `30d` | 1 d | 30 |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
pub enum UsageRange {
    /// The last 60 minutes.
    #[serde(rename = "1h")]
    #[strum(serialize = "1h")]
    Hour,
    /// The last 24 hours.
    #[default]
    #[serde(rename = "24h")]
    #[strum(serialize = "24h")]
    Day,
    /// The last 7 days.
    #[serde(rename = "7d")]
    #[strum(serialize = "7d")]
    Week,
    /// The last 30 days.
    #[serde(rename = "30d")]
    #[strum(serialize = "30d")]
    Month,
}

words!(UsageRange);
from_words!(UsageRange);
from_name!(UsageRange);

impl UsageRange {
    /// Width of a bucket.
    pub const fn bucket(self) -> Duration {
        match self {
            Self::Hour => Duration::from_mins(2),
            Self::Day => Duration::from_mins(30),
            Self::Week => Duration::from_hours(4),
            Self::Month => DAY,
        }
    }

    /// Number of buckets in the range.
    pub const fn buckets(self) -> u32 {
        match self {
            Self::Hour | Self::Month => 30,
            Self::Day => 48,
            Self::Week => 42,
        }
    }

    /// Start of the first bucket of the range that ends at `now`.
    pub fn start(self, now: Timestamp) -> Timestamp {
        floor(now, self.bucket()) - self.bucket() * (self.buckets() - 1)
    }

    /// Start of each bucket at `now`, oldest first.
    pub fn starts(self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        let start = self.start(now);
        (0..self.buckets()).map(move |index| start + self.bucket() * index)
    }
}

impl fmt::Display for UsageRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Rounds `at` down to a multiple of `width` since the Unix epoch.
///
/// `width` must be at least a millisecond.
pub fn floor(at: Timestamp, width: Duration) -> Timestamp {
    let width = i64::try_from(width.as_millis()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_millis(at.as_millis() - at.as_millis().rem_euclid(width))
}

/// A calendar month in UTC: the period of the quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(Timestamp);

impl Month {
    /// The month that contains `at`.
    pub fn of(at: Timestamp) -> Self {
        Self(floor(at, DAY) - DAY * at.to_utc().day0())
    }

    /// First instant of the month.
    pub const fn start(self) -> Timestamp {
        self.0
    }

    /// First instant of the next month.
    pub fn end(self) -> Timestamp {
        // No month has 32 days, so this is always in the next one.
        Self::of(self.0 + DAY * 32).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn range_has_the_same_name_everywhere() {
        for range in UsageRange::ALL {
            assert_eq!(serde_json::to_value(range).unwrap(), range.as_str());
            assert_eq!(UsageRange::from_name(range.as_str()), Some(range));
        }
        for text in ["", "1H", "60m", "24", "31d"] {
            assert_eq!(UsageRange::from_name(text), None, "{text}");
        }
    }

    #[test]
    fn buckets_align_to_utc_and_include_now() {
        let now = at("2026-11-18T11:06:40Z");
        let ends = |range: UsageRange| {
            let starts: Vec<_> = range.starts(now).collect();
            (starts[0], starts[starts.len() - 1])
        };
        assert_eq!(
            ends(UsageRange::Hour),
            (at("2026-11-18T10:08:00Z"), at("2026-11-18T11:06:00Z"))
        );
        assert_eq!(ends(UsageRange::Day), (at("2026-11-17T11:30:00Z"), at("2026-11-18T11:00:00Z")));
        assert_eq!(
            ends(UsageRange::Week),
            (at("2026-11-11T12:00:00Z"), at("2026-11-18T08:00:00Z"))
        );
        assert_eq!(
            ends(UsageRange::Month),
            (at("2026-10-20T00:00:00Z"), at("2026-11-18T00:00:00Z"))
        );
    }

    #[test]
    fn buckets_cover_the_whole_range() {
        let hours = [1, 24, 7 * 24, 30 * 24];
        for (range, hours) in UsageRange::ALL.into_iter().zip(hours) {
            assert_eq!(range.bucket() * range.buckets(), Duration::from_hours(hours));
        }
    }

    #[test]
    fn month_ends_at_midnight_utc() {
        let month = Month::of(at("2028-02-29T23:59:59.999Z"));
        assert_eq!(month.start(), at("2028-02-01T00:00:00Z"));
        assert_eq!(month.end(), at("2028-03-01T00:00:00Z"));
        assert_eq!(Month::of(at("2028-03-01T00:00:00Z")).start(), month.end());
        assert_eq!(Month::of(at("2026-12-31T12:00:00Z")).end(), at("2027-01-01T00:00:00Z"));
    }

    proptest! {
        #[test]
        fn time_is_within_its_month(millis in -62_000_000_000_000_i64..250_000_000_000_000) {
            let time = Timestamp::from_millis(millis);
            let month = Month::of(time);
            prop_assert!(month.start() <= time && time < month.end());
            prop_assert_eq!(Month::of(month.start()), month);
        }

        #[test]
        fn now_is_in_the_last_bucket(millis in 0_i64..4_000_000_000_000) {
            let now = Timestamp::from_millis(millis);
            for range in UsageRange::ALL {
                let last = range.starts(now).last().unwrap();
                prop_assert!(last <= now && now < last + range.bucket());
            }
        }
    }
}
