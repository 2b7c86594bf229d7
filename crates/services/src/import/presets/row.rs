//! A row as another system's own table or export gives it, with the readings that presets need.

use latchkey_domain::attribute::{ExternalId, Metadata, Tag, Tags};
use latchkey_domain::hint::ForeignHint;
use latchkey_domain::import::{Alphabet, KeyShape, LookupPrefix, StoredForm};
use latchkey_domain::money::Usd;
use latchkey_domain::name::{Name, cleaned};
use latchkey_domain::problem::FieldError;
use latchkey_domain::scope::{ScopePattern, Scopes};
use latchkey_domain::time::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::times;

/// A row of another system: the object of a line, or the record of a CSV file, whose members are
/// then texts, dotted names being nested and empty cells absent.
pub(crate) type ForeignRecord = serde_json::Map<String, Value>;

/// Names that a column has in different exports; the first is the one in the other system's table.
pub(super) type Names = &'static [&'static str];

/// A row of another system. Columns that are null or empty count as absent; columns that no preset
/// reads are ignored, because whole tables are exported.
pub(super) struct ForeignRow(ForeignRecord);

/// A refusal of a column. Stored forms are never repeated.
pub(super) fn refused(column: &str, message: impl std::fmt::Display) -> FieldError {
    FieldError { field: column.to_owned(), message: message.to_string() }
}

/// The name that refusals say.
fn first(names: Names) -> &'static str {
    names.first().copied().unwrap_or_default()
}

/// The value in what MongoDB's exports wrap it in: `{"$date": "2026-…"}`.
fn plain(value: &Value) -> &Value {
    const WRAPPERS: [&str; 5] = ["$date", "$oid", "$numberLong", "$numberInt", "$numberDouble"];
    let Value::Object(members) = value else { return value };
    match members.iter().next() {
        Some((name, inner)) if members.len() == 1 && WRAPPERS.contains(&name.as_str()) => {
            plain(inner)
        }
        _ => value,
    }
}

/// The text of a value, that of JSON if it is not a text.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned())
}

impl ForeignRow {
    pub(super) const fn new(record: ForeignRecord) -> Self {
        Self(record)
    }

    fn cell(&self, names: Names) -> Option<(&'static str, &Value)> {
        let cell = |name: &&'static str| Some((*name, plain(self.0.get(*name)?)));
        let absent = |value: &Value| match value {
            Value::Null => true,
            Value::String(text) => text.trim().is_empty(),
            _ => false,
        };
        names.iter().filter_map(cell).find(|(_, value)| !absent(value))
    }

    /// A text, number or truth value, as its text.
    pub(super) fn text(&self, names: Names) -> Option<String> {
        let (_, value) = self.cell(names)?;
        if value.is_object() || value.is_array() { None } else { Some(text_of(value)) }
    }

    /// A text that the row must have.
    pub(super) fn required(&self, names: Names) -> Result<String, FieldError> {
        let missing = || refused(first(names), "Export this column, and only rows that have it.");
        self.text(names).ok_or_else(missing)
    }

    /// What is stored of the key.
    pub(super) fn stored(&self, names: Names) -> Result<StoredForm, FieldError> {
        stored(names, &self.required(names)?)
    }

    /// The key's name, without what names can't have, or `fallback` if it has none.
    pub(super) fn name(&self, names: Names, fallback: &str) -> Result<Name, FieldError> {
        let name = self.text(names).and_then(|text| cleaned(&text, Name::MAX_CHARACTERS));
        let name = name.or_else(|| cleaned(fallback, Name::MAX_CHARACTERS));
        name.unwrap_or_default().parse::<Name>().map_err(|error| refused(first(names), error))
    }

