//! What `meta` keeps of a span or a log record: everything that has no field of its own, by OTLP's
//! names.

use serde_json::{Map, Value};

pub(super) type Meta = Map<String, Value>;

/// Puts a value where it says something.
pub(super) fn put(meta: &mut Meta, name: &str, value: impl Into<Value>) {
    let value = value.into();
    let is_empty = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(number) => number.as_u64() == Some(0),
        Value::Bool(_) => false,
    };
    if !is_empty {
        meta.insert(name.to_owned(), value);
    }
}

/// The first characters of a text, if it has more than `most`.
pub(super) fn beginning(text: &str, most: usize) -> Option<String> {
    // Bytes are counted first: nearly every text is short.
    let is_short = text.len() <= most;
    let end = (!is_short).then(|| text.char_indices().nth(most)).flatten();
    end.map(|(end, _)| text[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_something_is_put() {
        let mut meta = Meta::new();
        put(&mut meta, "empty", "");
        put(&mut meta, "none", 0);
        put(&mut meta, "map", Meta::new());
        put(&mut meta, "false", false);
        assert_eq!(Value::from(meta).to_string(), r#"{"false":false}"#);
    }

    #[test]
    fn texts_are_cut_by_characters() {
        assert_eq!(beginning("éé", 2), None);
        assert_eq!(beginning("ééé", 2).as_deref(), Some("éé"));
        assert_eq!(beginning("", 0), None);
    }
}
