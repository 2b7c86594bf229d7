//! Shapes: what the keys of another system look like. Only text of a shape is looked up as one.

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::id::{KeyShapeId, UserId};
use crate::time::Timestamp;
use crate::whole;
use crate::word::{from_name, from_words, words};

/// Characters of a key after its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Alphabet {
    /// Letters and digits.
    Base62,
    /// Letters, digits, `+`, `/` and `=`.
    Base64,
    /// Letters, digits, `-`, `_` and `=`.
    Base64url,
    /// Digits and the letters `a` to `f`, in any case.
    Hex,
    /// Any visible ASCII character.
    Visible,
}

words!(Alphabet);
from_words!(Alphabet);
from_name!(Alphabet);

impl Alphabet {
    /// Whether a character of a key may be this one.
    pub const fn contains(self, byte: u8) -> bool {
        match self {
            Self::Base62 => byte.is_ascii_alphanumeric(),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='),
            Self::Base64url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'='),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Visible => byte.is_ascii_graphic(),
        }
    }
}

/// What the keys of another system look like: a prefix, the length of the whole and the characters
/// after the prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyShape {
    /// What every key starts with; empty if they have nothing in common.
    #[cfg_attr(feature = "openapi", schema(max_length = 64, pattern = r"^[\x21-\x7e]*$"))]
    prefix: String,
    /// Fewest characters of a whole key.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1024))]
    min_length: u16,
    /// Most characters of a whole key.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1024))]
    max_length: u16,
    /// Characters after the prefix.
    alphabet: Alphabet,
}

/// Why a shape was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidShape {
    /// Too long, or with other characters.
    #[error("Use a prefix of at most 64 visible ASCII characters, or \"\" for none.")]
    Prefix,
    /// Not a range of lengths that holds more than the prefix.
    #[error(
        "Use lengths of the whole key, prefix and at least one more character, up to 1024, the \
         smallest first."
    )]
    Lengths,
    /// The shape would match everybody's keys.
    #[error("Use a prefix of at least 2 characters, or a min_length of at least 20.")]
    TooWide,
    /// The shape would match keys of this product.
    #[error(
        "Use a prefix of the other system: Latchkey’s own keys start with lk_live_ or lk_test_."
    )]
    Own,
}

impl InvalidShape {
    /// The field that is wrong.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Prefix | Self::TooWide | Self::Own => "prefix",
            Self::Lengths => "max_length",
        }
    }
}

