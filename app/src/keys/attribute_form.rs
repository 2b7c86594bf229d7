//! The part of the key forms that says whose a key is and what it may do: external ID, tags,
//! scopes and metadata. Each is parsed by the same type as on the server.

use std::fmt::Display;
use std::str::FromStr;

use latchkey_domain::api::{ApiKey, KeyPatch, KeyRequest};
use latchkey_domain::attribute::{ExternalId, Metadata, Tag, Tags};
use latchkey_domain::problem::FieldError;
use latchkey_domain::scope::{ScopePattern, Scopes};
use leptos::prelude::*;

use super::metadata::{pretty, read_metadata};
use crate::components::form::FormField;

/// A list of words that is filled in, each of them a chip.
#[derive(Clone, Copy)]
pub struct ChipEntry {
    /// The words so far.
    pub chips: RwSignal<Vec<String>>,
    /// What is being typed.
    pub text: RwSignal<String>,
    /// What is wrong, until something else is typed.
    pub error: RwSignal<Option<String>>,
    before: StoredValue<Vec<String>>,
    check: fn(&str) -> Result<(), String>,
}

impl ChipEntry {
    /// A field with these words, which takes others that `check` lets through.
    fn new(words: Vec<String>, check: fn(&str) -> Result<(), String>) -> Self {
        let entry = Self {
            chips: RwSignal::new(words.clone()),
            text: RwSignal::new(String::new()),
            error: RwSignal::new(None),
            before: StoredValue::new(words),
            check,
        };
        Effect::new(move || {
            entry.chips.track();
            entry.text.track();
            entry.error.set(None);
        });
        entry
    }

    /// Makes a chip of what is typed, or says why that is none.
    pub fn add(self) {
        let word = self.text.with_untracked(|text| text.trim().to_owned());
        if word.is_empty() {
            return;
        }
        if let Err(why) = (self.check)(&word) {
            self.error.set(Some(why));
            return;
        }
        self.chips.update(|chips| {
            if !chips.contains(&word) {
                chips.push(word);
            }
        });
        self.text.set(String::new());
    }

    /// The list, with what is still being typed; `None` if it is invalid, and then it shows why.
    fn read<T, L>(self, list: impl FnOnce(Vec<T>) -> Result<L, String>) -> Option<L>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.add();
        if self.text.with_untracked(|text| !text.trim().is_empty()) {
            return None;
        }
        let parsed: Result<Vec<T>, String> = self.chips.with_untracked(|chips| {
            chips.iter().map(|word| word.parse::<T>().map_err(|it| it.to_string())).collect()
        });
        parsed.and_then(list).map_err(|why| self.error.set(Some(why))).ok()
    }

    /// Whether the list differs from the one at first, or something is being typed; tracked.
    fn is_changed(self) -> bool {
        let is_typing = self.text.with(|text| !text.trim().is_empty());
        let differs = self.chips.with(|chips| self.before.with_value(|before| chips != before));
        is_typing || differs
    }
}

/// What is filled in.
#[derive(Clone, Copy)]
pub struct AttributeForm {
    /// The customer's own id of whoever uses the key.
    pub external_id: FormField,
    /// Tags of the key.
    pub tags: ChipEntry,
    /// What the key may do, for API keys.
    pub scopes: ChipEntry,
    /// A JSON object.
    pub metadata: FormField,
    /// Whether the key is created disabled.
    pub disabled: RwSignal<bool>,
    /// Whether the fields are in sight.
    pub open: RwSignal<bool>,
}

/// What the form says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    /// The customer's own id of whoever uses the key.
    pub external_id: Option<ExternalId>,
    /// Tags of the key.
    pub tags: Tags,
    /// Granted scopes.
    pub scopes: Scopes,
    /// The JSON object.
    pub metadata: Metadata,
}

impl Attributes {
    /// Those of a key.
    pub fn of(key: &ApiKey) -> Self {
        Self {
            external_id: key.external_id.clone(),
            tags: key.tags.clone(),
            scopes: key.scopes.clone(),
            metadata: key.metadata.clone(),
        }
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A request for a key with them.
    #[must_use]
    pub fn on(self, request: KeyRequest) -> KeyRequest {
        let Self { external_id, tags, scopes, metadata } = self;
        KeyRequest {
            external_id,
            tags: some_unless_default(tags),
            scopes: some_unless_default(scopes),
            metadata: some_unless_default(metadata),
            ..request
        }
    }

    /// `patch` with what differs from `key`.
    #[must_use]
    pub fn changes(self, key: &ApiKey, patch: KeyPatch) -> KeyPatch {
        let before = Self::of(key);
        KeyPatch {
            external_id: (self.external_id != before.external_id).then_some(self.external_id),
            tags: (self.tags != before.tags).then_some(some_unless_default(self.tags)),
            scopes: (self.scopes != before.scopes).then_some(some_unless_default(self.scopes)),
            metadata: (self.metadata != before.metadata)
                .then_some(some_unless_default(self.metadata)),
            ..patch
        }
    }
}

/// In a request nothing stands for an empty value; in a patch null does.
fn some_unless_default<T: Default + PartialEq>(value: T) -> Option<T> {
    Some(value).filter(|value| *value != T::default())
}

impl AttributeForm {
    /// A form with these attributes in it.
    pub fn of(attributes: &Attributes) -> Self {
        let external_id = attributes.external_id.as_ref().map(ExternalId::as_str);
        let tags = attributes.tags.as_slice().iter().map(|tag| tag.as_str().to_owned());
        let scopes = attributes.scopes.as_slice().iter().map(|scope| scope.as_str().to_owned());
        Self {
            external_id: FormField::new(external_id.unwrap_or_default()),
            tags: ChipEntry::new(tags.collect(), parses::<Tag>),
            scopes: ChipEntry::new(scopes.collect(), parses::<ScopePattern>),
            metadata: FormField::new(pretty(&attributes.metadata).unwrap_or_default()),
            disabled: RwSignal::new(false),
            open: RwSignal::new(!attributes.is_empty()),
        }
    }

