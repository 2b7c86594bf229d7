//! Scopes: what a key may be used for, in the customer's own words.

mod query;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

pub use self::query::ScopeQuery;
use crate::distinct::distinct;

/// Maximum number of characters of a scope.
const MAX_CHARACTERS: usize = 100;

/// A scope that a request asks for: 1–100 of the characters `A–Z a–z 0–9 _ . : / -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Scope(String);

/// Why a text is not a valid scope to ask for. The message is shown at the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Use 1 to 100 of the characters A–Z, a–z, 0–9, _ . : / and -.")]
pub struct InvalidScope;

impl Scope {
    /// The scope as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text has only characters of a scope.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'/' | b'-')
    })
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let fits = (1..=MAX_CHARACTERS).contains(&text.len());
        if fits && is_plain(text) { Ok(Self(text.to_owned())) } else { Err(InvalidScope) }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A scope that a key has. A final `*` stands for any rest: `orders:*` grants `orders:read`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ScopePattern(String);

/// Why a text is not a valid scope of a key. The message is shown at the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Use 1 to 100 of the characters A–Z, a–z, 0–9, _ . : / and -; only the last may be *.")]
pub struct InvalidScopePattern;

impl ScopePattern {
    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a key with this scope may do what `scope` names.
    pub fn grants(&self, scope: &Scope) -> bool {
        match self.0.strip_suffix('*') {
            Some(start) => scope.0.starts_with(start),
            None => self.0 == scope.0,
        }
    }
}

impl FromStr for ScopePattern {
    type Err = InvalidScopePattern;

    fn from_str(text: &str) -> Result<Self, InvalidScopePattern> {
        let fits = (1..=MAX_CHARACTERS).contains(&text.len());
        let plain = text.strip_suffix('*').unwrap_or(text);
        if fits && is_plain(plain) { Ok(Self(text.to_owned())) } else { Err(InvalidScopePattern) }
    }
}

impl fmt::Display for ScopePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ScopePattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The scopes of a key: at most 64, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Scopes(Vec<ScopePattern>);

/// The list has more than [`Scopes::MAX`] items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("List at most 64 scopes.")]
pub struct TooManyScopes;

impl Scopes {
    /// Maximum number of scopes.
    pub const MAX: usize = 64;

    /// Creates a list without duplicates.
    ///
    /// # Errors
    /// The list is too long.
    pub fn new(all: Vec<ScopePattern>) -> Result<Self, TooManyScopes> {
        if all.len() > Self::MAX { Err(TooManyScopes) } else { Ok(Self(distinct(all))) }
    }

    /// The scopes in their original order.
    pub fn as_slice(&self) -> &[ScopePattern] {
        &self.0
    }

    /// Whether there are no scopes.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of these scopes grants `scope`.
    pub fn grants(&self, scope: &Scope) -> bool {
        self.0.iter().any(|pattern| pattern.grants(scope))
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
mod schemas {
    use utoipa::openapi::RefOr;
    use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
    use utoipa::{PartialSchema, ToSchema};

    use super::{MAX_CHARACTERS, Scope, ScopePattern, Scopes};

    impl PartialSchema for Scope {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(MAX_CHARACTERS))
                .pattern(Some("^[A-Za-z0-9_.:/-]+$"))
                .examples(["orders:read"])
                .into()
        }
    }

    impl ToSchema for Scope {}

    impl PartialSchema for ScopePattern {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(MAX_CHARACTERS))
                .pattern(Some(r"^[A-Za-z0-9_.:/-]*[A-Za-z0-9_.:/*-]$"))
                .description(Some("A scope. A final `*` stands for any rest"))
                .examples(["orders:*"])
                .into()
        }
    }

    impl ToSchema for ScopePattern {}

    impl PartialSchema for Scopes {
        fn schema() -> RefOr<Schema> {
            ArrayBuilder::new()
                .items(ScopePattern::schema())
                .max_items(Some(Self::MAX))
                .description(Some("At most 64 scopes. Duplicates are dropped"))
                .into()
        }
    }

    impl ToSchema for Scopes {}
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    #[test]
    fn scope_has_1_to_100_plain_characters() {
        for good in ["a", "orders:read", "GET:/v1/a_b.c-d", &"x".repeat(100)] {
            assert_eq!(good.parse::<Scope>().unwrap().as_str(), good);
            assert_eq!(good.parse::<ScopePattern>().unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "é", "a*b", "**", "a,b", "a\n", &"x".repeat(101)] {
            assert_eq!(bad.parse::<Scope>(), Err(InvalidScope), "{bad:.20?}");
            assert_eq!(bad.parse::<ScopePattern>(), Err(InvalidScopePattern), "{bad:.20?}");
        }
        for pattern in ["*", "orders:*"] {
            assert_eq!(pattern.parse::<Scope>(), Err(InvalidScope), "{pattern}");
            assert_eq!(pattern.parse::<ScopePattern>().unwrap().to_string(), pattern);
        }
    }

    #[test]
    fn final_star_grants_any_rest() {
        let grants = |pattern: &str, scope: &str| {
            pattern.parse::<ScopePattern>().unwrap().grants(&scope.parse().unwrap())
        };
        assert!(grants("orders:read", "orders:read") && !grants("orders:read", "orders:readable"));
        assert!(grants("orders:*", "orders:read") && grants("orders:*", "orders:"));
        assert!(!grants("orders:*", "orders") && !grants("orders:*", "Orders:read"));
        assert!(grants("*", "anything"));
    }

    #[test]
    fn scopes_are_at_most_64_and_each_once() {
        let scopes = |text: &str| serde_json::from_str::<Scopes>(text);
        let kept = scopes(r#"["b:*","a","b:*"]"#).unwrap();
        assert_eq!(serde_json::to_string(&kept).unwrap(), r#"["b:*","a"]"#);
        assert_eq!(scopes("[]").unwrap(), Scopes::default());
        assert!(scopes(r#"["a b"]"#).is_err() && scopes("\"a\"").is_err());
        let many = |count: u32| {
            Scopes::new((0..count).map(|number| number.to_string().parse().unwrap()).collect())
        };
        assert_eq!(many(64).unwrap().as_slice().len(), 64);
        assert_eq!(many(65), Err(TooManyScopes));
    }

    proptest! {
        #[test]
        fn pattern_grants_as_its_regular_expression(
            start in "[ab:.]{0,3}",
            end in "[ab:.*]",
            scope in "[ab:.]{1,5}",
        ) {
            let pattern: ScopePattern = format!("{start}{end}").parse().unwrap();
            let expression = regex::escape(pattern.as_str()).replace(r"\*", ".*");
            let expected = Regex::new(&format!("^{expression}$")).unwrap().is_match(&scope);
            prop_assert_eq!(pattern.grants(&scope.parse().unwrap()), expected);
        }
    }
}
