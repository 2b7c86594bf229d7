//! Points in time, as stored, compared and shown everywhere in Latchkey.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Stored as that number, so that both databases sort it alike. Serialized as RFC 3339 in UTC with
/// three decimals, e.g. `2026-11-21T07:45:53.120Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is not a valid time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Use an RFC 3339 time such as 2026-11-21T07:45:53Z.")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// The range of RFC 3339, whose years have four digits.
    const RANGE: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

    /// From milliseconds since the Unix epoch, clamped to the years 0000–9999.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(*Self::RANGE.start(), *Self::RANGE.end()))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Parses RFC 3339 with any offset, truncated to milliseconds.
    ///
    /// # Errors
    /// The text is not RFC 3339.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTimestamp)?;
        let millis = time.timestamp_millis();
        if Self::RANGE.contains(&millis) { Ok(Self(millis)) } else { Err(InvalidTimestamp) }
    }

    /// As a calendar date and time in UTC, for display.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }

    /// Time since `earlier`; zero if `earlier` is in the future.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or_default())
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_add(millis))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_sub(millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A point in time with nanosecond precision, as telemetry sends it.
///
/// Stored as a [`Timestamp`] and the nanoseconds beyond it. Serialized as RFC 3339 in UTC with
/// three decimals, or nine if the time is finer than a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PreciseTimestamp {
    millisecond: Timestamp,
    nanos: u32,
}

impl PreciseTimestamp {
    const NANOS_PER_MILLI: u32 = 1_000_000;

    /// From a millisecond and the nanoseconds beyond it, 0 to 999,999.
    pub fn new(millisecond: Timestamp, nanos: u32) -> Self {
        Self { millisecond, nanos: nanos.min(Self::NANOS_PER_MILLI - 1) }
    }

    /// From nanoseconds since the Unix epoch.
    pub fn from_nanos(nanos: u64) -> Self {
        let per_milli = u64::from(Self::NANOS_PER_MILLI);
        let millis = i64::try_from(nanos / per_milli).unwrap_or(i64::MAX);
        let rest = u32::try_from(nanos % per_milli).unwrap_or_default();
        Self::new(Timestamp::from_millis(millis), rest)
    }

    /// The time truncated to a millisecond.
    pub const fn millisecond(self) -> Timestamp {
        self.millisecond
    }

    /// The nanoseconds beyond its millisecond.
    pub const fn nanos(self) -> u32 {
        self.nanos
    }

    /// Parses RFC 3339 with any offset, truncated to nanoseconds.
    ///
    /// # Errors
    /// The text is not RFC 3339.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTimestamp)?;
        let millis = time.timestamp_millis();
        if !Timestamp::RANGE.contains(&millis) {
            return Err(InvalidTimestamp);
        }
        let nanos = time.timestamp_subsec_nanos() % Self::NANOS_PER_MILLI;
        Ok(Self::new(Timestamp(millis), nanos))
    }
}

impl From<Timestamp> for PreciseTimestamp {
    fn from(millisecond: Timestamp) -> Self {
        Self { millisecond, nanos: 0 }
    }
}

impl fmt::Display for PreciseTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return self.millisecond.fmt(f);
        }
        let time = self.millisecond.to_utc() + Duration::from_nanos(self.nanos.into());
        f.write_str(&time.to_rfc3339_opts(SecondsFormat::Nanos, true))
    }
}

impl Serialize for PreciseTimestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PreciseTimestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
mod openapi {
    use utoipa::openapi::schema::{KnownFormat, Schema, SchemaFormat, Type};
    use utoipa::openapi::{ObjectBuilder, RefOr};

    use super::{PreciseTimestamp, Timestamp};

    fn date_time() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }

    impl utoipa::PartialSchema for Timestamp {
        fn schema() -> RefOr<Schema> {
            date_time()
        }
    }

    impl utoipa::ToSchema for Timestamp {}

    impl utoipa::PartialSchema for PreciseTimestamp {
        fn schema() -> RefOr<Schema> {
            date_time()
        }
    }

    impl utoipa::ToSchema for PreciseTimestamp {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn offset_is_converted_to_utc() {
        let time = Timestamp::parse("2026-11-21T08:45:53.1234+01:00").unwrap();
        assert_eq!(time.to_string(), "2026-11-21T07:45:53.123Z");
    }

    #[test]
    fn nanoseconds_are_written_when_there_are_any() {
        let time = PreciseTimestamp::from_nanos(1_795_000_000_123_000_007);
        assert_eq!(time.to_string(), "2026-11-18T11:06:40.123000007Z");
        let whole = PreciseTimestamp::from_nanos(1_795_000_000_123_000_000);
        assert_eq!(whole.to_string(), "2026-11-18T11:06:40.123Z");
        assert!(whole < time && whole == whole.millisecond().into());
        assert_eq!(PreciseTimestamp::parse("2026-11-18T12:06:40.123000007+01:00"), Ok(time));
    }

    #[test]
    fn invalid_time_is_refused() {
        for text in ["", "2026-11-21", "2026-13-01T00:00:00Z", "now", "2026-11-21T07:45:53"] {
            assert_eq!(Timestamp::parse(text), Err(InvalidTimestamp), "{text}");
        }
    }

    proptest! {
        #[test]
        fn timestamp_round_trips_through_text(millis: i64) {
            let time = Timestamp::from_millis(millis);
            prop_assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
        }

        #[test]
        fn precise_timestamp_round_trips_through_text(millis: i64, nanos in 0_u32..1_000_000) {
            let time = PreciseTimestamp::new(Timestamp::from_millis(millis), nanos);
            prop_assert_eq!(PreciseTimestamp::parse(&time.to_string()), Ok(time));
        }
    }
}
