//! The fields of a call's body, each as it was written. What the gateway doesn't go by isn't read
//! further, and a body that nothing is changed in goes on as the bytes that came.
//!
//! The work is linear in the body, whatever its fields are called.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use axum::body::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The most fields that a body may have. No API of this kind has half as many.
pub(super) const MOST_FIELDS: usize = 256;

/// The fields of a JSON object.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    /// The object as it came; none: it was changed.
    whole: Option<Bytes>,
    fields: Vec<(String, Bytes)>,
}

/// Why a body has no fields to go by.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// It is no JSON, or no object.
    Json(serde_json::Error),
    /// It has more than [`MOST_FIELDS`].
    TooManyFields,
}

impl Fields {
    /// Reads an object. Of a field that is there twice the last one counts, and is the only one
    /// that goes on: whoever reads the body after us must not go by the other.
    ///
    /// # Errors
    /// It is no JSON, no object, or has too many fields.
    pub(super) fn read(bytes: Bytes) -> Result<Self, Unreadable> {
        let entries = entries(&bytes)?;
        let mut fields: Vec<(String, Bytes)> = Vec::with_capacity(entries.len());
        let mut places = HashMap::with_capacity(entries.len());
        let mut repeated = false;
        for (name, value) in entries {
            let value = bytes.slice_ref(value.get().as_bytes());
            match places.entry(name) {
                Entry::Occupied(place) => {
                    let place: &usize = place.get();
                    fields[*place].1 = value;
                    repeated = true;
                }
                Entry::Vacant(place) => {
                    fields.push((place.key().clone().into_owned(), value));
                    place.insert(fields.len() - 1);
                }
            }
        }
        drop(places);
        Ok(Self { whole: (!repeated).then_some(bytes), fields })
    }

    /// A field's value as JSON; none: it is not there, or null.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(other, _)| other == name)?;
        // It was a part of a JSON text when it was read.
        std::str::from_utf8(value).ok().filter(|value| *value != "null")
    }

    /// The names of all.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }

    /// The bytes of all values.
    pub(super) fn len(&self) -> usize {
        self.fields.iter().map(|(_, value)| value.len()).sum()
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

    /// Takes a field out.
    pub(super) fn remove(&mut self, name: &str) {
        let count = self.fields.len();
        self.fields.retain(|(other, _)| other != name);
        if self.fields.len() != count {
            self.whole = None;
        }
    }

    /// The object.
    pub(super) fn into_bytes(self) -> Bytes {
        if let Some(whole) = self.whole {
            return whole;
        }
        let size = self.fields.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let mut object: Vec<u8> = Vec::with_capacity(size);
        object.push(b'{');
        for (index, (name, value)) in self.fields.iter().enumerate() {
            if index > 0 {
                object.push(b',');
            }
            // A name always has a JSON form.
            object.extend(serde_json::to_vec(name).unwrap_or_default());
            object.push(b':');
            object.extend_from_slice(value);
        }
        object.push(b'}');
        object.into()
    }
}

type Entries<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// An object's entries in their order, without a copy of any value.
fn entries(json: &[u8]) -> Result<Entries<'_>, Unreadable> {
    let mut too_many = false;
    let mut text = serde_json::Deserializer::from_slice(json);
    let read = Object { too_many: &mut too_many }.deserialize(&mut text);
    match read.and_then(|entries| text.end().map(|()| entries)) {
        Ok(entries) => Ok(entries),
        Err(_) if too_many => Err(Unreadable::TooManyFields),
        Err(error) => Err(Unreadable::Json(error)),
    }
}

/// Reads an object's entries, and stops when there are too many of them.
struct Object<'a> {
    too_many: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Entries<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((Name(name), value)) = map.next_entry()? {
            if entries.len() == MOST_FIELDS {
                *self.too_many = true;
                return Err(A::Error::custom("too many fields"));
            }
            entries.push((name, value));
        }
        Ok(entries)
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

    fn refusal(bytes: &'static [u8]) -> serde_json::Error {
        match Fields::read(Bytes::from_static(bytes)) {
            Err(Unreadable::Json(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["[]", "7", "\"a\"", "null"] {
            assert!(refusal(text.as_bytes()).is_data(), "{text}");
        }
        for text in ["", "{", "{\"a\": }", "{\"a\": 1} x", "{\"a\": \"\u{0}\"}"] {
            assert!(!refusal(text.as_bytes()).is_data(), "{text}");
        }
        refusal(b"{\"a\": \"\xff\"}");
    }

    #[test]
    fn fields_are_bounded_in_number() {
        let object = |count: usize| {
            let fields: Vec<String> = (0..count).map(|index| format!("\"f{index}\": 1")).collect();
            Fields::read(format!("{{{}}}", fields.join(",")).into())
        };
        assert_eq!(object(MOST_FIELDS).unwrap().iter().count(), MOST_FIELDS);
        assert!(matches!(object(MOST_FIELDS + 1), Err(Unreadable::TooManyFields)));
        // Nobody reads to the end of what is refused anyway.
        let same = format!("{{{} x", "\"a\": 1,".repeat(MOST_FIELDS + 1));
        assert!(matches!(Fields::read(same.into()), Err(Unreadable::TooManyFields)));
    }
}
