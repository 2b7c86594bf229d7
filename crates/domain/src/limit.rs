//! Restrictions of a key: numeric limits, periods, networks and models.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use chrono::{Datelike, Months, NaiveDate, NaiveTime};
use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::distinct::distinct;
use crate::time::Timestamp;
use crate::whole;
use crate::word::{from_name, from_words, words};

/// A whole number from 1 to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Limit<const MAX: u64>(u64);

/// Maximum requests per minute.
pub type Rpm = Limit<1_000_000_000>;
/// Number of tokens, per minute or per period. At most 2^53 − 1, the largest integer that every
/// JSON parser reads exactly.
pub type Tokens = Limit<9_007_199_254_740_991>;
/// Maximum concurrent gateway calls of a key.
pub type MaxParallel = Limit<1_000_000>;

/// Maximum concurrent gateway calls of a key that sets no limit.
pub const DEFAULT_MAX_PARALLEL: u64 = 64;

/// The number is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Use a whole number from 1 to {0}.")]
pub struct InvalidLimit(u64);

impl<const MAX: u64> Limit<MAX> {
    /// The largest accepted value.
    pub const MAX: u64 = MAX;

    /// The limit as a plain number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Creates a limit.
    ///
    /// # Errors
    /// `number` is not from 1 to `MAX`.
    pub fn new(number: u64) -> Result<Self, InvalidLimit> {
        if (1..=MAX).contains(&number) { Ok(Self(number)) } else { Err(InvalidLimit(MAX)) }
    }
}

impl<const MAX: u64> fmt::Display for Limit<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Parses digits as a person types them, optionally grouped by spaces, `_` or `,`.
impl<const MAX: u64> FromStr for Limit<MAX> {
    type Err = InvalidLimit;

    fn from_str(text: &str) -> Result<Self, InvalidLimit> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '_' | ',')).collect();
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = if plain { digits.parse().ok() } else { None };
        Self::new(number.unwrap_or_default())
    }
}

impl<const MAX: u64> Serialize for Limit<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de, const MAX: u64> Deserialize<'de> for Limit<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        whole::between(deserializer, 1, MAX).map(Self)
    }
}

/// Length of a budget's period. Periods follow the calendar in UTC; weeks start on Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Period {
    /// A calendar minute in UTC.
    Minute,
    /// A calendar hour in UTC.
    Hour,
    /// A calendar day in UTC.
    Day,
    /// A calendar week, starting on Monday.
    Week,
    /// A calendar month in UTC.
    Month,
    /// The whole life of what the budget limits.
    Total,
}

words!(Period);
from_words!(Period);
from_name!(Period);

impl Period {
    /// Start of the period that contains `now`, and start of the next one. `Total` starts with the
    /// Unix epoch and never ends.
    pub fn around(self, now: Timestamp) -> (Timestamp, Option<Timestamp>) {
        const MINUTE: i64 = 60_000;
        const DAY: i64 = 24 * 60 * MINUTE;
        // The Unix epoch was a Thursday; the Monday of its week was three days earlier.
        let (length, shift) = match self {
            Self::Minute => (MINUTE, 0),
            Self::Hour => (60 * MINUTE, 0),
            Self::Day => (DAY, 0),
            Self::Week => (7 * DAY, 3 * DAY),
            Self::Month => {
                let (start, end) = month_around(now);
                return (start, Some(end));
            }
            Self::Total => return (Timestamp::from_millis(0), None),
        };
        let begin = now.as_millis() - (now.as_millis() + shift).rem_euclid(length);
        (Timestamp::from_millis(begin), Some(Timestamp::from_millis(begin + length)))
    }

    /// How often a budget starts again, as it is said after its limit: “$5 a day”.
    pub const fn recurrence(self) -> &'static str {
        match self {
            Self::Minute => "a minute",
            Self::Hour => "an hour",
            Self::Day => "a day",
            Self::Week => "a week",
            Self::Month => "a month",
            Self::Total => "for life",
        }
    }
}

