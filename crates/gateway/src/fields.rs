//! The top-level fields of a request body, as they were written. Fields that the gateway does not
//! interpret are not parsed further, and an unmodified body is forwarded as the bytes that arrived.
//!
//! Parsing takes time linear in the body, whatever the names of the fields are.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use axum::body::Bytes;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::estimate::{Counter, PromptContext, PromptTokens};
use super::json_reader::{BadJson, JsonReader, JsonText, JsonValue};

/// Maximum number of fields. No API of this kind has half as many.
pub(super) const MAX_FIELDS: usize = 256;

/// The fields of a JSON object.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    /// The original bytes. None once a field was changed.
    whole: Option<Bytes>,
    fields: Vec<Field>,
}

#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value: Bytes,
    pub(super) place: PromptContext,
    /// Tokens of its text.
    pub(super) tokens: PromptTokens,
}

/// Why a body cannot be read.
#[derive(Debug)]
pub(super) enum FieldsError {
    /// Not valid JSON, or not an object.
    Json(serde_json::Error),
    /// More than [`MAX_FIELDS`] fields.
    TooManyFields,
    /// The value of this field is JSON that no server accepts: nested too deeply, a number that is
    /// too large, or an unpaired surrogate.
    Value(String),
}

impl Fields {
    /// Parses an object and counts the tokens of its values, with the field `prompt` as the prompt.
    /// Of a repeated field only the last is kept and forwarded, so that the upstream cannot
    /// interpret another one than the gateway has checked.
    ///
    /// # Errors
    /// Not valid JSON, not an object, or too many fields.
    pub(super) fn read(bytes: Bytes, prompt: &str) -> Result<Self, FieldsError> {
        let mut reading =
            FieldsReader { bytes: &bytes, prompt, fields: Vec::new(), at: String::new() };
        let is_text = std::str::from_utf8(&bytes).is_ok();
        let repeated = match reading.read() {
            Ok(repeated) if is_text => repeated,
            Err(ReadError::TooManyFields) => return Err(FieldsError::TooManyFields),
            Ok(_) | Err(ReadError::Bad(BadJson)) => return Err(unreadable(&bytes, reading.at)),
        };
        let fields = reading.fields;
        Ok(Self { whole: (!repeated).then_some(bytes), fields })
    }

    /// The fields of a form, whose values are texts. A repeated field is kept each time.
    pub(super) fn of_texts(texts: Vec<(String, String)>, prompt: &str) -> Self {
        let field = |(name, text): (String, String)| {
            let place = if name == prompt { PromptContext::Prompt } else { PromptContext::Field };
            let value = serde_json::Value::from(text).to_string();
            let tokens = Counter { place, tokenizer: None }
                .count(&mut JsonReader::new(value.as_bytes()))
                .unwrap_or_default();
            Field { name, value: value.into(), place, tokens }
        };
        Self { whole: None, fields: texts.into_iter().map(field).collect() }
    }

    /// A field's value as JSON. None if it is missing or null.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        // Parsing has verified that it is valid UTF-8.
        std::str::from_utf8(self.bytes(name)).ok().filter(|value| !matches!(*value, "" | "null"))
    }

    /// A field's value as JSON. Empty if it is missing.
    pub(super) fn bytes(&self, name: &str) -> &[u8] {
        let found = self.iter().find(|field| field.name == name);
        found.map(|field| &*field.value).unwrap_or_default()
    }

    /// Size of all values.
    pub(super) fn len(&self) -> usize {
        self.iter().map(|field| field.value.len()).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter()
    }

    /// Replaces or adds a field. The value is JSON.
    pub(super) fn set(&mut self, name: &str, value: String) {
        match self.fields.iter_mut().find(|field| field.name == name) {
            Some(field) if field.value == value => return,
            Some(field) => field.value = value.into(),
            None => self.fields.push(Field {
                name: name.to_owned(),
                value: value.into(),
                place: PromptContext::Field,
                tokens: PromptTokens::default(),
            }),
        }
        self.whole = None;
    }

    /// Removes a field.
    pub(super) fn remove(&mut self, name: &str) {
        let count = self.fields.len();
        self.fields.retain(|field| field.name != name);
        if self.fields.len() != count {
            self.whole = None;
        }
    }

    pub(super) fn into_bytes(self) -> Bytes {
        if let Some(whole) = self.whole {
            return whole;
        }
        let size = self.iter().map(|field| field.name.len() + field.value.len() + 4).sum();
        let mut object: Vec<u8> = Vec::with_capacity(size);
        object.push(b'{');
        for (index, field) in self.fields.iter().enumerate() {
            if index > 0 {
                object.push(b',');
            }
            // Serializing a string cannot fail.
            object.extend(serde_json::to_vec(&field.name).unwrap_or_default());
            object.push(b':');
            object.extend_from_slice(&field.value);
        }
        object.push(b'}');
        object.into()
    }
}

