//! US dollars, as whole billionths of a dollar.
//!
//! Floating point would round each sum. A billionth is finer than any price per token: a dollar per
//! million tokens is a thousand billionths a token. The largest amount, 2^63 − 1 billionths, is
//! about nine billion dollars, and fits the integers of both databases.

use std::fmt;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Decimal places of a dollar that an amount can have.
pub const MAX_PLACES: usize = 9;
/// Billionths in a dollar.
const BILLION: u64 = 1_000_000_000;

/// An amount of US dollars. In JSON it is a decimal string such as `"0.00012"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(u64);

/// The text is not an amount of dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Use dollars as a decimal number of 0 or more, with at most {places} decimal places.")]
pub struct InvalidUsd {
    places: usize,
}

impl Usd {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The largest amount that the databases can hold.
    pub const MAX: Self = Self(i64::MAX.unsigned_abs());

    /// Maximum that a call adds to a budget or a sum of costs. Without it, an upstream could report
    /// so many tokens that the integers of the database overflow.
    pub const MAX_PER_CALL: Self = Self::dollars(1_000_000);

    /// An amount in billionths of a dollar, at most [`Self::MAX`].
    pub const fn from_billionths(billionths: u64) -> Self {
        if billionths > Self::MAX.0 { Self::MAX } else { Self(billionths) }
    }

    /// The amount in billionths of a dollar.
    pub const fn billionths(self) -> u64 {
        self.0
    }

    /// Whole dollars.
    pub const fn dollars(dollars: u32) -> Self {
        Self(dollars as u64 * BILLION)
    }

    /// Parses a plain decimal number with at most `places` decimal places.
    ///
    /// # Errors
    /// The text has a sign, an exponent, more places, or is too large.
    pub fn parse(text: &str, places: usize) -> Result<Self, InvalidUsd> {
        let invalid = InvalidUsd { places };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(invalid);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > places.min(MAX_PLACES) {
            return Err(invalid);
        }
        let whole: u64 = whole.parse().map_err(|_| invalid)?;
        let fraction: u64 = format!("{fraction:0<MAX_PLACES$}").parse().map_err(|_| invalid)?;
        let billionths = whole.checked_mul(BILLION).and_then(|whole| whole.checked_add(fraction));
        billionths.map(Self).filter(|amount| *amount <= Self::MAX).ok_or(invalid)
    }

    /// Deserializes a decimal string or a number with at most `places` decimal places.
    ///
    /// # Errors
    /// The value is of another type, negative, too precise or too large.
    pub fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
        places: usize,
    ) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Decimal { places })
    }
}

impl Add for Usd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::from_billionths(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// The shortest decimal form: `5`, `0.25`, `0.000000001`.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / BILLION, self.0 % BILLION);
        if fraction == 0 {
            return whole.fmt(f);
        }
        let fraction = format!("{fraction:0MAX_PLACES$}");
        write!(f, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

impl FromStr for Usd {
    type Err = InvalidUsd;

    fn from_str(text: &str) -> Result<Self, InvalidUsd> {
        Self::parse(text, MAX_PLACES)
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(deserializer, MAX_PLACES)
    }
}

struct Decimal {
    places: usize,
}

impl Decimal {
    fn parse<E: Error>(&self, text: &str, unexpected: Unexpected<'_>) -> Result<Usd, E> {
        Usd::parse(text, self.places).map_err(|_| E::invalid_value(unexpected, self))
    }
}

impl Visitor<'_> for Decimal {
    type Value = Usd;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.places;
        write!(f, "dollars as a decimal number of 0 or more, with at most {places} decimal places")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Usd, E> {
        // The input is not repeated: it may be a misplaced secret.
        self.parse(text, Unexpected::Other("another text"))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Usd, E> {
        self.parse(&number.to_string(), Unexpected::Unsigned(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Usd, E> {
        self.parse(&number.to_string(), Unexpected::Signed(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Usd, E> {
        // The shortest text that reads back as this number is what the client wrote.
        self.parse(&number.to_string(), Unexpected::Float(number))
    }
}

#[cfg(feature = "openapi")]
mod schema {
    use utoipa::openapi::RefOr;
    use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
    use utoipa::{PartialSchema, ToSchema};

    use super::Usd;

    impl PartialSchema for Usd {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("US dollars, as a decimal number"))
                .max_length(Some(20))
                .pattern(Some(r"^[0-9]+(\.[0-9]{1,9})?$"))
                .examples(["0.00012"])
                .into()
        }
    }

    impl ToSchema for Usd {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_exact_to_the_billionth() {
        for (text, billionths) in [
            ("0", 0),
            ("5", 5_000_000_000),
            ("0.1", 100_000_000),
            ("0.000000001", 1),
            ("1.250", 1_250_000_000),
            ("9223372036.854775807", i64::MAX.unsigned_abs()),
        ] {
            assert_eq!(text.parse::<Usd>().unwrap().billionths(), billionths, "{text}");
        }
        for text in ["", ".5", "5.", "-1", "+1", "1e3", "1,000", "NaN", "inf", " 1", "0.0000000001"]
        {
            assert!(text.parse::<Usd>().is_err(), "{text}");
        }
        assert!("9223372036.854775808".parse::<Usd>().is_err());
        assert!(Usd::parse("0.0000001", 6).is_err());
        assert_eq!(Usd::parse("0.1000000", 6), Ok(Usd(100_000_000)), "zeros add no precision");
    }

    #[test]
    fn dollars_have_one_shortest_text() {
        for text in ["0", "5", "0.25", "0.000000001", "1204.5"] {
            assert_eq!(text.parse::<Usd>().unwrap().to_string(), text);
        }
        assert_eq!(serde_json::to_string(&Usd(1_500_000_000)).unwrap(), r#""1.5""#);
    }

    #[test]
    fn dollars_are_read_from_strings_and_numbers() {
        let read = |json: &str| serde_json::from_str::<Usd>(json).map(Usd::billionths);
        for (json, billionths) in [
            ("\"0.4\"", 400_000_000),
            ("0.4", 400_000_000),
            ("5", 5_000_000_000),
            ("5.0", 5_000_000_000),
            ("1e-9", 1),
        ] {
            assert_eq!(read(json).unwrap(), billionths, "{json}");
        }
        for json in ["-1", "-0.5", "\"-1\"", "null", "true", "1e300", "\"\"", "[]", "1e-10"] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
