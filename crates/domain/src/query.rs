//! Search text of a query.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

/// Search or filter text of a list: 1–200 characters, no control characters. PostgreSQL accepts
/// no NUL and SQLite no long pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct QueryText(String);

/// Why a text is not valid search text. The message is shown at the parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Use 1 to 200 characters, no control characters.")]
pub struct InvalidQueryText;

impl QueryText {
    /// Maximum number of characters (Unicode scalar values).
    pub const MAX_CHARACTERS: usize = 200;

    /// The text as it was entered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The valid part of a text, for pages: a page does not fail because of its query string.
    pub fn fitting(text: &str) -> Option<Self> {
        let shown = text.chars().filter(|character| !character.is_control());
        shown.take(Self::MAX_CHARACTERS).collect::<String>().parse().ok()
    }

    /// Deserializes a field that may be absent, null or, as a query parameter, empty.
    ///
    /// # Errors
    /// The text is not valid search text.
    pub fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let text = text.filter(|text| !text.is_empty());
        text.map(|text| text.parse()).transpose().map_err(de::Error::custom)
    }
}

impl FromStr for QueryText {
    type Err = InvalidQueryText;

    fn from_str(text: &str) -> Result<Self, InvalidQueryText> {
        // Stop counting one character past the maximum.
        let characters = text.chars().take(Self::MAX_CHARACTERS + 1);
        let (count, controls) = characters.fold((0, false), |(count, controls), character| {
            (count + 1, controls || character.is_control())
        });
        if (1..=Self::MAX_CHARACTERS).contains(&count) && !controls {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidQueryText)
        }
    }
}

impl fmt::Display for QueryText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lower-cases a text for comparison in searches, in every alphabet. The databases disagree on
/// this: SQLite's `lower` handles ASCII only, PostgreSQL's depends on the locale.
pub fn folded(text: &str) -> String {
    text.chars().flat_map(folded_character).collect()
}

/// Lower-cases one character. The result does not depend on its neighbors, as the two lower-case
/// forms of sigma would.
pub fn folded_character(character: char) -> impl Iterator<Item = char> {
    character.to_lowercase().map(|small| if small == 'ς' { 'σ' } else { small })
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for QueryText {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .max_length(Some(Self::MAX_CHARACTERS))
            .pattern(Some(r"^[^\x00-\x1f\x7f-\x9f]*$"))
            .description(Some(
                "At most 200 characters, no control characters. An empty value is ignored",
            ))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for QueryText {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_text_accepts_1_to_200_characters() {
        for good in ["a", " ", "Web • checkout", "%_\\", &"é".repeat(200)] {
            assert_eq!(good.parse::<QueryText>().unwrap().as_str(), good);
        }
        for bad in ["", "a\0", "\n", "a\u{7f}", "\u{85}", &"a".repeat(201), &"a".repeat(50_000)] {
            assert_eq!(bad.parse::<QueryText>(), Err(InvalidQueryText), "{bad:.20?}");
        }
    }

    #[test]
    fn folding_lower_cases_every_alphabet() {
        for (text, small) in [
            ("Web CHECKOUT", "web checkout"),
            ("ÄRGER ÉCOLE", "ärger école"),
            ("ЗАКАЗ", "заказ"),
            ("ΟΔΟΣ ΟΔΟΣΑ οδος", "οδοσ οδοσα οδοσ"),
            ("10 \u{212a}", "10 k"),
            ("注文", "注文"),
        ] {
            assert_eq!(folded(text), small);
        }
    }

    #[test]
    fn fitting_keeps_the_valid_part() {
        let fitting = |text: &str| QueryText::fitting(text).map(|text| text.to_string());
        assert_eq!(fitting("web\0"), Some("web".to_owned()));
        assert_eq!(fitting(&"é".repeat(300)), Some("é".repeat(200)));
        assert_eq!(fitting(""), None);
        assert_eq!(fitting("\0\n"), None);
    }
}
