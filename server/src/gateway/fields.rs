//! The fields of a call's body, each as it was written. What the gateway doesn't go by isn't read further, and a
//! body that nothing is changed in goes on as the bytes that came.

use std::borrow::Cow;
use std::fmt;

use axum::body::Bytes;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The fields of a JSON object.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    /// The object as it came; none: it was changed.
    whole: Option<Bytes>,
    fields: Vec<(String, Bytes)>,
}

impl Fields {
    /// Reads an object. Of a field that is there twice the last one counts, and is the only one that goes on:
    /// whoever reads the body after us must not go by the other.
    ///
    /// # Errors
    /// It is no JSON, or no object.
    pub(super) fn read(bytes: Bytes) -> serde_json::Result<Self> {
        let Entries(entries) = serde_json::from_slice(&bytes)?;
        let mut fields: Vec<(String, Bytes)> = Vec::with_capacity(entries.len());
        let mut repeated = false;
        for (name, value) in entries {
            let value = bytes.slice_ref(value.get().as_bytes());
            match fields.iter_mut().find(|(other, _)| *other == name) {
                Some(field) => {
                    field.1 = value;
                    repeated = true;
                }
                None => fields.push((name.into_owned(), value)),
            }
        }
        Ok(Self { whole: (!repeated).then_some(bytes), fields })
    }

    /// A field's value as JSON; none: it is not there, or null.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(other, _)| other == name)?;
        // It was a part of a JSON text when it was read.
        std::str::from_utf8(value).ok().filter(|value| *value != "null")
    }

    /// All of them with their values, as JSON.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = |value| std::str::from_utf8(value).unwrap_or("null");
        self.fields.iter().map(move |(name, value)| (name.as_str(), text(value)))
    }

    /// Puts a value, as JSON, in the place of what is there, or adds it.
    pub(super) fn set(&mut self, name: &str, value: String) {
        match self.fields.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) if *old == value => return,
            Some((_, old)) => *old = value.into(),
            None => self.fields.push((name.to_owned(), value.into())),
        }
        self.whole = None;
    }

    /// The object.
    pub(super) fn into_bytes(self) -> Bytes {
        if let Some(whole) = self.whole {
            return whole;
        }
        let size = self.fields.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let mut object: Vec<u8> = Vec::with_capacity(size);
        for (index, (name, value)) in self.fields.iter().enumerate() {
            object.push(if index == 0 { b'{' } else { b',' });
            // A name always has a JSON form.
            object.extend(serde_json::to_vec(name).unwrap_or_default());
            object.push(b':');
            object.extend_from_slice(value);
        }
        object.push(b'}');
        object.into()
    }
}

/// An object's entries in their order, without a copy of any value.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    entries.push((name, value));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A name, borrowed if it was written without escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Fields {
        Fields::read(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    #[test]
    fn what_is_not_changed_goes_on_as_it_came() {
        let text = "{ \"b\" : 1.10, \"a\": [1, {\"é\": null}],\n \"c\":\"x\" }";
        let mut fields = read(text);
        assert_eq!(fields.get("b"), Some("1.10"));
        assert_eq!(fields.get("a"), Some("[1, {\"é\": null}]"));
        assert_eq!(fields.get("no"), None);
        fields.set("c", "\"x\"".to_owned());
        assert_eq!(fields.clone().into_bytes(), text, "that was there already");
        fields.set("b", "2".to_owned());
        fields.set("d\"", "true".to_owned());
        let changed = "{\"b\":2,\"a\":[1, {\"é\": null}],\"c\":\"x\",\"d\\\"\":true}";
        assert_eq!(fields.into_bytes(), changed);
    }

    #[test]
    fn of_a_repeated_field_only_the_last_goes_on() {
        let fields = read("{\"model\":\"a\",\"n\":1,\"mod\\u0065l\":\"b\"}");
        assert_eq!(fields.get("model"), Some("\"b\""));
        assert_eq!(fields.into_bytes(), "{\"model\":\"b\",\"n\":1}");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["[]", "7", "\"a\"", "null"] {
            let error = Fields::read(Bytes::from_static(text.as_bytes())).unwrap_err();
            assert!(error.is_data(), "{text}");
        }
        for text in ["", "{", "{\"a\": }", "{\"a\": 1} x", "{\"a\": \"\u{0}\"}"] {
            let error = Fields::read(Bytes::copy_from_slice(text.as_bytes())).unwrap_err();
            assert!(!error.is_data(), "{text}");
        }
        assert!(Fields::read(Bytes::from_static(b"{\"a\": \"\xff\"}")).is_err());
    }
}