/// Parser of an object.
struct FieldsReader<'a> {
    bytes: &'a Bytes,
    prompt: &'a str,
    fields: Vec<Field>,
    /// Name of the current field.
    at: String,
}

/// Why parsing stopped.
enum ReadError {
    TooManyFields,
    Bad(BadJson),
}

impl From<BadJson> for ReadError {
    fn from(bad: BadJson) -> Self {
        Self::Bad(bad)
    }
}

impl FieldsReader<'_> {
    /// Parses the object. Returns whether a field is repeated.
    fn read(&mut self) -> Result<bool, ReadError> {
        let mut json = JsonReader::new(self.bytes);
        if json.value()? != JsonValue::Object {
            return Err(BadJson.into());
        }
        let (mut places, mut count, mut is_first) = (HashMap::new(), 0, true);
        while let Some(name) = json.next_name(&mut is_first)? {
            if count == MAX_FIELDS {
                return Err(ReadError::TooManyFields);
            }
            count += 1;
            let field = self.field(name, &mut json)?;
            match places.entry(name.read()) {
                Entry::Occupied(place) => self.fields[*place.get()] = field,
                Entry::Vacant(place) => {
                    place.insert(self.fields.len());
                    self.fields.push(field);
                }
            }
        }
        json.end()?;
        Ok(self.fields.len() < count)
    }

    fn field(&mut self, name: JsonText<'_>, json: &mut JsonReader<'_>) -> Result<Field, BadJson> {
        self.at = name.read().into_owned();
        let place =
            if self.at == self.prompt { PromptContext::Prompt } else { PromptContext::Field };
        let begin = json.position();
        let tokens = Counter { place, tokenizer: None }.count(json)?;
        let value = self.bytes.slice_ref(json.since(begin));
        Ok(Field { name: std::mem::take(&mut self.at), value, place, tokens })
    }
}

/// Why a body could not be parsed. `at` is the field at which parsing stopped.
fn unreadable(bytes: &[u8], at: String) -> FieldsError {
    // Ignored values may contain bytes that are not UTF-8.
    let text = serde_json::from_slice::<&RawValue>(bytes);
    match text.and_then(|_| serde_json::from_slice::<AnyObject>(bytes)) {
        Err(error) => FieldsError::Json(error),
        Ok(AnyObject) => FieldsError::Value(at),
    }
}

struct AnyObject;

impl<'de> Deserialize<'de> for AnyObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self)
    }
}

impl<'de> Visitor<'de> for AnyObject {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Fields {
        Fields::read(Bytes::copy_from_slice(text.as_bytes()), "prompt").unwrap()
    }

    #[test]
    fn unchanged_body_is_forwarded_verbatim() {
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
    fn repeated_field_keeps_only_the_last() {
        let fields = read("{\"model\":\"a\",\"n\":1,\"mod\\u0065l\":\"b\"}");
        assert_eq!(fields.get("model"), Some("\"b\""));
        assert_eq!(fields.into_bytes(), "{\"model\":\"b\",\"n\":1}");
    }

    fn refusal(bytes: &'static [u8]) -> serde_json::Error {
        match Fields::read(Bytes::from_static(bytes), "prompt") {
            Err(FieldsError::Json(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn body_must_be_an_object() {
        for text in ["[]", "7", "\"a\"", "null"] {
            assert!(refusal(text.as_bytes()).is_data(), "{text}");
        }
        for text in ["", "{", "{\"a\": }", "{\"a\": 1} x", "{\"a\": \"\u{0}\"}"] {
            assert!(!refusal(text.as_bytes()).is_data(), "{text}");
        }
        refusal(b"{\"a\": \"\xff\"}");
    }

    #[test]
    fn invalid_value_is_reported_with_its_field() {
        let deep = format!("{{\"b\":1,\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        for text in [deep.as_str(), r#"{"b":1,"a":1e999}"#, r#"{"b":1,"a":["\ud83d"],"c":1}"#] {
            let read = Fields::read(text.to_owned().into(), "prompt");
            assert!(matches!(read, Err(FieldsError::Value(name)) if name == "a"), "{text}");
        }
    }

    #[test]
    fn fields_are_bounded_in_number() {
        let object = |count: usize| {
            let fields: Vec<String> = (0..count).map(|index| format!("\"f{index}\": 1")).collect();
            Fields::read(format!("{{{}}}", fields.join(",")).into(), "prompt")
        };
        assert_eq!(object(MAX_FIELDS).unwrap().iter().count(), MAX_FIELDS);
        assert!(matches!(object(MAX_FIELDS + 1), Err(FieldsError::TooManyFields)));
        // A body with too many fields is not parsed to its end.
        let same = format!("{{{} x", "\"a\": 1,".repeat(MAX_FIELDS + 1));
        assert!(matches!(Fields::read(same.into(), "prompt"), Err(FieldsError::TooManyFields)));
    }
}
