//! JSON that a customer keeps with a key, exactly as it was sent.

use std::fmt;
use std::str::FromStr;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

/// A JSON object of at most 8 KiB without white space and at most 8 levels, itself the first.
///
/// It is kept as text: as a parsed value, numbers such as `12345678901234567890123` or `1.10` would
/// come back as others.
#[derive(Debug, Clone, Default)]
pub struct Metadata(
    /// `None` for `{}`.
    Option<Box<RawValue>>,
);

/// Why a text is not valid metadata. The message is shown at the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetadata {
    /// The text is not JSON.
    #[error("Enter valid JSON.")]
    Syntax,
    /// The JSON is not an object.
    #[error("Expected an object.")]
    NotObject,
    /// The object has more than [`Metadata::MAX_BYTES`].
    #[error("Use at most 8 KiB of JSON.")]
    TooLong,
    /// The object has more than [`Metadata::MAX_LEVELS`].
    #[error("Nest objects and lists at most 8 levels deep.")]
    TooDeep,
    /// An escape such as `\ud800` alone stands for no character.
    #[error("Use valid Unicode in texts and names.")]
    Unicode,
}

impl Metadata {
    /// Maximum number of bytes, without white space.
    pub const MAX_BYTES: usize = 8_192;
    /// Maximum depth of objects and lists. `{}` has one level.
    pub const MAX_LEVELS: usize = 8;

    /// The object as JSON without white space.
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("{}", |json| json.get())
    }

    /// Whether the object has no members.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn from_raw(json: &RawValue) -> Result<Self, InvalidMetadata> {
        if !json.get().starts_with('{') {
            return Err(InvalidMetadata::NotObject);
        }
        let compact = compact(json.get())?;
        if compact == "{}" {
            return Ok(Self::default());
        }
        let json = RawValue::from_string(compact).map_err(|_| InvalidMetadata::Syntax)?;
        Ok(Self(Some(json)))
    }
}

/// Valid JSON without the white space between its parts, if it is within the limits.
fn compact(json: &str) -> Result<String, InvalidMetadata> {
    let mut compact = String::with_capacity(json.len().min(Metadata::MAX_BYTES));
    let mut level = 0_usize;
    let mut rest = json;
    while let Some(first) = rest.bytes().next() {
        let length = if first == b'"' { length_of_text(rest) } else { 1 };
        let (part, after) = rest.split_at(length);
        rest = after;
        match first {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'{' | b'[' => level += 1,
            b'}' | b']' => level = level.saturating_sub(1),
            b'"' if part.contains("\\u") && serde_json::from_str::<String>(part).is_err() => {
                return Err(InvalidMetadata::Unicode);
            }
            _ => {}
        }
        if level > Metadata::MAX_LEVELS {
            return Err(InvalidMetadata::TooDeep);
        }
        compact.push_str(part);
        if compact.len() > Metadata::MAX_BYTES {
            return Err(InvalidMetadata::TooLong);
        }
    }
    Ok(compact)
}

/// Number of bytes of the text at the start of `json`, with its quotes.
fn length_of_text(json: &str) -> usize {
    let mut is_escaped = false;
    for (index, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    json.len()
}

impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Metadata {}

impl FromStr for Metadata {
    type Err = InvalidMetadata;

    fn from_str(text: &str) -> Result<Self, InvalidMetadata> {
        let json = serde_json::from_str::<Box<RawValue>>(text);
        Self::from_raw(&json.map_err(|_| InvalidMetadata::Syntax)?)
    }
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(json) => json.serialize(serializer),
            None => serializer.serialize_map(Some(0))?.end(),
        }
    }
}

/// Reads JSON only: other formats, and serde's buffer of a flattened struct, have no raw text.
impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_raw(&json).map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Metadata {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};

        ObjectBuilder::new()
            .schema_type(Type::Object)
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
            .description(Some(
                "A JSON object of at most 8 KiB as compact JSON and at most 8 levels, itself the \
                 first",
            ))
            .examples([serde_json::json!({"plan": "gold", "seats": 5})])
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Metadata {}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> String {
        let metadata: Metadata = serde_json::from_str(text).unwrap();
        assert_eq!(metadata.to_string().parse::<Metadata>().as_ref(), Ok(&metadata));
        serde_json::to_string(&metadata).unwrap()
    }

    fn refused(text: &str) -> InvalidMetadata {
        assert!(serde_json::from_str::<Metadata>(text).is_err(), "{text:.40}");
        text.parse::<Metadata>().unwrap_err()
    }

    #[test]
    fn metadata_comes_back_exactly_but_for_white_space() {
        for same in [
            "{}",
            r#"{"b":1,"a":2}"#,
            r#"{"n":12345678901234567890123,"f":1.10,"e":1e400,"z":-0,"d":0.1000000000000000055}"#,
            r#"{"t":"a \" b \\","é":"注 文","e":"\u00e9\ud83d\ude00\u0000","l":[1,[{}],null,true]}"#,
            r#"{"{":"}","[":"]"}"#,
        ] {
            assert_eq!(kept(same), same);
        }
        assert_eq!(kept(" {\n\t\"a b\" : [ 1 , \" \" ] }\r\n"), r#"{"a b":[1," "]}"#);
        assert_eq!(kept("{ }"), "{}");
        assert_eq!("{ }".parse::<Metadata>(), Ok(Metadata::default()));
        assert!(Metadata::default().is_empty());
    }

    #[test]
    fn metadata_is_an_object_of_at_most_8_kib() {
        let long = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length));
        let most = Metadata::MAX_BYTES - r#"{"a":""}"#.len();
        assert_eq!(kept(&long(most)).len(), Metadata::MAX_BYTES);
        assert_eq!(kept(&format!("{}{}", " ".repeat(9_000), long(most))), long(most));
        assert_eq!(refused(&long(most + 1)), InvalidMetadata::TooLong);
        for other in ["[]", "1", "\"{}\"", "null"] {
            assert_eq!(refused(other), InvalidMetadata::NotObject, "{other}");
        }
        for broken in ["", "{", "{a:1}", "{}{}", r#"{"a":01}"#] {
            assert_eq!(refused(broken), InvalidMetadata::Syntax, "{broken}");
        }
        for lone in [r#"{"a":"\ud800"}"#, r#"{"\udc00":1}"#] {
            assert_eq!(refused(lone), InvalidMetadata::Unicode, "{lone}");
        }
    }

    #[test]
    fn metadata_has_at_most_8_levels() {
        let nested = |lists: usize| {
            format!(r#"{{"[[[[[[[[[":{}1{}}}"#, "[".repeat(lists), "]".repeat(lists))
        };
        assert_eq!(kept(&nested(7)), nested(7));
        assert_eq!(refused(&nested(8)), InvalidMetadata::TooDeep);
        assert_eq!(refused(&nested(4_000)), InvalidMetadata::TooDeep);
        let wide = format!(r#"{{"a":[{}[]]}}"#, "[],".repeat(500));
        assert_eq!(kept(&wide), wide);
    }
}
