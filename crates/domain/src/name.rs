//! Names and descriptions that users enter.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The name of a key, an organization, a project or an application: 1–64 characters, no control
/// characters.
///
/// Surrounding white space is trimmed. Characters that change the writing direction are refused as
/// well: they can make one name look like another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(String);

/// Why a text is not a valid name. The message is shown at the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Only white space.
    #[error("Enter a name.")]
    Empty,
    /// The name has more than [`Name::MAX_CHARACTERS`].
    #[error("Use at most 64 characters.")]
    TooLong,
    /// A line break, tab or another invisible character.
    #[error("Use no line breaks, tabs or other control characters.")]
    ControlCharacter,
}

impl Name {
    /// Maximum number of characters (Unicode scalar values).
    pub const MAX_CHARACTERS: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The displayable part of an external name: without control characters, at most `most` characters;
/// `None` if nothing is left.
pub fn cleaned(text: &str, most: usize) -> Option<String> {
    let shown = text.trim().chars().filter(|character| !is_control(*character)).take(most);
    let shown = shown.collect::<String>().trim().to_owned();
    (!shown.is_empty()).then_some(shown)
}

/// Pattern of a name in the OpenAPI document: no [`is_control`] character, and at least one that is
/// not white space.
#[cfg(feature = "openapi")]
const NAME: &str = concat!(
    r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]*",
    r"[^\s\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]",
    r"[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]*$",
);
/// Pattern of a description in the OpenAPI document.
#[cfg(feature = "openapi")]
const DESCRIPTION: &str =
    r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]*$";

/// Whether a character is invisible, or changes the writing direction.
pub(crate) fn is_control(character: char) -> bool {
    let turns_direction = matches!(
        character,
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control()
        || turns_direction
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{FEFF}')
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.chars().any(is_control) {
            return Err(InvalidName::ControlCharacter);
        }
        let name = text.trim();
        if name.is_empty() {
            return Err(InvalidName::Empty);
        }
        if name.chars().count() > Self::MAX_CHARACTERS {
            return Err(InvalidName::TooLong);
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Name {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .min_length(Some(1))
            .max_length(Some(Self::MAX_CHARACTERS))
            .pattern(Some(NAME))
            .examples(["Web checkout"])
            .description(Some("1–64 characters, no control characters"))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Name {}

/// A description of at most 500 characters. Line breaks are allowed, other control characters are
/// not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Description(String);

/// Why a text is not a valid description. The message is shown at the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDescription {
    /// The description has more than [`Description::MAX_CHARACTERS`].
    #[error("Use at most 500 characters.")]
    TooLong,
    /// An invisible character.
    #[error("Use no tabs or other control characters.")]
    ControlCharacter,
}

impl Description {
    /// Maximum number of characters (Unicode scalar values).
    pub const MAX_CHARACTERS: usize = 500;

    /// The description as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Description {
    type Err = InvalidDescription;

    fn from_str(text: &str) -> Result<Self, InvalidDescription> {
        if text.chars().any(|character| character != '\n' && is_control(character)) {
            return Err(InvalidDescription::ControlCharacter);
        }
        let text = text.trim();
        if text.chars().count() > Self::MAX_CHARACTERS {
            return Err(InvalidDescription::TooLong);
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Description {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Description {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .max_length(Some(Self::MAX_CHARACTERS))
            .pattern(Some(DESCRIPTION))
            .description(Some(
                "At most 500 characters. Line breaks are allowed, other control characters are not",
            ))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Description {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_accepts_1_to_64_characters() {
        assert_eq!("a".parse::<Name>().unwrap().as_str(), "a");
        assert_eq!(" Web checkout ".parse::<Name>().unwrap().as_str(), "Web checkout");
        assert!("é".repeat(64).parse::<Name>().is_ok());
    }

    #[test]
    fn invalid_name_is_refused_with_a_message() {
        assert_eq!("".parse::<Name>(), Err(InvalidName::Empty));
        assert_eq!("   ".parse::<Name>(), Err(InvalidName::Empty));
        assert_eq!("a".repeat(65).parse::<Name>(), Err(InvalidName::TooLong));
        for text in ["a\nb", "a\0", "\u{1b}[31m", "a\u{7f}", "\u{202E}abc", "a\u{85}"] {
            assert_eq!(text.parse::<Name>(), Err(InvalidName::ControlCharacter), "{text:?}");
        }
    }

    #[test]
    fn external_name_is_cleaned_and_truncated() {
        let clean = |text: &str| cleaned(text, 10);
        assert_eq!(clean(" Mira\0 Holt "), Some("Mira Holt".to_owned()));
        assert_eq!(clean("\u{202E}ab\ncd"), Some("abcd".to_owned()));
        assert_eq!(clean(&"é".repeat(50_000)), Some("é".repeat(10)));
        assert_eq!(clean("\0 \n"), None);
        assert_eq!(clean(""), None);
    }

    #[test]
    fn description_may_be_empty_or_multiline() {
        assert_eq!("".parse::<Description>(), Ok(Description::default()));
        assert_eq!(" Pays.\nBills. ".parse::<Description>().unwrap().as_str(), "Pays.\nBills.");
        assert_eq!("a".repeat(501).parse::<Description>(), Err(InvalidDescription::TooLong));
        for text in ["a\0", "\u{202E}abc", "a\tb"] {
            assert_eq!(text.parse::<Description>(), Err(InvalidDescription::ControlCharacter));
        }
    }
}