    /// `true`, `t` and `1`, or `false`, `f` and `0`.
    pub(super) fn flag(&self, names: Names) -> Result<Option<bool>, FieldError> {
        let Some((column, value)) = self.cell(names) else { return Ok(None) };
        match text_of(value).to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => Ok(Some(true)),
            "false" | "f" | "0" => Ok(Some(false)),
            _ => Err(refused(column, "Use true or false.")),
        }
    }

    /// A point in time; absent too where the other system writes a zero for none.
    pub(super) fn time(&self, names: Names) -> Result<Option<Timestamp>, FieldError> {
        let Some((column, value)) = self.cell(names) else { return Ok(None) };
        let text = text_of(value);
        if times::is_zero(&text) {
            return Ok(None);
        }
        let time = times::parse(&text);
        time.map(Some).ok_or_else(|| refused(column, times::FORMS))
    }

    /// A whole number. Exports also write it as a text, or with a fraction of zero.
    pub(super) fn whole(&self, names: Names) -> Result<Option<u64>, FieldError> {
        let Some((column, value)) = self.cell(names) else { return Ok(None) };
        let text = text_of(value);
        let number = match text.split_once('.') {
            Some((whole, fraction)) if fraction.bytes().all(|byte| byte == b'0') => whole,
            _ => text.as_str(),
        };
        let number = number.parse().ok();
        number.map(Some).ok_or_else(|| refused(column, "Use a whole number from 0."))
    }

    /// Dollars, which other systems keep in floating point, rounded to `places` decimal places.
    pub(super) fn dollars(&self, names: Names, places: usize) -> Result<Option<Usd>, FieldError> {
        let Some((column, value)) = self.cell(names) else { return Ok(None) };
        let refused = || refused(column, "Use dollars as a number of 0 or more.");
        let amount = text_of(value).parse().ok();
        let amount: f64 = amount.filter(|amount: &f64| amount.is_finite()).ok_or_else(refused)?;
        let amount = Usd::parse(&format!("{:.places$}", amount.max(0.0)), places);
        amount.map(Some).map_err(|_| refused())
    }

    /// A list of texts: of JSON, of JSON in a text, or as PostgreSQL writes it, `{a,"b c"}`.
    pub(super) fn list(&self, names: Names) -> Result<Vec<String>, FieldError> {
        let Some((column, value)) = self.cell(names) else { return Ok(Vec::new()) };
        let text = text_of(value);
        let list = if text.starts_with('{') {
            postgres_list(&text)
        } else {
            serde_json::from_str(&text).ok()
        };
        list.ok_or_else(|| refused(column, "Use a list of texts."))
    }

    /// A value of JSON, or of JSON in a text.
    pub(super) fn json<T: DeserializeOwned>(
        &self,
        names: Names,
        expected: &'static str,
    ) -> Result<Option<T>, FieldError> {
        let Some((column, value)) = self.cell(names) else { return Ok(None) };
        let parsed: Result<Option<T>, _> = serde_json::from_str(&text_of(value));
        parsed.map_err(|_| refused(column, expected))
    }

    /// An object that becomes the key's metadata, as it is.
    pub(super) fn metadata(&self, names: Names) -> Result<Option<Metadata>, FieldError> {
        let Some((column, value)) = self.cell(names) else { return Ok(None) };
        let text = text_of(value);
        if text == "null" {
            return Ok(None);
        }
        let metadata: Result<Metadata, _> = text.parse();
        let metadata = metadata.map_err(|error| left_out(column, error))?;
        Ok(Some(metadata).filter(|metadata| !metadata.is_empty()))
    }

    /// Who uses the key.
    pub(super) fn external_id(&self, names: Names) -> Result<Option<ExternalId>, FieldError> {
        let Some((column, value)) = self.cell(names) else { return Ok(None) };
        let id = text_of(value).parse::<ExternalId>();
        id.map(Some).map_err(|error| left_out(column, error))
    }

    /// What may be shown of the key; nothing if it can't be.
    pub(super) fn hint(&self, names: Names) -> Option<ForeignHint> {
        hint(&self.text(names)?)
    }
}

/// A refusal of what a key can do without.
fn left_out(column: &'static str, error: impl std::fmt::Display) -> FieldError {
    refused(column, format!("{error} Or leave the column out of the export."))
}

/// Wraps what is stored of a key, as it was found in a column.
pub(super) fn stored(names: Names, text: &str) -> Result<StoredForm, FieldError> {
    StoredForm::new(text).map_err(|error| refused(first(names), error))
}

/// A hint, or nothing if the text can't be shown.
pub(super) fn hint(text: &str) -> Option<ForeignHint> {
    cleaned(text, ForeignHint::MAX_CHARACTERS)?.parse().ok()
}

/// The hint that shows the start of a key; nothing if no start is known.
pub(super) fn hint_of_start(start: &str) -> Option<ForeignHint> {
    if start.is_empty() { None } else { hint(&format!("{start}...")) }
}

/// The start of a key by which its slow hash is found.
pub(super) fn lookup(column: &'static str, text: &str) -> Result<LookupPrefix, FieldError> {
    LookupPrefix::new(text).map_err(|error| refused(column, error))
}

/// A shape that a column gave rise to.
pub(super) fn shape(
    column: &'static str,
    prefix: &str,
    lengths: std::ops::RangeInclusive<usize>,
    alphabet: Alphabet,
) -> Result<Option<KeyShape>, FieldError> {
    let length =
        |length: usize| u16::try_from(length).unwrap_or(u16::MAX).min(KeyShape::MAX_LENGTH);
    let (min, max) = (length(*lengths.start()), length(*lengths.end()));
    let shape = KeyShape::new(prefix, min, max, alphabet);
    shape.map(Some).map_err(|error| refused(column, error))
}