impl KeyShape {
    /// Maximum number of shapes of a project.
    pub const MAX_PER_PROJECT: usize = 32;
    /// Maximum length of a key of another system, in characters.
    pub const MAX_LENGTH: u16 = 1_024;
    /// Maximum length of a prefix, in characters.
    pub const MAX_PREFIX: usize = 64;
    /// Least length of a key by which a shape without a prefix may find it.
    pub const MIN_UNPREFIXED: u16 = 20;
    /// Starts of keys that no shape may have.
    const OWN: [&'static str; 2] = ["lk_live_", "lk_test_"];

    /// Creates a shape. Lengths are those of the whole text.
    ///
    /// # Errors
    /// The shape is impossible, or matches keys of anybody or of this product.
    pub fn new(
        prefix: &str,
        min_length: u16,
        max_length: u16,
        alphabet: Alphabet,
    ) -> Result<Self, InvalidShape> {
        let visible = prefix.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible || prefix.len() > Self::MAX_PREFIX {
            return Err(InvalidShape::Prefix);
        }
        let in_order = min_length <= max_length && max_length <= Self::MAX_LENGTH;
        if !in_order || usize::from(min_length) <= prefix.len() {
            return Err(InvalidShape::Lengths);
        }
        if prefix.len() < 2 && min_length < Self::MIN_UNPREFIXED {
            return Err(InvalidShape::TooWide);
        }
        let own = |own: &str| prefix.starts_with(own) || own.starts_with(prefix);
        if !prefix.is_empty() && Self::OWN.into_iter().any(own) {
            return Err(InvalidShape::Own);
        }
        Ok(Self { prefix: prefix.to_owned(), min_length, max_length, alphabet })
    }

    /// What every key starts with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Fewest characters of a whole key.
    pub const fn min_length(&self) -> u16 {
        self.min_length
    }

    /// Most characters of a whole key.
    pub const fn max_length(&self) -> u16 {
        self.max_length
    }

    /// Characters after the prefix.
    pub const fn alphabet(&self) -> Alphabet {
        self.alphabet
    }

    /// Whether a text of the other shape is found by this one too.
    pub fn covers(&self, other: &Self) -> bool {
        let rest = other.prefix.strip_prefix(self.prefix.as_str());
        // Without a prefix, what looks like a key of ours is not looked up.
        let is_as_telling = self.prefix.len() >= 2 || other.prefix.len() < 2;
        is_as_telling
            && self.min_length <= other.min_length
            && self.max_length >= other.max_length
            && rest.is_some_and(|rest| rest.bytes().all(|byte| self.alphabet.contains(byte)))
            && (b'!'..=b'~')
                .all(|byte| !other.alphabet.contains(byte) || self.alphabet.contains(byte))
    }

    /// Whether a presented text looks like a key of the other system.
    pub fn matches(&self, text: &str) -> bool {
        let lengths = usize::from(self.min_length)..=usize::from(self.max_length);
        lengths.contains(&text.len())
            && text
                .strip_prefix(self.prefix.as_str())
                .is_some_and(|rest| rest.bytes().all(|byte| self.alphabet.contains(byte)))
    }
}

/// Body of `POST /v1/projects/{projectId}/key-shapes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyShapeRequest {
    /// What every key starts with: at least two characters, or `""` for none.
    #[cfg_attr(feature = "openapi", schema(max_length = 64, pattern = r"^[\x21-\x7e]*$"))]
    pub prefix: String,
    /// Fewest characters of a whole key: more than the prefix has, and at least 20 without one.
    #[serde(deserialize_with = "length")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1024))]
    pub min_length: u16,
    /// Most characters of a whole key.
    #[serde(deserialize_with = "length")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1024))]
    pub max_length: u16,
    /// Characters after the prefix.
    pub alphabet: Alphabet,
}

/// Whole numbers may be written with a fraction of zero.
fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let length = whole::between(deserializer, 1, u64::from(KeyShape::MAX_LENGTH))?;
    Ok(u16::try_from(length).unwrap_or(KeyShape::MAX_LENGTH))
}

impl KeyShapeRequest {
    /// The shape.
    ///
    /// # Errors
    /// As [`KeyShape::new`].
    pub fn shape(&self) -> Result<KeyShape, InvalidShape> {
        KeyShape::new(&self.prefix, self.min_length, self.max_length, self.alphabet)
    }
}

impl<'de> Deserialize<'de> for KeyShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        KeyShapeRequest::deserialize(deserializer)?.shape().map_err(de::Error::custom)
    }
}

/// A shape that a project's imported keys have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListedKeyShape {
    /// ID of the shape.
    pub id: KeyShapeId,
    /// What keys of this shape look like.
    #[serde(flatten)]
    pub shape: KeyShape,
    /// When it was registered.
    pub created_at: Timestamp,
    /// ID of the user who registered it, or who created the service key that did.
    pub created_by: UserId,
}

