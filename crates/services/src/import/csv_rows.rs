//! Records of a CSV file as JSON objects.

use csv::{ReaderBuilder, StringRecord};
use serde_json::{Map, Value};

use super::presets::ForeignRecord;

/// Longest row, in bytes: parsed JSON takes many times the memory of its text.
pub(super) const MAX_ROW_BYTES: usize = 1 << 20;
pub(super) const TOO_LONG: &str = "A row has at most 1 MiB.";

/// Most columns, most bytes of a name, and most members around a member: what a file may nest is
/// serialized and dropped by recursion.
const MAX_COLUMNS: usize = 1_024;
const MAX_NAME: usize = 256;
const MAX_DEPTH: usize = 32;

/// Columns whose cells are lists, separated by `;`.
const LISTS: [&str; 4] = ["tags", "scopes", "allowed_models", "allowed_cidrs"];
/// Columns whose cells are numbers.
const NUMBERS: [&str; 4] = ["rpm", "tpm", "max_parallel", "token_limit"];
/// Columns whose cells are JSON.
const JSON: [&str; 2] = ["budgets", "metadata"];

/// The records of a CSV file.
pub(super) struct CsvRows<'a> {
    reader: csv::Reader<&'a [u8]>,
    columns: Vec<Vec<String>>,
    /// Whether the cells are those of our own rows, so that their types are known.
    is_own: bool,
    record: StringRecord,
}

impl<'a> CsvRows<'a> {
    /// Reads the header row.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn new(text: &'a str, is_own: bool) -> Result<Self, String> {
        let mut reader = ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
        let header = reader.headers().map_err(|_| "The header row can’t be read.".to_owned())?;
        if header.len() > MAX_COLUMNS {
            return Err(format!("A file has at most {MAX_COLUMNS} columns."));
        }
        let mut names: Vec<&str> = header.iter().map(str::trim).collect();
        if names.iter().any(|name| name.len() > MAX_NAME || name.split('.').count() > MAX_DEPTH) {
            let most = format!("{MAX_NAME} bytes and {MAX_DEPTH} dotted parts");
            return Err(format!("Give every column a name of at most {most}."));
        }
        let columns: Vec<Vec<String>> =
            names.iter().map(|name| name.split('.').map(str::to_owned).collect()).collect();
        if columns.iter().flatten().any(String::is_empty) {
            return Err("Give every column of the header row a name.".to_owned());
        }
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err("Name every column of the header row once.".to_owned());
        }
        Ok(Self { reader, columns, is_own, record: StringRecord::new() })
    }

    /// The next record, or why it can't be read; `None` at the end.
    pub(super) fn next_record(&mut self) -> Option<Result<ForeignRecord, String>> {
        match self.reader.read_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) if self.record.as_slice().len() > MAX_ROW_BYTES => {
                Some(Err(TOO_LONG.to_owned()))
            }
            Ok(true) => Some(self.to_object()),
            Err(error) => Some(Err(match error.kind() {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    format!("The header row has {expected_len} columns, this row has {len}.")
                }
                _ => "The row is not valid CSV.".to_owned(),
            })),
        }
    }

    fn to_object(&self) -> Result<ForeignRecord, String> {
        let mut object = Map::new();
        for (path, cell) in self.columns.iter().zip(self.record.iter()) {
            if cell.is_empty() {
                continue;
            }
            let value = if self.is_own { typed(path, cell) } else { Value::from(cell) };
            insert(&mut object, path, value)?;
        }
        Ok(object)
    }
}

/// Sets the member at a path, with the objects around it.
fn insert(object: &mut ForeignRecord, path: &[String], value: Value) -> Result<(), String> {
    let Some((last, parents)) = path.split_last() else { return Ok(()) };
    let mut place = object;
    for name in parents {
        let inner = place.entry(name.as_str()).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(inner) = inner else {
            return Err(format!("The columns {name} and {} exclude each other.", path.join(".")));
        };
        place = inner;
    }
    match place.insert(last.clone(), value) {
        None => Ok(()),
        Some(_) => Err(format!("The columns {last} and {last}.… exclude each other.")),
    }
}

/// The value of a cell of ours. A cell that is not of its column's type stays a text, whose
/// refusal says what is expected.
fn typed(path: &[String], cell: &str) -> Value {
    let text = || Value::from(cell);
    let [name] = path else { return text() };
    let name = name.as_str();
    if LISTS.contains(&name) {
        let items = cell.split(';').map(str::trim).filter(|item| !item.is_empty());
        return items.map(Value::from).collect();
    }
    if JSON.contains(&name) {
        return serde_json::from_str(cell).unwrap_or_else(|_| text());
    }
    let cell = cell.trim();
    if NUMBERS.contains(&name) {
        return cell.parse::<u64>().map_or_else(|_| text(), Value::from);
    }
    if name == "disabled" {
        return match cell.to_ascii_lowercase().as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => text(),
        };
    }
    text()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(text: &str, is_own: bool) -> Vec<Result<Value, String>> {
        let mut rows = CsvRows::new(text, is_own).unwrap();
        std::iter::from_fn(|| rows.next_record()).map(|row| row.map(Value::Object)).collect()
    }

    #[test]
    fn cells_have_the_types_of_their_columns() {
        let text = "name,rpm,tags,metadata.plan.seats,disabled,expires_at,budgets\r\n\
                    \"Shop, EU\",60,a; b;,3,TRUE,,\"[{\"\"unit\"\":\"\"usd\"\"}]\"\r\n\
                    x,many,,,maybe,2030-01-01T00:00:00Z,[\r\n";
        assert_eq!(
            rows(text, true),
            [
                Ok(json!({
                    "name": "Shop, EU", "rpm": 60, "tags": ["a", "b"], "disabled": true,
                    "metadata": {"plan": {"seats": "3"}}, "budgets": [{"unit": "usd"}],
                })),
                Ok(json!({
                    "name": "x", "rpm": "many", "disabled": "maybe",
                    "expires_at": "2030-01-01T00:00:00Z", "budgets": "[",
                })),
            ]
        );
        let foreign = rows("rpm,meta.tags\n60,a;b\n", false);
        assert_eq!(foreign, [Ok(json!({"rpm": "60", "meta": {"tags": "a;b"}}))]);
    }

    #[test]
    fn wrong_header_or_row_is_refused() {
        for header in ["name,name\n", "name,\n", "name,metadata..a\n"] {
            assert!(CsvRows::new(header, true).is_err(), "{header}");
        }
        let found = rows("name,stored\na,b\nc\nd,e,f\ng,h\n", true);
        let good: Vec<bool> = found.iter().map(Result::is_ok).collect();
        assert_eq!(good, [true, false, false, true]);
        let deep = format!("name,{}a\n", "a.".repeat(MAX_DEPTH));
        let long = format!("name,{}\n", "a".repeat(MAX_NAME + 1));
        let wide: Vec<_> = (0..=MAX_COLUMNS).map(|column| column.to_string()).collect();
        for header in [deep, long, format!("{}\n", wide.join(","))] {
            assert!(CsvRows::new(&header, false).is_err(), "{header:.20}");
        }
        let large = format!("name,metadata\na,{}\nb,\n", "[".repeat(MAX_ROW_BYTES));
        let good: Vec<bool> = rows(&large, true).iter().map(Result::is_ok).collect();
        assert_eq!(good, [false, true]);
        assert!(rows("metadata,metadata.a\n{},b\n", true)[0].is_ok());
        assert!(rows("metadata,metadata.a\nx,b\n", true)[0].is_err());
    }
}