/// Scopes of a key; none for an empty list.
pub(super) fn scopes(column: &'static str, list: &[String]) -> Result<Option<Scopes>, FieldError> {
    let patterns: Result<Vec<ScopePattern>, _> = list.iter().map(|scope| scope.parse()).collect();
    let patterns = patterns.map_err(|error| left_out(column, error))?;
    let scopes = Scopes::new(patterns).map_err(|error| left_out(column, error))?;
    Ok(Some(scopes).filter(|scopes| !scopes.is_empty()))
}

/// One tag, such as `team:…`; nothing if it can't be one.
pub(super) fn tag(text: &str) -> Option<Tags> {
    let tag: Tag = cleaned(text, Tag::MAX_CHARACTERS)?.parse().ok()?;
    Tags::new(vec![tag]).ok()
}

/// The items of PostgreSQL's text form of a list of texts.
fn postgres_list(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let (mut items, mut item) = (Vec::new(), String::new());
    let (mut quoted, mut was_quoted) = (false, false);
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => item.push(characters.next()?),
            '"' => (quoted, was_quoted) = (!quoted, true),
            ',' if !quoted => {
                items.push(std::mem::take(&mut item));
                was_quoted = false;
            }
            _ => item.push(character),
        }
    }
    if quoted {
        return None;
    }
    if !inner.is_empty() || was_quoted {
        items.push(item);
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: &str) -> ForeignRow {
        ForeignRow::new(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn null_and_empty_columns_count_as_absent() {
        let row = row(r#"{"a": null, "b": "", "c": " x ", "d": 17, "e": true, "f": {}}"#);
        assert_eq!(row.text(&["a"]), None);
        assert_eq!(row.text(&["b", "c"]).unwrap(), "x");
        assert_eq!(row.text(&["d"]).unwrap(), "17");
        assert_eq!(row.flag(&["e"]).unwrap(), Some(true));
        assert_eq!(row.text(&["f"]), None);
        assert_eq!(row.flag(&["a"]).unwrap(), None);
        assert!(row.flag(&["c"]).is_err());
        assert_eq!(row.required(&["a"]).unwrap_err().field, "a");
    }

    #[test]
    fn values_are_read_as_mongodb_exports_them() {
        let row = row(r#"{"a": {"$oid": "674b"}, "b": {"$date": "2026-11-30T14:47:33.12Z"},
            "c": {"$date": {"$numberLong": "1796050053120"}}, "d": {"$numberInt": "5"}}"#);
        assert_eq!(row.text(&["a"]).unwrap(), "674b");
        assert_eq!(row.time(&["b"]).unwrap(), row.time(&["c"]).unwrap());
        assert_eq!(row.whole(&["d"]).unwrap(), Some(5));
    }

    #[test]
    fn numbers_are_read_as_exports_write_them() {
        let row = row(r#"{"a": 5, "b": "7", "c": 5.0, "d": 5.5, "e": -1, "f": 0.30000000000000004,
            "g": 1.5e-7, "h": "NaN"}"#);
        assert_eq!(row.whole(&["a"]).unwrap(), Some(5));
        assert_eq!(row.whole(&["b"]).unwrap(), Some(7));
        assert_eq!(row.whole(&["c"]).unwrap(), Some(5));
        assert!(row.whole(&["d"]).is_err() && row.whole(&["e"]).is_err());
        assert_eq!(row.dollars(&["f"], 9).unwrap().unwrap().to_string(), "0.3");
        assert_eq!(row.dollars(&["g"], 9).unwrap().unwrap().to_string(), "0.00000015");
        assert!(row.dollars(&["h"], 9).is_err());
    }

    #[test]
    fn lists_are_read_in_each_form() {
        let row = row(r#"{"a": ["x", "y z"], "b": "[\"x\",\"y z\"]", "c": "{x,\"y z\"}", "d": [],
            "e": "{}", "f": "x,y", "g": "{\"a\\\"b,c\"}"}"#);
        for column in [&["a"], &["b"], &["c"]] {
            assert_eq!(row.list(column).unwrap(), ["x", "y z"]);
        }
        for column in [&["d"], &["e"], &["z"]] {
            assert!(row.list(column).unwrap().is_empty());
        }
        assert!(row.list(&["f"]).is_err());
        assert_eq!(row.list(&["g"]).unwrap(), ["a\"b,c"]);
    }

    #[test]
    fn metadata_is_an_object_or_the_text_of_one() {
        let row = row(r#"{"a": {"n": 1.1}, "b": "{\"n\": 1.1}", "c": {}, "d": "x", "e": "null"}"#);
        for column in [&["a"], &["b"]] {
            assert_eq!(row.metadata(column).unwrap().unwrap().as_str(), r#"{"n":1.1}"#);
        }
        assert!(row.metadata(&["c"]).unwrap().is_none());
        assert!(row.metadata(&["d"]).unwrap_err().message.contains("leave the column out"));
        assert!(row.metadata(&["e"]).unwrap().is_none());
    }
}
