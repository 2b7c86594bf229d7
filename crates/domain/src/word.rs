//! Words of a fixed list, as JSON has them.
//!
//! serde's derive takes an enum without data from a text or from an object of one member, and
//! `serde_json` calls anything else there a syntax error. Ours are texts and nothing else: another
//! type is a wrong value of that field, and the message names the words.

use std::fmt;

use serde::de::{Deserializer, Error, Unexpected, Visitor};

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
