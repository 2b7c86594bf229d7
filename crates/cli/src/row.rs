//! Objects of the API, each member as the text that the server wrote: a client shows what a newer
//! server adds, and no number loses digits.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A JSON object.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Row(BTreeMap<String, Box<RawValue>>);

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) data: Vec<Row>,
    pub(crate) next_cursor: Option<String>,
}

impl Row {
    /// A member as a person reads it: strings without quotes, lists of strings with commas, budgets
    /// as words; empty if it is null or absent.
    pub(crate) fn text(&self, field: &str) -> String {
        self.0.get(field).map_or_else(String::new, |value| shown(value))
    }

    /// A whole number; 0 if it is absent.
    pub(crate) fn number(&self, field: &str) -> u64 {
        self.read(field).unwrap_or_default()
    }

    /// A member that is an object.
    pub(crate) fn object(&self, field: &str) -> Option<Self> {
        self.read(field)
    }

    /// A member that is a list of objects; empty if it is absent.
    pub(crate) fn objects(&self, field: &str) -> Vec<Self> {
        self.read(field).unwrap_or_default()
    }

    /// The names of all members, in order of the alphabet.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn read<'de, T: Deserialize<'de>>(&'de self, field: &str) -> Option<T> {
        serde_json::from_str(self.0.get(field)?.get()).ok()
    }
}

fn shown(value: &RawValue) -> String {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'n') => String::new(),
        Some(b'"') => serde_json::from_str(text).unwrap_or_default(),
        Some(b'[') => listed(text),
        _ => text.to_owned(),
    }
}

fn listed(text: &str) -> String {
    if let Ok(words) = serde_json::from_str::<Vec<String>>(text) {
        return words.join(", ");
    }
    let Ok(rows) = serde_json::from_str::<Vec<Row>>(text) else { return text.to_owned() };
    let budgets: Option<Vec<_>> = rows.iter().map(budget).collect();
    budgets.map_or_else(|| text.to_owned(), |budgets| budgets.join("; "))
}

/// A budget and how far it is used, e.g. `12 of 1000 tokens a day`.
pub(crate) fn budget(row: &Row) -> Option<String> {
    let [unit, period, limit, used] = ["unit", "period", "limit", "used"].map(|one| row.text(one));
    if [&unit, &period, &limit, &used].iter().any(|one| one.is_empty()) {
        return None;
    }
    Some(match period.as_str() {
        "total" => format!("{used} of {limit} {unit} in total"),
        "hour" => format!("{used} of {limit} {unit} an hour"),
        _ => format!("{used} of {limit} {unit} a {period}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_shown_as_the_server_wrote_them() {
        let row: Row = serde_json::from_str(
            r#"{"id":"key_1","rpm":60,"name":"a \"b\"","tags":["x","y"],"scopes":[],
                "metadata":{"n":12345678901234567890123},"expires_at":null,"disabled":false,
                "budgets":[{"unit":"usd","limit":"10.5","period":"month","used":"0.25"},
                           {"unit":"tokens","limit":100,"period":"total","used":7}]}"#,
        )
        .unwrap();
        let shown = |field: &str| row.text(field);
        assert_eq!(shown("name"), "a \"b\"");
        assert_eq!(shown("rpm"), "60");
        assert_eq!(shown("tags"), "x, y");
        assert_eq!(shown("scopes"), "");
        assert_eq!(shown("metadata"), r#"{"n":12345678901234567890123}"#);
        assert_eq!(shown("expires_at"), "");
        assert_eq!(shown("no_such_member"), "");
        assert_eq!(shown("disabled"), "false");
        assert_eq!(shown("budgets"), "0.25 of 10.5 usd a month; 7 of 100 tokens in total");
        assert_eq!(row.number("rpm"), 60);
        assert_eq!(row.number("expires_at"), 0);
        assert_eq!(row.objects("budgets").len(), 2);
    }
}