    /// The parsed form; `None` if a field is invalid, which then shows why.
    pub fn read(self) -> Option<Attributes> {
        let external_id = self.external_id.read(|text| {
            text.map(|text| text.parse::<ExternalId>()).transpose().map_err(|it| it.to_string())
        });
        let tags = self.tags.read(|tags| Tags::new(tags).map_err(|error| error.to_string()));
        let scopes =
            self.scopes.read(|scopes| Scopes::new(scopes).map_err(|error| error.to_string()));
        let metadata = self.metadata.read(read_metadata);
        if external_id.is_none() || tags.is_none() || scopes.is_none() || metadata.is_none() {
            self.open.set(true);
        }
        Some(Attributes {
            external_id: external_id?,
            tags: tags?,
            scopes: scopes?,
            metadata: metadata?,
        })
    }

    /// Whether closing the form would lose something that was written, tracked.
    pub fn is_changed(self) -> bool {
        // Each is read, so that all of them are tracked.
        let texts = [self.external_id, self.metadata].map(FormField::is_changed);
        let lists = [self.tags, self.scopes].map(ChipEntry::is_changed);
        texts.into_iter().chain(lists).any(|changed| changed) || self.disabled.get()
    }

    /// What is filled in, in a line, tracked.
    pub fn in_words(self) -> String {
        let count = |chips: RwSignal<Vec<String>>, one: &str| match chips.with(Vec::len) {
            0 => None,
            1 => Some(format!("1 {one}")),
            many => Some(format!("{many} {one}s")),
        };
        let external_id = self.external_id.value.with(|text| text.trim().to_owned());
        let has_metadata = self.metadata.value.with(|text| !text.trim().is_empty());
        let parts = [
            Some(external_id).filter(|id| !id.is_empty()),
            count(self.tags.chips, "tag"),
            count(self.scopes.chips, "scope"),
            has_metadata.then(|| "metadata".to_owned()),
            self.disabled.get().then(|| "disabled".to_owned()),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "None.".to_owned() } else { format!("{}.", parts.join(", ")) }
    }

    /// Whether the form has the field that the server refused, which then says what is wrong.
    pub fn refuse_field(self, error: &FieldError) -> bool {
        let message = error.message.clone();
        match error.field.split(['.', '[']).next().unwrap_or_default() {
            "external_id" => self.external_id.set_error(message),
            "metadata" => self.metadata.set_error(message),
            "tags" => self.tags.error.set(Some(message)),
            "scopes" => self.scopes.error.set(Some(message)),
            _ => return false,
        }
        self.open.set(true);
        true
    }
}

fn parses<T>(word: &str) -> Result<(), String>
where
    T: FromStr,
    T::Err: Display,
{
    word.parse::<T>().map(|_| ()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::sample;

    fn attributes() -> Attributes {
        Attributes::of(&sample::key(&serde_json::json!({
            "external_id": "cust_42", "tags": ["beta"], "scopes": ["orders:*"],
            "metadata": { "plan": "pro" },
        })))
    }

    #[test]
    fn only_attributes_that_differ_are_sent() {
        let key = sample::key(&serde_json::json!({ "kind": "api" }));
        assert!(Attributes::of(&key).is_empty());
        assert_eq!(Attributes::of(&key).changes(&key, KeyPatch::default()), KeyPatch::default());
        let patch = attributes().changes(&key, KeyPatch::default());
        assert_eq!(
            serde_json::to_value(&patch).unwrap(),
            serde_json::json!({
                "external_id": "cust_42", "tags": ["beta"], "scopes": ["orders:*"],
                "metadata": { "plan": "pro" },
            })
        );
    }

    #[test]
    fn an_attribute_that_is_emptied_is_cleared() {
        let key = sample::key(&serde_json::json!({
            "external_id": "cust_42", "tags": ["beta"], "scopes": ["orders:*"],
            "metadata": { "plan": "pro" },
        }));
        let patch = Attributes::default().changes(&key, KeyPatch::default());
        assert_eq!(
            serde_json::to_value(&patch).unwrap(),
            serde_json::json!({
                "external_id": null, "tags": null, "scopes": null, "metadata": null,
            })
        );
    }

    #[test]
    fn a_word_that_is_no_tag_or_scope_says_why() {
        assert_eq!(parses::<Tag>("eu west"), Ok(()));
        assert!(parses::<Tag>(&"x".repeat(65)).is_err());
        assert_eq!(parses::<ScopePattern>("orders:*"), Ok(()));
        assert!(parses::<ScopePattern>("orders *").is_err());
    }
}
