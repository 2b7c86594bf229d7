//! The widths in which use is summed.

use std::time::Duration;

use latchkey_domain::time::Timestamp;
use latchkey_domain::usage::{UsageRange, floor};

/// A width in which use is summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resolution {
    /// One minute.
    Minute,
    /// One hour.
    Hour,
    /// One day of UTC.
    Day,
}

impl Resolution {
    /// From the narrowest to the widest.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// The widest that the buckets of a range can be made of: the fewest rows to read.
    pub const fn of(range: UsageRange) -> Self {
        match range {
            UsageRange::Hour | UsageRange::Day => Self::Minute,
            UsageRange::Week => Self::Hour,
            UsageRange::Month => Self::Day,
        }
    }

    /// As it stands in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    const fn width(self) -> Duration {
        match self {
            Self::Minute => Duration::from_mins(1),
            Self::Hour => Duration::from_hours(1),
            Self::Day => Duration::from_hours(24),
        }
    }

    /// How long its sums are kept.
    pub const fn retention(self) -> Duration {
        match self {
            Self::Minute => Duration::from_hours(48),
            Self::Hour => Duration::from_hours(35 * 24),
            Self::Day => Duration::from_hours(400 * 24),
        }
    }

    /// The beginning of the sum that `at` belongs to.
    pub fn floor(self, at: Timestamp) -> Timestamp {
        floor(at, self.width())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_is_made_of_whole_sums_that_are_still_kept() {
        for range in UsageRange::ALL {
            let resolution = Resolution::of(range);
            assert_eq!(range.bucket().as_millis() % resolution.width().as_millis(), 0, "{range}");
            assert!(range.bucket() * range.buckets() < resolution.retention(), "{range}");
        }
    }
}
