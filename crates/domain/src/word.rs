//! Words of a fixed list, as JSON has them.
//!
//! serde's derive takes an enum without data from a text or from an object of one member, and
//! `serde_json` calls anything else there a syntax error. Ours are texts and nothing else: another
//! type is a wrong value of that field, and the message names the words.

use std::fmt;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use strum::VariantArray;

/// All variants of an enum in their order, as an array: its length is part of its type.
pub(crate) const fn all<T: Copy + VariantArray, const N: usize>() -> [T; N] {
    *T::VARIANTS.first_chunk().expect("the caller counts the same variants")
}

/// The list and the names of an enum that derives `strum`'s traits.
macro_rules! words {
    ($type:ty) => {
        impl $type {
            /// All of them, in the order in which they are declared.
            pub const ALL: [Self; <Self as strum::EnumCount>::COUNT] = $crate::word::all();

            /// The name in JSON, in query strings and in the database.
            pub const fn as_str(self) -> &'static str {
                <Self as strum::VariantNames>::VARIANTS[self as usize]
            }
        }
    };
}
pub(crate) use words;

/// The inverse of `as_str`.
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

/// Reads an enum from the text that [`as_str`] gives, one of `ALL`.
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

/// Reads one of `all`, which `name` names.
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
        // What was sent is not repeated: it may be a secret in the wrong place.
        found.copied().ok_or_else(|| E::invalid_value(Unexpected::Other("another word"), &self))
    }
}

#[cfg(test)]
mod tests {
    use crate::api::{ApplicationEnvironment, KeySort, SpanKind, SpanStatus};
    use crate::key::{Environment, KeyKind, KeyStatus};
    use crate::limit::Period;
    use crate::outcome::Outcome;
    use crate::permission::ServicePermission;
    use crate::role::Role;
    use crate::tier::Tier;
    use crate::usage::UsageRange;

    /// Whether serde writes and reads each of them by the name that `as_str` gives.
    macro_rules! assert_names {
        ($($type:ty),+) => {$(
            for one in <$type>::ALL {
                assert_eq!(serde_json::to_value(one).unwrap(), one.as_str());
                assert_eq!(serde_json::from_value::<$type>(one.as_str().into()).unwrap(), one);
            }
        )+};
    }

    #[test]
    fn words_have_one_name_in_json_and_elsewhere() {
        assert_names!(
            ApplicationEnvironment,
            Environment,
            KeyKind,
            KeySort,
            KeyStatus,
            Outcome,
            Period,
            Role,
            ServicePermission,
            SpanKind,
            SpanStatus,
            Tier,
            UsageRange
        );
    }
}
