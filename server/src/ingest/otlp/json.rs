//! OTLP's own JSON: protobuf's JSON mapping, but ids in hex and enums as numbers. As there, null is
//! absence, a whole number may stand in a text, and unknown fields are ignored.

use std::fmt::{self, Display};

use axum::body::Bytes;
use data_encoding::{BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use latchkey_domain::json::refusal;
use latchkey_domain::problem::{ErrorCode, Problem};
use latchkey_services::telemetry::MOST_ITEMS;
use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// Reads one message. `path` is its place in the body, to say what is wrong where.
pub(super) fn read<T: DeserializeOwned>(path: &dyn Display, part: &[u8]) -> Result<T, Problem> {
    // serde would also take a list of the fields' values in their order.
    if part.trim_ascii_start().first() == Some(&b'[') {
        return Err(match serde_json::from_slice::<IgnoredAny>(part) {
            Ok(_) => Problem::invalid(path.to_string(), "Expected an object."),
            Err(error) => describe(path, ".", &error),
        });
    }
    serde_json::from_slice(part).or_else(|_| {
        // Once more and watching the path, which would be too dear for all that is right.
        let mut deserializer = serde_json::Deserializer::from_slice(part);
        serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| describe(path, &error.path().to_string(), error.inner()))
    })
}

fn describe(path: &dyn Display, within: &str, error: &serde_json::Error) -> Problem {
    let place = match within {
        "." => path.to_string(),
        within => format!("{path}.{within}"),
    };
    let mut problem = refusal(&place, error);
    // The line and column are of the part alone.
    if problem.code == ErrorCode::Malformed {
        problem.detail = format!("The body is not valid JSON: {place} can’t be read.");
    }
    problem
}

/// An element's own JSON, copied; null is none.
fn packed(raw: &RawValue) -> Option<Bytes> {
    let text = raw.get().as_bytes();
    (text != b"null").then(|| Bytes::copy_from_slice(text))
}

/// A list whose elements stay packed.
pub(super) fn parts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Bytes>, D::Error> {
    struct List;

    impl<'de> Visitor<'de> for List {
        type Value = Vec<Bytes>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_unit<E>(self) -> Result<Vec<Bytes>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Bytes>, A::Error> {
            let mut parts = Vec::new();
            while let Some(part) = list.next_element::<&RawValue>()? {
                if parts.len() == MOST_ITEMS {
                    return Err(de::Error::custom("Send at most 10,000 items."));
                }
                parts.push(packed(part).ok_or_else(|| de::Error::custom("Expected an object."))?);
            }
            Ok(parts)
        }
    }

    from.deserialize_any(List)
}

/// A message that stays packed, if it is there.
pub(super) fn part<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Bytes>, D::Error> {
    <&RawValue>::deserialize(from).map(packed)
}

/// A text; null is the empty one.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// A trace's or span's id in hex. What is no hex becomes an id of a length that none has, so that
/// only the item it stands in is refused.
pub(super) fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
    const NO_ID: &[u8] = b"?";
    let hex = text(from)?;
    Ok(HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_or(Bytes::from_static(NO_ID), Bytes::from))
}

/// Bytes in base64 of either alphabet, with or without padding.
pub(super) fn base64<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Bytes>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
    let bare = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
    match BASE64_NOPAD.decode(bare.as_bytes()) {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(_) => Err(de::Error::custom("Expected base64.")),
    }
}

/// A whole number; null is 0.
pub(super) fn integer<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i128> + Default,
{
    some_integer(from).map(Option::unwrap_or_default)
}

/// A whole number, as a number or as a text.
pub(super) fn some_integer<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i128>,
{
    let number = match Value::deserialize(from)? {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_i128(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let fitting = number.and_then(|number| T::try_from(number).ok());
    fitting.map(Some).ok_or_else(|| de::Error::custom("Expected a whole number in its range."))
}

/// A number, or in words what JSON's numbers can't say: `NaN`, `Infinity`, `-Infinity`.
pub(super) fn double<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    let number = match Value::deserialize(from)? {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.map(Some).ok_or_else(|| de::Error::custom("Expected a number."))
}
