//! What a customer notes about a key: who uses it, tags and metadata.

mod metadata;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

pub use self::metadata::{InvalidMetadata, Metadata};
use crate::distinct::distinct;
use crate::name::is_control;

/// The customer's own ID of whoever uses a key: 1–255 visible ASCII characters. Several keys may
/// have the same.
///
/// `none` is refused: forward authentication sends it for a key that has no external ID.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ExternalId(String);

/// Why a text is not a valid external ID. The message is shown at the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExternalId {
    /// Empty, too long, a space or a character outside ASCII.
    #[error("Use 1 to 255 visible ASCII characters, no spaces.")]
    Characters,
    /// The word that stands for "no external ID" in headers.
    #[error("Use another external ID than “none”.")]
    Reserved,
}

impl ExternalId {
    /// Maximum number of characters.
    pub const MAX_CHARACTERS: usize = 255;
    /// What forward authentication sends for a key without an external ID.
    pub const NONE: &'static str = "none";

    /// The external ID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Deserializes a filter that may be absent, null or, as a query parameter, empty.
    ///
    /// # Errors
    /// The text is not a valid external ID.
    pub fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        given(deserializer)
    }
}

impl FromStr for ExternalId {
    type Err = InvalidExternalId;

    fn from_str(text: &str) -> Result<Self, InvalidExternalId> {
        let fits = (1..=Self::MAX_CHARACTERS).contains(&text.len());
        if !fits || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidExternalId::Characters);
        }
        if text == Self::NONE {
            return Err(InvalidExternalId::Reserved);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ExternalId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A word to find keys by: 1–64 characters, no control characters. Case and spaces count.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Tag(String);

/// Why a text is not a valid tag. The message is shown at the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Use 1 to 64 characters, no line breaks, tabs or other control characters.")]
pub struct InvalidTag;

impl Tag {
    /// Maximum number of characters (Unicode scalar values).
    pub const MAX_CHARACTERS: usize = 64;

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Deserializes a filter that may be absent, null or, as a query parameter, empty.
    ///
    /// # Errors
    /// The text is not a valid tag.
    pub fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        given(deserializer)
    }
}

impl FromStr for Tag {
    type Err = InvalidTag;

    fn from_str(text: &str) -> Result<Self, InvalidTag> {
        // Stop counting one character past the maximum.
        let count = text.chars().take(Self::MAX_CHARACTERS + 1).count();
        let fits = (1..=Self::MAX_CHARACTERS).contains(&count);
        if fits && !text.chars().any(is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidTag)
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// An empty query parameter is one that was not given.
fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| text.parse()).transpose().map_err(de::Error::custom)
}

/// The tags of a key: at most 16, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Tags(Vec<Tag>);

/// The list has more than [`Tags::MAX`] items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("List at most 16 tags.")]
pub struct TooManyTags;

impl Tags {
    /// Maximum number of tags.
    pub const MAX: usize = 16;

    /// Creates a list without duplicates.
    ///
    /// # Errors
    /// The list is too long.
    pub fn new(all: Vec<Tag>) -> Result<Self, TooManyTags> {
        if all.len() > Self::MAX { Err(TooManyTags) } else { Ok(Self(distinct(all))) }
    }

    /// The tags in their original order.
    pub fn as_slice(&self) -> &[Tag] {
        &self.0
    }

    /// Whether there are no tags.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
mod schemas {
    use utoipa::openapi::RefOr;
    use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
    use utoipa::{PartialSchema, ToSchema};

    use super::{ExternalId, Tag, Tags};

    impl PartialSchema for ExternalId {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(Self::MAX_CHARACTERS))
                .pattern(Some(r"^[\x21-\x7e]+$"))
                .description(Some("1–255 visible ASCII characters without spaces, not `none`"))
                .examples(["user_8123"])
                .into()
        }
    }

    impl ToSchema for ExternalId {}

    impl PartialSchema for Tag {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(Self::MAX_CHARACTERS))
                .pattern(Some(concat!(
                    r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e",
                    r"\u2066-\u2069\ufeff]+$"
                )))
                .description(Some("1–64 characters, no control characters"))
                .examples(["beta"])
                .into()
        }
    }

    impl ToSchema for Tag {}

    impl PartialSchema for Tags {
        fn schema() -> RefOr<Schema> {
            ArrayBuilder::new()
                .items(Tag::schema())
                .max_items(Some(Self::MAX))
                .description(Some("At most 16 tags. Duplicates are dropped"))
                .into()
        }
    }

    impl ToSchema for Tags {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_id_is_visible_ascii_and_not_none() {
        for good in ["a", "user_8123", "auth0|5f7c", "None", "~!\"{}", &"x".repeat(255)] {
            assert_eq!(good.parse::<ExternalId>().unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "a\n", "a\u{7f}", "é", " a", &"x".repeat(256)] {
            assert_eq!(bad.parse::<ExternalId>(), Err(InvalidExternalId::Characters), "{bad:.20?}");
        }
        assert_eq!("none".parse::<ExternalId>(), Err(InvalidExternalId::Reserved));
    }

    #[test]
    fn tag_has_1_to_64_characters() {
        for good in ["a", "a, b", " ", "Ünïcode 注文", &"é".repeat(64)] {
            assert_eq!(good.parse::<Tag>().unwrap().as_str(), good);
        }
        for bad in ["", "a\n", "\t", "\0", "a\u{85}", "\u{202e}a", &"é".repeat(65)] {
            assert_eq!(bad.parse::<Tag>(), Err(InvalidTag), "{bad:.20?}");
        }
    }

    #[test]
    fn tags_are_at_most_16_and_each_once() {
        let tags = |text: &str| serde_json::from_str::<Tags>(text);
        let kept = tags(r#"["b","a","b"]"#).unwrap();
        assert_eq!(serde_json::to_string(&kept).unwrap(), r#"["b","a"]"#);
        assert_eq!(tags("[]").unwrap(), Tags::default());
        assert!(tags(r#"["a",""]"#).is_err() && tags("\"a\"").is_err() && tags("{}").is_err());
        let many = |count: u32| {
            Tags::new((0..count).map(|number| number.to_string().parse().unwrap()).collect())
        };
        assert_eq!(many(16).unwrap().as_slice().len(), 16);
        assert_eq!(many(17), Err(TooManyTags));
    }

    #[test]
    fn empty_filter_counts_as_not_given() {
        #[derive(Deserialize)]
        struct Filter {
            #[serde(default, deserialize_with = "Tag::given")]
            tag: Option<Tag>,
        }
        let tag = |text| serde_json::from_str::<Filter>(text).map(|filter| filter.tag);
        assert_eq!(tag("{}").unwrap(), None);
        assert_eq!(tag(r#"{"tag":""}"#).unwrap(), None);
        assert_eq!(tag(r#"{"tag":"a"}"#).unwrap(), Some("a".parse().unwrap()));
        assert!(tag(r#"{"tag":"a\n"}"#).is_err());
    }
}
