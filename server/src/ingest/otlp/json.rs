//! OTLP's JSON: protobuf's JSON mapping, but ids in hex and enums as numbers. As in protobuf, null
//! means absent, integers may be strings, and unknown fields are ignored.
//!
//! Some exporters write it by hand, so fields are read leniently: numbers as strings, enums by
//! name, integers with a decimal point. Unreadable fields count as absent and reject nothing.

use std::borrow::Cow;
use std::fmt::{self, Display};

use axum::body::Bytes;
use data_encoding::{BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use latchkey_domain::json::refusal;
use latchkey_domain::problem::{ErrorCode, Problem};
use latchkey_services::telemetry::MAX_ITEMS;
use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
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
        problem.detail = format!("The body is not valid JSON at {place}.");
    }
    problem
}

/// How many elements the list of that name has; 0 if there is none.
pub(super) fn count(message: &[u8], name: &'static str) -> usize {
    struct Object(&'static str);

    impl<'de> Visitor<'de> for Object {
        type Value = usize;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
            let mut count = 0;
            while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                if key == self.0 {
                    count = map.next_value::<Vec<IgnoredAny>>()?.len();
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(count)
        }
    }

    serde_json::Deserializer::from_slice(message).deserialize_map(Object(name)).unwrap_or_default()
}

/// A list whose elements stay packed, the first 10,000 of them; null is an empty one.
pub(super) fn parts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Bytes>, D::Error> {
    struct ListVisitor;

    impl<'de> Visitor<'de> for ListVisitor {
        type Value = Vec<Bytes>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_unit<E>(self) -> Result<Vec<Bytes>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Bytes>, A::Error> {
            let mut parts = Vec::new();
            while parts.len() < MAX_ITEMS {
                let Some(part) = list.next_element::<&RawValue>()? else { return Ok(parts) };
                parts.push(Bytes::copy_from_slice(part.get().as_bytes()));
            }
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(parts)
        }
    }

    from.deserialize_any(ListVisitor)
}

/// A message that stays packed, if it is there.
pub(super) fn part<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Bytes>, D::Error> {
    let raw = <&RawValue>::deserialize(from)?.get().as_bytes();
    Ok((raw != b"null").then(|| Bytes::copy_from_slice(raw)))
}

/// A scalar in place of a value: text, number, or neither.
enum Scalar {
    None,
    Text(String),
    Bool(bool),
    Whole(i128),
    Number(f64),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::None)
            }

            fn visit_bool<E>(self, bool: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(bool))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Whole(number.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar::Whole(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar::Number(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::None)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::None)
            }
        }

        from.deserialize_any(Any)
    }
}

impl Scalar {
    /// The whole number that it is, if it is one: `5`, `"5"`, `5.0`.
    fn whole(&self) -> Option<i128> {
        match self {
            Self::Whole(number) => Some(*number),
            Self::Number(number) => whole(*number),
            Self::Text(text) => text.parse().ok().or_else(|| text.parse().ok().and_then(whole)),
            Self::None | Self::Bool(_) => None,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is in the range")]
fn whole(number: f64) -> Option<i128> {
    let is_whole = number.fract() == 0.0 && number.abs() < 1e30;
    is_whole.then_some(number as i128)
}

/// A text; absence is the empty one.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(match Scalar::deserialize(from)? {
        Scalar::None => String::new(),
        Scalar::Text(text) => text,
        Scalar::Bool(bool) => bool.to_string(),
        Scalar::Whole(number) => number.to_string(),
        Scalar::Number(number) => number.to_string(),
    })
}

/// A trace's or span's id in hex. Invalid hex becomes an id of invalid length, so that only its
/// item is rejected.
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

/// A whole number; 0 is absence, and what is none in its range.
pub(super) fn integer<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i128> + Default,
{
    let number = Scalar::deserialize(from)?.whole();
    Ok(number.and_then(|number| T::try_from(number).ok()).unwrap_or_default())
}

/// The integer of a value; anything else is kept as it is.
pub(super) fn some_integer<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    match Scalar::deserialize(from)? {
        Scalar::None => Ok(None),
        scalar => {
            let number = scalar.whole().and_then(|number| i64::try_from(number).ok());
            number.map(Some).ok_or_else(|| de::Error::custom("Expected a whole number."))
        }
    }
}

