//! Whole numbers in JSON.
//!
//! `60.0` and `6e1` are integers to JSON Schema, and some languages write every number that way.
//! serde accepts neither as an integer.

use std::fmt;

use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// The largest number that both databases and all of our sums can hold: 2^63 − 1.
pub(crate) const MAX: u64 = i64::MAX.unsigned_abs();

/// Deserializes a whole number from `min` to `max`.
///
/// # Errors
/// The value is not a whole number, or out of range.
pub(crate) fn between<'de, D: Deserializer<'de>>(
    deserializer: D,
    min: u64,
    max: u64,
) -> Result<u64, D::Error> {
    deserializer.deserialize_u64(Whole { min, max })
}

/// Deserializes a whole number from 0 to [`MAX`].
///
/// # Errors
/// The value is not a whole number, or out of range.
pub(crate) fn from_0<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    between(deserializer, 0, MAX)
}

struct Whole {
    min: u64,
    max: u64,
}

impl Visitor<'_> for Whole {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {} to {}", self.min, self.max)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        if (self.min..=self.max).contains(&number) {
            Ok(number)
        } else {
            Err(E::invalid_value(Unexpected::Unsigned(number), &self))
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is whole and within the range by then"
    )]
    fn visit_f64<E: Error>(self, number: f64) -> Result<u64, E> {
        /// 2^63. The next smaller `f64` is whole and fits.
        const END: f64 = 9_223_372_036_854_775_808.0;
        if number.fract() == 0.0 && (0.0..END).contains(&number) {
            self.visit_u64(number as u64)
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }
}
