//! A row of an import: a key, and what another system stores of it.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use super::scheme::Scheme;
use super::shape::KeyShape;
use crate::api::KeyRequest;
use crate::hint::ForeignHint;
use crate::key::KeyStatus;
use crate::money::Usd;
use crate::time::Timestamp;

/// One key of a file, as it is to arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRow {
    /// The key as a request would create it. Its `expires_at` may have passed.
    pub key: KeyRequest,
    /// What the other system stores of the key.
    pub stored: StoredForm,
    /// How `stored` was made; that of the request if absent.
    pub scheme: Option<Scheme>,
    /// What the key's presented text starts with. Only a slow scheme needs it, and it must have it.
    pub lookup: Option<LookupPrefix>,
    /// What may be shown of the key.
    pub hint: Option<ForeignHint>,
    /// State to arrive in; active, or expired by its expiry, if absent.
    pub status: Option<KeyStatus>,
    /// When the other system created the key; now if absent.
    pub created_at: Option<Timestamp>,
    /// When the key was last used.
    pub last_used_at: Option<Timestamp>,
    /// What a presented text of this key looks like. Only presets know.
    pub shape: Option<KeyShape>,
    /// Dollars used so far of the first budget in dollars, in its current period. Only presets
    /// know.
    pub spent: Option<Usd>,
}

impl ImportRow {
    /// A row with nothing but what is required.
    pub const fn new(key: KeyRequest, stored: StoredForm) -> Self {
        Self {
            key,
            stored,
            scheme: None,
            lookup: None,
            hint: None,
            status: None,
            created_at: None,
            last_used_at: None,
            shape: None,
            spent: None,
        }
    }
}

/// What another system stores of a key: a digest, or the key itself. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct StoredForm(String);

/// The stored form is empty or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Use 1 to 4,096 characters.")]
pub struct InvalidStoredForm;

impl StoredForm {
    /// Maximum length, in bytes.
    pub const MAX_BYTES: usize = 4_096;

    /// Wraps a stored form. Spaces at its ends belong to no scheme and are dropped.
    ///
    /// # Errors
    /// The text is empty or has more than [`Self::MAX_BYTES`].
    pub fn new(text: &str) -> Result<Self, InvalidStoredForm> {
        let text = text.trim();
        let fits = (1..=Self::MAX_BYTES).contains(&text.len());
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidStoredForm) }
    }

    /// The stored form, to be digested or sealed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StoredForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredForm([redacted])")
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for StoredForm {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .min_length(Some(1))
            .max_length(Some(Self::MAX_BYTES))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for StoredForm {}

impl<'de> Deserialize<'de> for StoredForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The start of a key under which its slow hash is found, or a `*` and its end: 4-64 visible ASCII
/// characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LookupPrefix(String);

/// The text can't be the start by which a key is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Use the first 4 to 64 characters of the key, as far as they may be known.")]
pub struct InvalidLookupPrefix;

impl LookupPrefix {
    /// Fewest and most characters.
    pub const LENGTHS: std::ops::RangeInclusive<usize> = 4..=64;

    /// Wraps the start of a key.
    ///
    /// # Errors
    /// The text is too short, too long, or has a space or a character outside ASCII.
    pub fn new(text: &str) -> Result<Self, InvalidLookupPrefix> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        let fits = visible && Self::LENGTHS.contains(&text.len());
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidLookupPrefix) }
    }

    /// The start as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for LookupPrefix {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .min_length(Some(*Self::LENGTHS.start()))
            .max_length(Some(*Self::LENGTHS.end()))
            .pattern(Some(r"^[\x21-\x7e]+$"))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for LookupPrefix {}

impl<'de> Deserialize<'de> for LookupPrefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