fn month_around(now: Timestamp) -> (Timestamp, Timestamp) {
    let first = now.to_utc().date_naive().with_day(1).unwrap_or_default();
    let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
    let midnight = |date: NaiveDate| {
        Timestamp::from_millis(date.and_time(NaiveTime::MIN).and_utc().timestamp_millis())
    };
    (midnight(first), midnight(next))
}

/// A network in CIDR notation, e.g. `203.0.113.0/24` or `2001:db8::/32`. A bare address is a
/// network of one address. IPv4-mapped IPv6 networks are stored as IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr(IpNet);

/// The text is not a network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Use a network such as 203.0.113.0/24 or 2001:db8::/32.")]
pub struct InvalidCidr;

impl Cidr {
    /// Whether the address is in this network. An IPv4-mapped IPv6 address counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let text = text.trim();
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(|network| Self(canonical(network.trunc()))).map_err(|_| InvalidCidr)
    }
}

/// Converts `::ffff:203.0.113.0/120` to `203.0.113.0/24`, the form in which addresses are compared.
fn canonical(network: IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    let IpNet::V6(six) = network else { return network };
    let inside = six.prefix_len().checked_sub(MAPPED);
    let four = six.addr().to_ipv4_mapped().zip(inside);
    let four = four.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    four.map_or(network, IpNet::V4)
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Cidr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Name of a model: 1–256 characters without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ModelName(String);

/// Why a text is not a valid model name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Use 1 to 256 characters, no control characters.")]
pub struct InvalidModelName;

impl ModelName {
    /// Maximum number of characters.
    pub const MAX_CHARACTERS: usize = 256;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ModelName {
    type Err = InvalidModelName;

    fn from_str(text: &str) -> Result<Self, InvalidModelName> {
        let name = text.trim();
        let fits = (1..=Self::MAX_CHARACTERS).contains(&name.chars().count());
        if fits && !name.chars().any(char::is_control) {
            Ok(Self(name.to_owned()))
        } else {
            Err(InvalidModelName)
        }
    }
}

impl<'de> Deserialize<'de> for ModelName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A list of 1 to 100 distinct items. To allow everything, omit the list: an empty one, which would
/// allow nothing, is rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct AllowList<T>(Vec<T>);

/// Why a list was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAllowList {
    /// An empty list would allow nothing.
    #[error("List at least one item, or omit the field to allow all.")]
    Empty,
    /// The list has more than [`AllowList::MAX`] items.
    #[error("List at most 100 items.")]
    TooMany,
}

impl<T: PartialEq> AllowList<T> {
    /// Maximum number of items.
    pub const MAX: usize = 100;

    /// Creates a list without duplicates.
    ///
    /// # Errors
    /// The list is empty or too long.
    pub fn new(all: Vec<T>) -> Result<Self, InvalidAllowList> {
        if all.len() > Self::MAX {
            return Err(InvalidAllowList::TooMany);
        }
        let list = distinct(all);
        if list.is_empty() { Err(InvalidAllowList::Empty) } else { Ok(Self(list)) }
    }
}

impl<T> AllowList<T> {
    /// The items in their original order.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de> + PartialEq> Deserialize<'de> for AllowList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
mod schemas {
    use utoipa::openapi::RefOr;
    use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, Type};
    use utoipa::{PartialSchema, ToSchema};

    use super::{Cidr, Limit, MaxParallel, ModelName, Rpm};

    impl<const MAX: u64> PartialSchema for Limit<MAX> {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(1))
                .maximum(Some(MAX))
                .into()
        }
    }

    impl<const MAX: u64> ToSchema for Limit<MAX> {
        fn name() -> std::borrow::Cow<'static, str> {
            match MAX {
                Rpm::MAX => "Rpm".into(),
                MaxParallel::MAX => "MaxParallel".into(),
                _ => "Tokens".into(),
            }
        }
    }

    impl PartialSchema for Cidr {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::Custom("cidr".to_owned())))
                .description(Some(
                    "A network in CIDR notation. A bare address is a network of one address",
                ))
                .examples(["203.0.113.0/24"])
                .into()
        }
    }

    impl ToSchema for Cidr {}

    impl PartialSchema for ModelName {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(Self::MAX_CHARACTERS))
                .pattern(Some(concat!(
                    r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f]",
                    r"[^\x00-\x1f\x7f-\x9f]*$"
                )))
                .examples(["sandbox"])
                .into()
        }
    }

    impl ToSchema for ModelName {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_accepts_whole_numbers_from_1() {
        assert_eq!(serde_json::from_str::<Rpm>("600").unwrap().get(), 600);
        for text in ["600.0", "6e2"] {
            assert_eq!(serde_json::from_str::<Rpm>(text).unwrap().get(), 600, "{text}");
        }
        for text in
            ["0", "-1", "1.5", "0.0", "\"600\"", "null", "1000000001", "99999999999999999999"]
        {
            assert!(serde_json::from_str::<Rpm>(text).is_err(), "{text}");
        }
        assert_eq!("5 000,000".parse::<Tokens>().unwrap().get(), 5_000_000);
        for text in ["", "0", "-5", "five", "1.0"] {
            assert!(text.parse::<Tokens>().is_err(), "{text}");
        }
    }

    #[test]
    fn periods_follow_the_calendar() {
        let time = |text: &str| Timestamp::parse(text).unwrap();
        let now = time("2026-12-31T23:59:59.999Z");
        for (period, begin, end) in [
            (Period::Minute, "2026-12-31T23:59:00Z", "2027-01-01T00:00:00Z"),
            (Period::Hour, "2026-12-31T23:00:00Z", "2027-01-01T00:00:00Z"),
            (Period::Day, "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"),
            (Period::Week, "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"),
            (Period::Month, "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(period.around(now), (time(begin), Some(time(end))), "{period:?}");
            assert_eq!(period.around(time(end)).0, time(end), "{period:?}");
        }
        assert_eq!(Period::Total.around(now), (Timestamp::from_millis(0), None));
    }

    #[test]
    fn network_contains_ipv4_addresses_in_mapped_form() {
        let network: Cidr = "203.0.113.9/24".parse().unwrap();
        assert_eq!(network.to_string(), "203.0.113.0/24");
        assert!(network.contains("203.0.113.200".parse().unwrap()));
        assert!(network.contains("::ffff:203.0.113.200".parse().unwrap()));
        assert!(!network.contains("203.0.114.1".parse().unwrap()));
        assert_eq!("2001:db8::1".parse::<Cidr>().unwrap().to_string(), "2001:db8::1/128");
        for (mapped, stored) in [
            ("::ffff:203.0.113.7", "203.0.113.7/32"),
            ("::ffff:203.0.113.7/128", "203.0.113.7/32"),
            ("::ffff:cb00:7107/120", "203.0.113.0/24"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:0:0/95", "::fffe:0:0/95"),
            ("::203.0.113.7", "::cb00:7107/128"),
        ] {
            assert_eq!(mapped.parse::<Cidr>().unwrap().to_string(), stored, "{mapped}");
        }
        let mapped: Cidr = "::ffff:203.0.113.0/120".parse().unwrap();
        assert!(mapped.contains("203.0.113.200".parse().unwrap()));
        assert!(mapped.contains("::ffff:203.0.113.200".parse().unwrap()));
        for text in ["", "203.0.113.0/33", "example.com", "10.0.0", "10.0.0.0/-1"] {
            assert_eq!(text.parse::<Cidr>(), Err(InvalidCidr), "{text}");
        }
    }

    #[test]
    fn allow_list_has_1_to_100_distinct_items() {
        let list = |text: &str| serde_json::from_str::<AllowList<ModelName>>(text);
        assert_eq!(list(r#"["a","b","a"]"#).unwrap().as_slice().len(), 2);
        assert!(list("[]").unwrap_err().to_string().starts_with("List at least one"));
        assert!(list(r#"[""]"#).is_err());
        let many: Vec<u32> = (0..101).collect();
        assert_eq!(AllowList::new(many), Err(InvalidAllowList::TooMany));
        assert_eq!(AllowList::new(vec!["a"; 101]), Err(InvalidAllowList::TooMany));
    }
}
