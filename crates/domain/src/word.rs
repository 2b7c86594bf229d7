//! Enums as strings in JSON.
//!
//! serde's derive accepts a unit-only enum as a string or as an object with one member, and
//! `serde_json` reports anything else as a syntax error. Ours accept only a string: another type is
//! a wrong value of that field, and the message lists the words.

use std::fmt;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use strum::VariantArray;

/// All variants of an enum in order, as an array, whose length is part of its type.
pub(crate) const fn all<T: Copy + VariantArray, const N: usize>() -> [T; N] {
    *T::VARIANTS.first_chunk().expect("the caller counts the same variants")
}

/// Implements `ALL` and `as_str` for an enum that derives `strum`'s traits.
macro_rules! words {
    ($type:ty) => {
        impl $type {
            /// All variants, in the order in which they are declared.
            pub const ALL: [Self; <Self as strum::EnumCount>::COUNT] = $crate::word::all();

            /// The name in JSON, in query strings and in the database.
            pub const fn as_str(self) -> &'static str {
                <Self as strum::VariantNames>::VARIANTS[self as usize]
            }
        }
    };
}
pub(crate) use words;

/// Implements `from_name`.
macro_rules! from_name {
    ($type:ty) => {
        impl $type {
            /// The inverse of `as_str`.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.as_str() == name)
            }
        }
    };
}
pub(crate) use from_name;

/// Deserializes an enum from the string that [`as_str`] returns, one of `ALL`.
///
/// [`as_str`]: crate::key::Environment::as_str
macro_rules! from_words {
    ($type:ty) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::word::read(deserializer, &Self::ALL, Self::as_str)
            }
        }
    };
}
pub(crate) use from_words;

/// Deserializes one of `all`, whose strings `name` returns.
pub(crate) fn read<'de, D: Deserializer<'de>, T: Copy + 'static>(
    deserializer: D,
    all: &'static [T],
    name: fn(T) -> &'static str,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(Words { all, name })
}

struct Words<T: 'static> {
    all: &'static [T],
    name: fn(T) -> &'static str,
}

impl<T: Copy> Visitor<'_> for Words<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.all.iter().map(|one| format!("`{}`", (self.name)(*one))).collect();
        match words.as_slice() {
            [one, other] => write!(f, "{one} or {other}"),
            more => write!(f, "one of {}", more.join(", ")),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        let found = self.all.iter().find(|one| (self.name)(**one) == text);
        // The input is not repeated: it may be a misplaced secret.
        found.copied().ok_or_else(|| E::invalid_value(Unexpected::Other("another word"), &self))
    }
}

#[cfg(test)]
mod tests {
    use crate::api::{ApplicationEnvironment, KeySort, SessionEndReason, SpanKind, SpanStatus};
    use crate::audit::{ActorKind, TargetKind};
    use crate::key::{Environment, KeyKind, KeyStatus};
    use crate::limit::Period;
    use crate::outcome::Outcome;
    use crate::permission::ServicePermission;
    use crate::role::Role;
    use crate::tier::Tier;
    use crate::usage::UsageRange;

    /// Whether serde serializes and deserializes each variant by the name that `as_str` returns.
    macro_rules! assert_names {
        ($($type:ty),+) => {$(
            for one in <$type>::ALL {
                assert_eq!(serde_json::to_value(one).unwrap(), one.as_str());
                assert_eq!(serde_json::from_value::<$type>(one.as_str().into()).unwrap(), one);
            }
        )+};
    }

    #[test]
    fn words_have_the_same_name_in_json_and_elsewhere() {
        assert_names!(
            ActorKind,
            ApplicationEnvironment,
            Environment,
            KeyKind,
            KeySort,
            KeyStatus,
            Outcome,
            Period,
            Role,
            ServicePermission,
            SessionEndReason,
            SpanKind,
            SpanStatus,
            TargetKind,
            Tier,
            UsageRange
        );
    }
}
