//! Time resolutions at which usage is summed.

use std::time::Duration;

use latchkey_domain::time::Timestamp;
use latchkey_domain::usage::{UsageRange, floor};

/// Time resolution of a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resolution {
    /// One minute.
    Minute,
    /// One hour.
    Hour,
    /// One day in UTC.
    Day,
}

impl Resolution {
    /// From finest to coarsest.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Coarsest resolution that the range's buckets can be built from: the fewest rows to read.
    pub const fn of(range: UsageRange) -> Self {
        match range {
            UsageRange::Hour | UsageRange::Day => Self::Minute,
            UsageRange::Week => Self::Hour,
            UsageRange::Month => Self::Day,
        }
    }

    /// Name in the database.
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

    /// Retention of the sums.
    pub const fn retention(self) -> Duration {
        match self {
            Self::Minute => Duration::from_hours(48),
            Self::Hour => Duration::from_hours(35 * 24),
            Self::Day => Duration::from_hours(400 * 24),
        }
    }

    /// Start of the interval that contains `at`.
    pub fn floor(self, at: Timestamp) -> Timestamp {
        floor(at, self.width())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_is_made_of_whole_retained_sums() {
        for range in UsageRange::ALL {
            let resolution = Resolution::of(range);
            assert_eq!(range.bucket().as_millis() % resolution.width().as_millis(), 0, "{range}");
            assert!(range.bucket() * range.buckets() < resolution.retention(), "{range}");
        }
    }
}
