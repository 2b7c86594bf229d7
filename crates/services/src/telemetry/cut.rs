//! Truncates messages and `meta` to 64 KiB each. A visible mark shows where text was cut, and the
//! response reports it. A list of a hundred items is therefore never more than a few megabytes.

use std::io;

use latchkey_domain::problem::FieldError;
use serde_json::{Map, Value};

/// Maximum size of a message, and of `meta` as JSON, in bytes.
pub(super) const MAX_BYTES: usize = 64 * 1024;
/// Marks the place of a cut.
const MARK: &str = "… [cut]";
/// Name of the field that stands in for dropped fields.
const MISSING: &str = "…";
/// Reserve for the marks within `meta`: JSON is at most 128 levels deep, and each level has at most
/// one mark.
const MARKS: usize = 128 * 20;

/// The note in the response for a field that was cut.
pub(super) fn note(field: &str) -> FieldError {
    let message = "Truncated to the first 64 KiB.".to_owned();
    FieldError { field: field.to_owned(), message }
}

/// Truncates a message at a character boundary. Returns whether it was too long.
pub fn cut_text(text: &mut String) -> bool {
    if text.len() <= MAX_BYTES {
        return false;
    }
    text.truncate(text.floor_char_boundary(MAX_BYTES - MARK.len()));
    text.push_str(MARK);
    true
}

/// `meta` as JSON, and whether any of it was cut. Small fields stay whole; the largest are cut.
///
/// # Errors
/// None in practice: a map with string keys always serializes.
pub(super) fn cut_meta(meta: Map<String, Value>) -> serde_json::Result<(String, bool)> {
    let whole = serde_json::to_string(&meta)?;
    if whole.len() <= MAX_BYTES {
        return Ok((whole, false));
    }
    drop(whole);
    Ok((serde_json::to_string(&fit_meta(meta).0)?, true))
}

/// As `cut_meta`, but returns a map instead of JSON.
pub fn fit_meta(meta: Map<String, Value>) -> (Map<String, Value>, bool) {
    if json_length(&meta) <= MAX_BYTES {
        return (meta, false);
    }
    let mut fields: Vec<(String, Value)> = meta.into_iter().collect();
    fields.sort_by_cached_key(|(_, value)| json_length(value));
    (fit_fields(fields, &mut (MAX_BYTES - MARKS)), true)
}

/// Length of a value as JSON, in bytes.
pub(super) fn json_length(value: &impl serde::Serialize) -> usize {
    struct Length(usize);
    impl io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut length = Length(0);
    // A value that does not serialize fits nowhere.
    serde_json::to_writer(&mut length, value).map_or(usize::MAX, |()| length.0)
}

/// As much of a value as fits into `left` bytes; `None` if nothing does.
fn fit(value: Value, left: &mut usize) -> Option<Value> {
    match value {
        Value::Object(map) => {
            *left = left.checked_sub(2)?;
            Some(Value::Object(fit_fields(map, left)))
        }
        Value::Array(list) => {
            *left = left.checked_sub(2)?;
            let mut fitting = Vec::new();
            for value in list {
                let Some(value) = comma(left).and_then(|()| fit(value, left)) else {
                    fitting.push(MARK.into());
                    break;
                };
                fitting.push(value);
            }
            Some(Value::Array(fitting))
        }
        Value::String(text) => fit_text(text, left).map(Value::String),
        scalar => {
            *left = left.checked_sub(json_length(&scalar))?;
            Some(scalar)
        }
    }
}

fn comma(left: &mut usize) -> Option<()> {
    *left = left.checked_sub(1)?;
    Some(())
}

fn fit_fields(
    fields: impl IntoIterator<Item = (String, Value)>,
    left: &mut usize,
) -> Map<String, Value> {
    let mut fitting = Map::new();
    for (name, value) in fields {
        // Plus the colon and the comma.
        let rest = left.checked_sub(json_length(&name) + 2);
        let fitted = rest.and_then(|mut rest| Some((fit(value, &mut rest)?, rest)));
        let Some((value, rest)) = fitted else {
            *left = 0;
            fitting.insert(MISSING.to_owned(), "[cut]".into());
            break;
        };
        *left = rest;
        fitting.insert(name, value);
    }
    fitting
}

fn fit_text(mut text: String, left: &mut usize) -> Option<String> {
    *left = left.checked_sub(2)?;
    let mut length = 0;
    let fits = |(_, c): &(usize, char)| {
        length += escaped(*c);
        length <= *left
    };
    let end = text.char_indices().take_while(fits).last().map_or(0, |(at, c)| at + c.len_utf8());
    if end == text.len() {
        *left -= json_length(&text) - 2;
        return Some(text);
    }
    *left = 0;
    text.truncate(end);
    text.push_str(MARK);
    Some(text)
}

/// Number of bytes that JSON needs for a character.
const fn escaped(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..'\u{20}' => 6,
        c => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("no map") };
        map
    }

    #[test]
    fn long_message_is_cut_at_a_character_boundary() {
        for (text, cut) in [("é".repeat(MAX_BYTES / 2), false), ("é".repeat(MAX_BYTES), true)] {
            let mut result = text.clone();
            assert_eq!(cut_text(&mut result), cut);
            assert!(result.len() <= MAX_BYTES && result.len() > MAX_BYTES - 16);
            assert!(text.starts_with(result.trim_end_matches(MARK)));
            assert_eq!(result.ends_with(MARK), cut);
        }
    }

    #[test]
    fn small_fields_of_meta_stay_whole() {
        let small = json!({"a": [1, null, true], "b": {"c": "d"}});
        assert_eq!(cut_meta(map(small.clone())).unwrap(), (small.to_string(), false));
        let large = json!({
            "attributes": {"long": "\"x\u{1}".repeat(MAX_BYTES), "z": 1},
            "kind": "server", "name": "GET /", "status": {"code": "ok"},
        });
        let (text, cut) = cut_meta(map(large)).unwrap();
        assert!(cut && text.len() <= MAX_BYTES && text.len() > MAX_BYTES / 2, "{}", text.len());
        let result: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&result["kind"], &result["name"]), (&json!("server"), &json!("GET /")));
        assert_eq!(result["status"], json!({"code": "ok"}));
        assert!(result["attributes"]["long"].as_str().unwrap().ends_with(MARK));
        assert_eq!(result["attributes"][MISSING], "[cut]");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            (".{0,9}", 0_usize..9_000).prop_map(|(text, times)| text.repeat(times).into()),
        ];
        leaf.prop_recursive(4, 40, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
                prop::collection::btree_map(".{0,9}", inner, 0..8)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn meta_always_fits_and_stays_json(value in any_json()) {
            let meta = map(json!({ "value": value }));
            let whole = json_length(&meta);
            let (text, cut) = cut_meta(meta).unwrap();
            prop_assert!(text.len() <= MAX_BYTES);
            prop_assert_eq!(cut, whole > MAX_BYTES);
            prop_assert!(serde_json::from_str::<Map<String, Value>>(&text).is_ok());
        }
    }
}