/// All shapes of a project, at most 32, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyShapeList {
    /// The shapes.
    #[cfg_attr(feature = "openapi", schema(max_items = 32))]
    pub data: Vec<ListedKeyShape>,
    /// Always null: the list has one page.
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(prefix: &str, min: u16, max: u16) -> Result<KeyShape, InvalidShape> {
        KeyShape::new(prefix, min, max, Alphabet::Base64url)
    }

    #[test]
    fn wider_shape_covers_narrower_ones() {
        let wide = shape("sk-", 20, 60).unwrap();
        let of = |prefix, min, max, alphabet| KeyShape::new(prefix, min, max, alphabet).unwrap();
        for covered in [
            wide.clone(),
            shape("sk-a_", 21, 59).unwrap(),
            of("sk-", 20, 60, Alphabet::Base62),
            of("sk-", 20, 60, Alphabet::Hex),
        ] {
            assert!(wide.covers(&covered), "{covered:?}");
        }
        for other in [
            shape("sk", 20, 60).unwrap(),
            shape("sk-", 19, 60).unwrap(),
            shape("sk-", 20, 61).unwrap(),
            shape("sk-.", 20, 60).unwrap(),
            of("sk-", 20, 60, Alphabet::Base64),
            of("sk-", 20, 60, Alphabet::Visible),
        ] {
            assert!(!wide.covers(&other), "{other:?}");
        }
        let any = of("", 20, 60, Alphabet::Visible);
        assert!(any.covers(&of("s", 20, 60, Alphabet::Hex)));
        assert!(!any.covers(&wide), "it does not find sk_live_…");
    }

    #[test]
    fn shape_that_matches_everybody_is_refused() {
        for (prefix, min, max, wrong) in [
            ("", 19, 40, InvalidShape::TooWide),
            ("s", 19, 40, InvalidShape::TooWide),
            ("", 0, 40, InvalidShape::Lengths),
            ("sk-", 3, 40, InvalidShape::Lengths),
            ("sk-", 41, 40, InvalidShape::Lengths),
            ("sk-", 20, 1_025, InvalidShape::Lengths),
            ("s k", 20, 40, InvalidShape::Prefix),
            ("é-", 20, 40, InvalidShape::Prefix),
            ("lk_live_", 46, 46, InvalidShape::Own),
            ("lk_test_a", 46, 46, InvalidShape::Own),
            ("lk_", 46, 46, InvalidShape::Own),
        ] {
            assert_eq!(shape(prefix, min, max), Err(wrong), "{prefix}");
        }
        for (prefix, min, max) in
            [("", 20, 20), ("sk", 3, 1_024), ("lk-", 4, 9), ("sk_live_", 9, 60)]
        {
            assert!(shape(prefix, min, max).is_ok(), "{prefix}");
        }
    }

    #[test]
    fn shape_matches_length_prefix_and_alphabet() {
        let shape = shape("sk-", 8, 10).unwrap();
        for text in ["sk-abcde", "sk-_-AZ09=", "sk-sk-sk-"] {
            assert!(shape.matches(text), "{text}");
        }
        for text in ["", "sk-abcd", "sk-abcdefgh", "SK-abcde", "sk-abc+e", "sk-abéd", "skabcdef"] {
            assert!(!shape.matches(text), "{text}");
        }
    }

    #[test]
    fn shape_is_read_from_all_of_its_fields() {
        let read = |text: &str| serde_json::from_str::<KeyShapeRequest>(text);
        let text = r#"{"prefix":"sk-","min_length":8,"max_length":10,"alphabet":"base64url"}"#;
        assert_eq!(read(text).unwrap().shape(), shape("sk-", 8, 10));
        assert_eq!(serde_json::to_string(&shape("sk-", 8, 10).unwrap()).unwrap(), text);
        assert_eq!(read(&text.replace("8,", "8.0,")).unwrap(), read(text).unwrap());
        for wrong in ["{}", &text.replace("8,", "-8,"), &text.replace("10,", "1025,")] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let listed = text.replacen(
            '{',
            "{\"id\":\"ksh_01kc3f1m6ze1tvyqnz0rg5bqfa\",\"created_at\":\"2026-05-14T14:28:03Z\",\
             \"created_by\":\"usr_01kc3f1m6ze1tvyqnz0rg5bqfb\",",
            1,
        );
        let listed: ListedKeyShape = serde_json::from_str(&listed).unwrap();
        assert_eq!(listed.shape, shape("sk-", 8, 10).unwrap());
        let own = read(&text.replace("sk-", "lk_live_")).unwrap().shape();
        assert_eq!(own.map_err(InvalidShape::field), Err("max_length"));
    }
}
