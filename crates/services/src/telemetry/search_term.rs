//! Substring search in plain text and in the contents of JSON: names and values after unescaping.
//!
//! The search ignores case, and a run of whitespace matches any other. Pages render the line breaks
//! of a stack trace as they like, and search fields have no line breaks.

use std::borrow::Cow;
use std::fmt;

use latchkey_domain::query::folded_character;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

#[derive(Clone)]
pub(super) struct SearchTerm(String);

impl SearchTerm {
    pub(super) fn new(text: &str) -> Self {
        Self(comparable(text).into_owned())
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        // ASCII folds to ASCII, so it can't contain a non-ASCII text.
        (self.0.is_ascii() || !text.is_ascii()) && comparable(text).contains(&self.0)
    }

    /// As `is_in`, for the contents of JSON. Invalid JSON contains nothing.
    pub(super) fn is_in_json(&self, json: &str) -> bool {
        let mut search = Search { term: self, found: false };
        // The search stops at the first match, which it signals as an error.
        let _ = search.deserialize(&mut serde_json::Deserializer::from_str(json));
        search.found
    }
}

/// Folds case and whitespace.
fn comparable(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()) {
        return text.into();
    }
    let mut comparable = String::with_capacity(text.len());
    let mut was_space = false;
    for character in text.chars() {
        let is_space = character.is_whitespace();
        if !is_space {
            if character.is_ascii() {
                comparable.push(character.to_ascii_lowercase());
            } else {
                comparable.extend(folded_character(character));
            }
        } else if !was_space {
            comparable.push(' ');
        }
        was_space = is_space;
    }
    comparable.into()
}

/// A visitor that walks through JSON without building a value.
struct Search<'a> {
    term: &'a SearchTerm,
    found: bool,
}

impl Search<'_> {
    fn look_in<E: Error>(&mut self, text: &str) -> Result<(), E> {
        self.found = self.term.is_in(text);
        if self.found { Err(E::custom("found")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Search<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Search<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.look_in(text)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.look_in(if value { "true" } else { "false" })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.look_in(&value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.look_in(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.look_in(&serde_json::Value::from(value).to_string())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(&mut *self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_key_seed(&mut *self)?.is_some() {
            members.next_value_seed(&mut *self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn search_matches_text_as_people_read_it() {
        for (term, text) in [
            ("ärger", "Viel ÄRGER"),
            ("ÄRGER", "viel ärger"),
            ("ΟΔΟΣ", "η οδοσ Α"),
            ("100%", "at 100% of_it"),
            ("f_i", "at 100% of_it"),
            ("boom at run", "Error: boom\r\n\tat run (a.js:1)"),
            ("\u{a0}b", "a b"),
            ("10 K", "10 \u{212a}"),
        ] {
            assert!(SearchTerm::new(term).is_in(text), "{term}");
        }
        for (term, text) in [("%", "100"), ("_", "a b"), ("ä", "a"), ("a b", "ab")] {
            assert!(!SearchTerm::new(term).is_in(text), "{term}");
        }
    }

    #[test]
    fn json_search_matches_content_not_syntax() {
        let json = json!({
            "attributes": {"db.query": "SELECT \"Straße\"\n FROM c:\\temp\\new", "count": -7},
            "events": [{"exception": "Größe: 1,5\u{1}"}, true, null, 0.25, 1e30],
        });
        let json = json.to_string();
        for term in
            ["\"straße\" from", "c:\\temp\\new", "DB.Query", "größe", "-7", "TRUE", "0.25", "e+30"]
        {
            assert!(SearchTerm::new(term).is_in_json(&json), "{term}");
        }
        for term in ["{", "\":", "\\n from", "\\\\", "null", "u0001", "nfrom"] {
            assert!(!SearchTerm::new(term).is_in_json(&json), "{term}");
        }
        assert!(!SearchTerm::new("a").is_in_json(""));
        assert!(!SearchTerm::new("a").is_in_json("{\"b\": a"));
    }
}
