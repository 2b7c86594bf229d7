//! Attributes and values, as the JSON that `meta` keeps.

use std::fmt::Display;

use axum::body::Bytes;
use data_encoding::BASE64;
use latchkey_domain::problem::Problem;
use serde_json::{Map, Number, Value};

use super::body::{Encoding, elements};
use super::messages::{AnyValue, KeyValue, Values};

/// How deep values may nest: each level is one of the reader's stack.
const DEEPEST: u32 = 32;

/// A list of attributes as a map. `path` is where the list's owner stands; of a key that comes
/// twice, the later value counts.
pub(super) fn attributes(
    encoding: Encoding,
    path: &dyn Display,
    list: Vec<Bytes>,
) -> Result<Map<String, Value>, Problem> {
    map(encoding, &format_args!("{path}.attributes"), list, DEEPEST)
}

/// One value.
pub(super) fn value(
    encoding: Encoding,
    path: &dyn Display,
    part: Option<Bytes>,
) -> Result<Value, Problem> {
    nested(encoding, path, part, DEEPEST)
}

fn map(
    encoding: Encoding,
    path: &dyn Display,
    list: Vec<Bytes>,
    depth: u32,
) -> Result<Map<String, Value>, Problem> {
    let mut map = Map::new();
    for (index, part) in elements(path, list)? {
        let path = &format_args!("{path}[{index}]");
        let KeyValue { key, value } = encoding.read(path, part)?;
        map.insert(key, nested(encoding, &format_args!("{path}.value"), value, depth)?);
    }
    Ok(map)
}

fn nested(
    encoding: Encoding,
    path: &dyn Display,
    part: Option<Bytes>,
    depth: u32,
) -> Result<Value, Problem> {
    let Some(part) = part else { return Ok(Value::Null) };
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Problem::invalid("value", format!("Nest values at most {DEEPEST} deep.")));
    };
    let any: AnyValue = encoding.read(path, part)?;
    let values = |part: Bytes| encoding.read::<Values>(path, part).map(|list| list.values);
    Ok(match any {
        AnyValue { string_value: Some(text), .. } => text.into(),
        AnyValue { bool_value: Some(bool), .. } => bool.into(),
        AnyValue { int_value: Some(number), .. } => number.into(),
        AnyValue { double_value: Some(number), .. } => double(number),
        AnyValue { bytes_value: Some(bytes), .. } => BASE64.encode(&bytes).into(),
        AnyValue { array_value: Some(list), .. } => {
            let list = elements(path, values(list)?)?;
            let list = list.map(|(index, part)| {
                nested(
                    encoding,
                    &format_args!("{path}.arrayValue.values[{index}]"),
                    Some(part),
                    depth,
                )
            });
            Value::Array(list.collect::<Result<_, _>>()?)
        }
        AnyValue { kvlist_value: Some(list), .. } => {
            let path = &format_args!("{path}.kvlistValue.values");
            Value::Object(map(encoding, path, values(list)?, depth)?)
        }
        _ => Value::Null,
    })
}

/// JSON has no number for these three; protobuf's JSON writes them as words.
fn double(number: f64) -> Value {
    match Number::from_f64(number) {
        Some(number) => Value::Number(number),
        None if number.is_nan() => "NaN".into(),
        None if number > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}
