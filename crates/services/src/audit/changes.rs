//! Field values before and after an action.

use std::collections::BTreeMap;

use latchkey_domain::api::AuditChange;
use latchkey_domain::budget::{Budget, BudgetUnit, Budgets};
use latchkey_domain::mask;
use serde::Serialize;
use serde_json::Value;

/// The fields that an action changed. Fields with equal values before and after are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes(BTreeMap<String, AuditChange>);

impl Changes {
    /// Adds a field with its values before and after.
    pub(crate) fn field(
        mut self,
        name: &str,
        before: impl Serialize,
        after: impl Serialize,
    ) -> Self {
        let (before, after) = (to_value(before), to_value(after));
        if before != after {
            self.0.insert(name.to_owned(), AuditChange { before, after });
        }
        self
    }

    /// Adds a field that had no value before.
    pub(crate) fn set(self, name: &str, value: impl Serialize) -> Self {
        self.field(name, Value::Null, value)
    }

    /// Adds budgets with their values before and after, in words: `$5 a day, 10 requests for life`.
    pub(crate) fn budgets(self, name: &str, before: &Budgets, after: &Budgets) -> Self {
        self.field(name, in_words(before), in_words(after))
    }

    /// Adds a long text with its values before and after, of which only the beginning of the
    /// difference is kept. Secrets are masked before: half of one would not be known as a secret.
    pub(crate) fn text(self, name: &str, before: Option<String>, after: Option<String>) -> Self {
        if before == after {
            return self;
        }
        let masked = |text: Option<String>| text.map(|text| mask::secrets(&text).into_owned());
        let (before, after) = (masked(before), masked(after));
        let both = before.as_deref().zip(after.as_deref());
        let same = both.map_or(0, |(before, after)| {
            before.chars().zip(after.chars()).take_while(|(one, other)| one == other).count()
        });
        let part = |text: String| excerpt(&text, same);
        self.field(name, before.map(part), after.map(part))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// JSON for the database column.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_else(|_| "{}".to_owned())
    }
}

/// Values are names, numbers, times and lists of them, which always serialize.
fn to_value(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// `None` if there are none.
fn in_words(budgets: &Budgets) -> Option<String> {
    let words: Vec<_> = budgets.as_slice().iter().map(budget_in_words).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn budget_in_words(budget: &Budget) -> String {
    let Budget { unit, limit, period } = budget;
    let unit = match unit {
        BudgetUnit::Requests => " requests",
        BudgetUnit::Tokens => " tokens",
        // The amount has a dollar sign.
        BudgetUnit::Usd => "",
    };
    format!("{limit}{unit} {}", period.recurrence())
}

/// Maximum number of characters of a text that is kept.
const EXCERPT_CHARACTERS: usize = 240;

/// The part of a text around its character `from`, with an ellipsis for what is left out.
fn excerpt(text: &str, from: usize) -> String {
    let length = text.chars().count();
    if length <= EXCERPT_CHARACTERS {
        return text.to_owned();
    }
    // Some of what comes before tells where the difference is.
    let start = from.saturating_sub(EXCERPT_CHARACTERS / 3).min(length - EXCERPT_CHARACTERS);
    let part: String = text.chars().skip(start).take(EXCERPT_CHARACTERS).collect();
    let before = if start > 0 { "…" } else { "" };
    let after = if start + EXCERPT_CHARACTERS < length { "…" } else { "" };
    format!("{before}{part}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unchanged_fields_are_left_out() {
        let changes = Changes::default().field("name", "a", "b").field("rpm", 5, 5).set("tpm", 7);
        assert_eq!(
            changes.to_json(),
            r#"{"name":{"before":"a","after":"b"},"tpm":{"before":null,"after":7}}"#
        );
        assert!(Changes::default().set("rpm", None::<u64>).is_empty());
    }

    #[test]
    fn budgets_are_told_in_words() {
        let budgets = |json: &str| -> Budgets { serde_json::from_str(json).unwrap() };
        let before = budgets(r#"[{"unit":"usd","limit":"2.5","period":"day"}]"#);
        let after = budgets(
            r#"[{"unit":"tokens","limit":1000,"period":"hour"},{"unit":"requests","limit":9,"period":"total"}]"#,
        );
        assert_eq!(
            Changes::default().budgets("budgets", &before, &after).to_json(),
            r#"{"budgets":{"before":"$2.5 a day","after":"1000 tokens an hour, 9 requests for life"}}"#
        );
        assert!(Changes::default().budgets("budgets", &before, &before).is_empty());
        let none = Changes::default().budgets("budgets", &before, &Budgets::NONE).to_json();
        assert_eq!(none, r#"{"budgets":{"before":"$2.5 a day","after":null}}"#);
    }

    #[test]
    fn long_texts_are_cut_around_their_difference() {
        let text = |before: Option<&str>, after: Option<&str>| {
            let (before, after) = (before.map(str::to_owned), after.map(str::to_owned));
            let changes = Changes::default().text("metadata", before, after);
            changes.0.get("metadata").map(|change| (change.before.clone(), change.after.clone()))
        };
        assert_eq!(text(Some("a"), Some("a")), None);
        assert_eq!(text(None, Some("a")), Some((Value::Null, "a".into())));
        let (head, tail) = ("é".repeat(1_000), "x".repeat(1_000));
        let (one, other) = (format!("{head}1{tail}"), format!("{head}2{tail}"));
        let (before, after) = text(Some(&one), Some(&other)).unwrap();
        let cut = |middle: &str| format!("…{}{middle}{}…", "é".repeat(80), "x".repeat(159));
        assert_eq!((before, after), (cut("1").into(), cut("2").into()));
        let (before, after) = text(Some(&one), Some("{}")).unwrap();
        assert_eq!((before, after), (format!("{}…", "é".repeat(240)).into(), "{}".into()));
    }
    #[test]
    fn half_of_a_secret_is_never_kept() {
        let secret = format!("lk_live_{}", "0".repeat(38));
        let (head, near, tail) = ("x".repeat(300), "é".repeat(60), "x".repeat(300));
        // What is kept begins 80 characters before the difference, within the secret.
        let text = |differs: char| Some(format!("{head} {secret} {near}{differs}{tail}"));
        let kept = Changes::default().text("metadata", text('1'), text('2')).to_json();
        assert!(!kept.contains("00000"), "{kept}");
    }
}