/// A number, or in words what JSON's numbers can't say: `NaN`, `Infinity`, `-Infinity`.
#[expect(clippy::cast_precision_loss, reason = "as every reader of JSON does it")]
pub(super) fn double<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    let number = match Scalar::deserialize(from)? {
        Scalar::None => return Ok(None),
        Scalar::Whole(number) => Some(number as f64),
        Scalar::Number(number) => Some(number),
        Scalar::Text(text) => text.parse().ok(),
        Scalar::Bool(_) => None,
    };
    number.map(Some).ok_or_else(|| de::Error::custom("Expected a number."))
}

/// A variant of an enum, by number or by name with or without the prefix. `names` is in the order
/// of the numbers, from 1.
fn member<'de, D: Deserializer<'de>>(
    from: D,
    prefix: &str,
    names: &[&str],
) -> Result<i32, D::Error> {
    let scalar = Scalar::deserialize(from)?;
    if let Scalar::Text(text) = &scalar {
        let text = text.trim().to_ascii_uppercase();
        let name = text.strip_prefix(prefix).unwrap_or(&text);
        if let Some(number) = (1..).zip(names).find(|(_, known)| **known == name) {
            return Ok(number.0);
        }
    }
    let number = scalar.whole().and_then(|number| i32::try_from(number).ok());
    Ok(number.unwrap_or_default())
}

/// Reads OTLP's enum `SpanKind`.
pub(super) fn span_kind<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    const NAMES: [&str; 5] = ["INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    member(from, "SPAN_KIND_", &NAMES)
}

/// Reads OTLP's enum `Status.StatusCode`.
pub(super) fn status_code<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    member(from, "STATUS_CODE_", &["OK", "ERROR"])
}

/// Reads OTLP's enum `SeverityNumber`.
pub(super) fn severity<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    const NAMES: [&str; 24] = [
        "TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4", "INFO",
        "INFO2", "INFO3", "INFO4", "WARN", "WARN2", "WARN3", "WARN4", "ERROR", "ERROR2", "ERROR3",
        "ERROR4", "FATAL", "FATAL2", "FATAL3", "FATAL4",
    ];
    member(from, "SEVERITY_NUMBER_", &NAMES)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Deserialize)]
    struct ReadField {
        #[serde(deserialize_with = "span_kind")]
        kind: i32,
        #[serde(deserialize_with = "integer")]
        count: u32,
        #[serde(deserialize_with = "text")]
        name: String,
    }

    fn field(value: &Value) -> ReadField {
        serde_json::from_value(json!({"kind": value, "count": value, "name": value})).unwrap()
    }

    #[test]
    fn unreadable_fields_are_treated_as_absent() {
        for (value, kind, count, name) in [
            (json!(2), 2, 2, "2"),
            (json!("2"), 2, 2, "2"),
            (json!(2.0), 2, 2, "2"),
            (json!("2.0"), 2, 2, "2.0"),
            (json!("SPAN_KIND_SERVER"), 2, 0, "SPAN_KIND_SERVER"),
            (json!("server"), 2, 0, "server"),
            (json!("SPAN_KIND_OTHER"), 0, 0, "SPAN_KIND_OTHER"),
            (json!(-1), -1, 0, "-1"),
            (json!(2.5), 0, 0, "2.5"),
            (json!(1e300), 0, 0, &1e300.to_string()),
            (json!(9_999_999_999_u64), 0, 0, "9999999999"),
            (json!(true), 0, 0, "true"),
            (json!([1]), 0, 0, ""),
            (json!({"a": [1]}), 0, 0, ""),
            (Value::Null, 0, 0, ""),
        ] {
            let ReadField { kind: got, count: counted, name: named } = field(&value);
            assert_eq!((got, counted, named.as_str()), (kind, count, name), "{value}");
        }
    }

    #[test]
    fn elements_are_counted_by_the_name_of_their_list() {
        for (message, expected) in [
            (r#"{"spans":[{},{},null]}"#, 3),
            (r#"{"a":[1,2],"spans":[[]],"b":{}}"#, 1),
            (r#"{"spans":null}"#, 0),
            ("{}", 0),
        ] {
            assert_eq!(count(message.as_bytes(), "spans"), expected, "{message}");
        }
    }
}
