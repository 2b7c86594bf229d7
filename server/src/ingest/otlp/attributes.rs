//! Attributes and values, as the JSON that `meta` keeps.
//!
//! Unreadable values are kept as they are, and deep nesting is cut: one bad value never rejects its
//! item.

use std::fmt::Display;

use axum::body::Bytes;
use data_encoding::BASE64;
use latchkey_services::telemetry::cut_text;
use serde_json::{Map, Number, Value};

use super::body::Encoding;
use super::messages::{AnyValue, KeyValue, Values};

/// Maximum nesting of values: each level takes a frame of the reader's stack.
const DEEPEST: u32 = 32;
/// Placeholder for values that nest too deep.
const CUT: &str = "… [cut]";
/// Placeholder for an unreadable protobuf value, whose bytes would tell a reader nothing.
const UNREADABLE: &str = "[unreadable]";

/// A list of attributes as a map. `path` is the position of the list's owner; of duplicate keys,
/// the last value wins.
pub(super) fn attributes(
    encoding: Encoding,
    path: &dyn Display,
    list: Vec<Bytes>,
) -> Map<String, Value> {
    map(encoding, path, list, DEEPEST)
}

pub(super) fn value(encoding: Encoding, path: &dyn Display, part: Option<Bytes>) -> Value {
    nested(encoding, path, part, DEEPEST)
}

fn map(encoding: Encoding, path: &dyn Display, list: Vec<Bytes>, depth: u32) -> Map<String, Value> {
    let read = |part: Bytes| match encoding.read(path, part.clone()) {
        Ok(KeyValue { key, value }) => (key, nested(encoding, path, value, depth)),
        Err(_) => (String::new(), unparsed(encoding, &part)),
    };
    list.into_iter().map(read).collect()
}

fn nested(encoding: Encoding, path: &dyn Display, part: Option<Bytes>, depth: u32) -> Value {
    let Some(part) = part else { return Value::Null };
    let Some(depth) = depth.checked_sub(1) else { return CUT.into() };
    let Ok(any) = encoding.read::<AnyValue>(path, part.clone()) else {
        return unparsed(encoding, &part);
    };
    drop(part);
    let values = |list: Bytes| encoding.read::<Values>(path, list).map(|list| list.values);
    match any {
        AnyValue { string_value: Some(text), .. } => text.into(),
        AnyValue { bool_value: Some(bool), .. } => bool.into(),
        AnyValue { int_value: Some(number), .. } => number.into(),
        AnyValue { double_value: Some(number), .. } => double(number),
        AnyValue { bytes_value: Some(bytes), .. } => BASE64.encode(&bytes).into(),
        AnyValue { array_value: Some(list), .. } => match values(list.clone()) {
            Ok(list) => {
                let list = list.into_iter();
                list.map(|part| nested(encoding, path, Some(part), depth)).collect()
            }
            Err(_) => unparsed(encoding, &list),
        },
        AnyValue { kvlist_value: Some(list), .. } => match values(list.clone()) {
            Ok(list) => map(encoding, path, list, depth).into(),
            Err(_) => unparsed(encoding, &list),
        },
        _ => Value::Null,
    }
}

fn unparsed(encoding: Encoding, part: &Bytes) -> Value {
    match std::str::from_utf8(part) {
        Ok(text) if encoding == Encoding::Json => {
            let mut text = text.to_owned();
            cut_text(&mut text);
            text.into()
        }
        _ => UNREADABLE.into(),
    }
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
