//! What may be shown of a key: the masked form of one of ours, or the hint of an imported one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::mask;
use crate::name::is_control;
use crate::secret::KeyHint;

/// The masked form of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MaskedSecret {
    /// Of a key of ours: `lk_live_7Qm2...x9Kd`.
    Own(KeyHint),
    /// Of an imported key that has not been rotated.
    Imported(ForeignHint),
}

/// What another system showed of a key: 1–64 characters, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ForeignHint(String);

/// The text can't be shown for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHint {
    /// Empty, too long, or with invisible characters.
    #[error("Use 1 to 64 characters, no line breaks, tabs or other control characters.")]
    Characters,
    /// The text has a whole key in it.
    #[error("Use a part of the key that may be shown, not the whole key.")]
    Secret,
}

impl ForeignHint {
    /// Maximum number of characters (Unicode scalar values).
    pub const MAX_CHARACTERS: usize = 64;

    /// The hint as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A hint that was accepted before. What counts as a whole key may have changed since.
    fn accepted(text: &str) -> Result<Self, InvalidHint> {
        let text = text.trim();
        let count = text.chars().take(Self::MAX_CHARACTERS + 1).count();
        let fits = (1..=Self::MAX_CHARACTERS).contains(&count);
        if !fits || text.chars().any(is_control) {
            return Err(InvalidHint::Characters);
        }
        Ok(Self(text.to_owned()))
    }
}

impl Default for ForeignHint {
    /// The masked form of an imported key without a hint.
    fn default() -> Self {
        Self("imported".to_owned())
    }
}

impl FromStr for ForeignHint {
    type Err = InvalidHint;

    fn from_str(text: &str) -> Result<Self, InvalidHint> {
        let hint = Self::accepted(text)?;
        match mask::masked(hint.0.as_bytes()) {
            Some(_) => Err(InvalidHint::Secret),
            None => Ok(hint),
        }
    }
}

impl fmt::Display for ForeignHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ForeignHint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl From<KeyHint> for MaskedSecret {
    fn from(hint: KeyHint) -> Self {
        Self::Own(hint)
    }
}

impl MaskedSecret {
    /// Whether it is that of a key of ours, as `hint` says.
    pub fn is(&self, hint: &KeyHint) -> bool {
        matches!(self, Self::Own(own) if own == hint)
    }
}

impl fmt::Display for MaskedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(hint) => hint.fmt(f),
            Self::Imported(hint) => hint.fmt(f),
        }
    }
}

impl FromStr for MaskedSecret {
    type Err = InvalidHint;

    fn from_str(text: &str) -> Result<Self, InvalidHint> {
        text.parse().map(Self::Own).or_else(|_| ForeignHint::accepted(text).map(Self::Imported))
    }
}

impl Serialize for MaskedSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MaskedSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
mod schemas {
    use utoipa::openapi::RefOr;
    use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
    use utoipa::{PartialSchema, ToSchema};

    use super::{ForeignHint, MaskedSecret};

    impl PartialSchema for ForeignHint {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(Self::MAX_CHARACTERS))
                .examples(["sk-...x9Kd"])
                .into()
        }
    }

    impl ToSchema for ForeignHint {}

    impl PartialSchema for MaskedSecret {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(ForeignHint::MAX_CHARACTERS))
                .description(Some(
                    "Masked secret. That of an imported key is its hint, until it is rotated",
                ))
                .examples(["lk_live_7Qm2...x9Kd"])
                .into()
        }
    }

    impl ToSchema for MaskedSecret {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masked_form_of_ours_is_told_from_a_hint() {
        let own: MaskedSecret = "lk_live_7Qm2...x9Kd".parse().unwrap();
        assert!(matches!(&own, MaskedSecret::Own(hint) if own.is(hint)));
        for text in ["imported", "sk-...abcd", "Clé …9f", "lk_live_7Qm2"] {
            let hint: MaskedSecret = text.parse().unwrap();
            assert_eq!(hint, MaskedSecret::Imported(ForeignHint(text.to_owned())));
            assert_eq!(hint.to_string(), text);
        }
        assert_eq!(ForeignHint::default().to_string().parse(), Ok(ForeignHint::default()));
    }

    #[test]
    fn hint_never_holds_a_whole_key() {
        let key = "lk_live_000000000000000000000000000000004cjNQE";
        for text in [key.to_owned(), format!("my {key}")] {
            assert_eq!(text.parse::<ForeignHint>(), Err(InvalidHint::Secret));
            assert!(text.parse::<MaskedSecret>().is_ok(), "what is stored stays readable");
        }
        for text in ["", " ", "a\nb", &"é".repeat(65)] {
            assert_eq!(text.parse::<ForeignHint>(), Err(InvalidHint::Characters));
        }
    }
}
