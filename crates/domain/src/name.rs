//! Names that people give to things.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The name of a key, an organization, a project or an application: 1–64 characters, none of them
/// a control character.
///
/// White space around it is dropped. Characters that turn the direction of writing are refused too:
/// they let one name look like another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(String);

/// Why a text can't be a name; the words stand at the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing but white space.
    #[error("Enter a name.")]
    Empty,
    /// The name has more than [`Name::MAX_CHARACTERS`].
    #[error("Use at most 64 characters.")]
    TooLong,
    /// A line break, tab or another character that does not show.
    #[error("Use no line breaks, tabs or other control characters.")]
    ControlCharacter,
}

impl Name {
    /// The most characters (Unicode scalar values) that a name may have.
    pub const MAX_CHARACTERS: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What of a name from elsewhere can be shown: without control characters, within `most`
/// characters; nothing if that is all there is.
pub fn cleaned(text: &str, most: usize) -> Option<String> {
    let shown = text.trim().chars().filter(|character| !is_control(*character)).take(most);
    let shown = shown.collect::<String>().trim().to_owned();
    (!shown.is_empty()).then_some(shown)
}

/// A name in the API's description: no character that [`is_control`], and one that is no space.
#[cfg(feature = "openapi")]
const NAME: &str = concat!(
    r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]*",
    r"[^\s\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]",
    r"[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]*$",
);
/// A description, in the same way.
#[cfg(feature = "openapi")]
const DESCRIPTION: &str =
    r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]*$";

fn is_control(character: char) -> bool {
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

/// What a thing is for, in a few sentences: at most 500 characters. Line breaks are kept, other
/// control characters are refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Description(String);

/// Why a text can't be a description; the words stand at the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDescription {
    /// The description has more than [`Description::MAX_CHARACTERS`].
    #[error("Use at most 500 characters.")]
    TooLong,
    /// A character that does not show.
    #[error("Use no tabs or other control characters.")]
    ControlCharacter,
}

impl Description {
    /// The most characters (Unicode scalar values) that a description may have.
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
    fn names_of_1_to_64_characters_are_taken() {
        assert_eq!("a".parse::<Name>().unwrap().as_str(), "a");
        assert_eq!(" Web checkout ".parse::<Name>().unwrap().as_str(), "Web checkout");
        assert!("é".repeat(64).parse::<Name>().is_ok());
    }

    #[test]
    fn other_names_are_refused_in_words() {
        assert_eq!("".parse::<Name>(), Err(InvalidName::Empty));
        assert_eq!("   ".parse::<Name>(), Err(InvalidName::Empty));
        assert_eq!("a".repeat(65).parse::<Name>(), Err(InvalidName::TooLong));
        for text in ["a\nb", "a\0", "\u{1b}[31m", "a\u{7f}", "\u{202E}abc", "a\u{85}"] {
            assert_eq!(text.parse::<Name>(), Err(InvalidName::ControlCharacter), "{text:?}");
        }
    }

    #[test]
    fn names_from_elsewhere_are_cleaned_and_cut() {
        let clean = |text: &str| cleaned(text, 10);
        assert_eq!(clean(" Mira\0 Holt "), Some("Mira Holt".to_owned()));
        assert_eq!(clean("\u{202E}ab\ncd"), Some("abcd".to_owned()));
        assert_eq!(clean(&"é".repeat(50_000)), Some("é".repeat(10)));
        assert_eq!(clean("\0 \n"), None);
        assert_eq!(clean(""), None);
    }

    #[test]
    fn descriptions_may_be_empty_and_have_lines() {
        assert_eq!("".parse::<Description>(), Ok(Description::default()));
        assert_eq!(" Pays.\nBills. ".parse::<Description>().unwrap().as_str(), "Pays.\nBills.");
        assert_eq!("a".repeat(501).parse::<Description>(), Err(InvalidDescription::TooLong));
        for text in ["a\0", "\u{202E}abc", "a\tb"] {
            assert_eq!(text.parse::<Description>(), Err(InvalidDescription::ControlCharacter));
        }
    }
}
