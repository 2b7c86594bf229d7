//! Reads a file into keys that are ready for the database.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use latchkey_domain::digest::KeyDigest;
use latchkey_domain::hint::MaskedSecret;
use latchkey_domain::import::{ImportRecord, ImportRow, KeyShape, Preset, Scheme};
use latchkey_domain::json;
use latchkey_domain::key::KeyKind;
use latchkey_domain::name::Name;
use latchkey_domain::problem::{ErrorCode, FieldError, Problem};
use latchkey_domain::time::Timestamp;

use super::csv_rows::{CsvRows, MAX_ROW_BYTES, TOO_LONG};
use super::faults::RowFaults;
use super::prepare::{Preparation, PreparedKey};
use super::presets::{self, ForeignRecord};
use super::request::{Import, ImportFormat, ImportSecret};
use super::shape_of_plaintext::Common;
use crate::error::Error;
use crate::services::Services;

/// Most rows of a file.
const MAX_ROWS: usize = 100_000;

/// The keys of a file.
#[derive(Default)]
pub(super) struct PreparedFile {
    pub(super) keys: Vec<PreparedKey>,
    /// Shapes that the rows bring, each once.
    pub(super) shapes: Vec<KeyShape>,
    pub(super) faults: RowFaults,
    /// Whether names that are taken get the number of their row: a preset's rows have the names
    /// that the other system let people choose.
    pub(super) renames: bool,
}

/// Reads and prepares all rows. Takes about a second for the largest file.
///
/// # Errors
/// `Invalid` if the file has no rows or too many, or its header can't be read. Wrong rows are in
/// the batch.
pub(super) fn read(
    services: &Services,
    import: &Import,
    now: Timestamp,
) -> Result<PreparedFile, Error> {
    let shared = Preparation {
        services,
        now,
        scheme: import.scheme.as_ref(),
        has_secret: import.secret.is_some(),
    };
    let batch = PreparedFile { renames: import.preset.is_some(), ..PreparedFile::default() };
    let secret = import.secret.as_ref().map(ImportSecret::expose);
    let (preset, seen) = (import.preset, Seen::default());
    let mut reading = Reading { shared, preset, secret, batch, seen, row: 0 };
    // Editors of Windows put this mark in front of UTF-8.
    let text = import.body.strip_prefix('\u{feff}').unwrap_or(&import.body);
    match import.format {
        ImportFormat::Ndjson => reading.read_lines(text)?,
        ImportFormat::Csv => reading.read_csv(text)?,
    }
    reading.finish()
}

struct Reading<'a> {
    shared: Preparation<'a>,
    preset: Option<Preset>,
    /// What the other system digested its keys with.
    secret: Option<&'a [u8]>,
    batch: PreparedFile,
    seen: Seen,
    row: usize,
}

/// What earlier rows have, by which a later one may be a duplicate.
#[derive(Default)]
struct Seen {
    digests: HashMap<KeyDigest, usize>,
    names: HashMap<(KeyKind, String), usize>,
    lookups: HashMap<String, usize>,
    plaintexts: Common,
}

impl Reading<'_> {
    fn read_lines(&mut self, text: &str) -> Result<(), Error> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        if lines.clone().count() > MAX_ROWS {
            return Err(too_many_rows());
        }
        for line in lines {
            self.row += 1;
            if self.batch.faults.is_full() {
                break;
            }
            if line.len() > MAX_ROW_BYTES {
                self.batch.faults.add(self.row, "", TOO_LONG);
                continue;
            }
            match self.preset {
                Some(preset) => match serde_json::from_str::<ForeignRecord>(line) {
                    Ok(record) => self.add_foreign(preset, record),
                    Err(_) => self.batch.faults.add(self.row, "", NOT_OBJECT),
                },
                None => self.add_own(line.as_bytes()),
            }
        }
        Ok(())
    }

    fn read_csv(&mut self, text: &str) -> Result<(), Error> {
        let header = |message: String| Error::invalid("header", message);
        let mut rows = CsvRows::new(text, self.preset.is_none()).map_err(header)?;
        while let Some(record) = rows.next_record() {
            self.row += 1;
            if self.row > MAX_ROWS {
                return Err(too_many_rows());
            }
            if self.batch.faults.is_full() {
                break;
            }
            match (record, self.preset) {
                (Err(message), _) => self.batch.faults.add(self.row, "", message),
                (Ok(record), Some(preset)) => self.add_foreign(preset, record),
                (Ok(record), None) => {
                    // Texts, numbers and lists of them always serialize.
                    let json = serde_json::to_vec(&record).unwrap_or_default();
                    self.add_own(&json);
                }
            }
        }
        Ok(())
    }

    fn add_own(&mut self, json: &[u8]) {
        match json::read::<ImportRecord>(json) {
            Ok(record) => self.add(ImportRow::from(record)),
            Err(Problem { code: ErrorCode::Malformed, .. }) => {
                self.batch.faults.add(self.row, "", NOT_OBJECT);
            }
            Err(problem) => self.batch.faults.add_all(self.row, problem.errors),
        }
    }

    fn add_foreign(&mut self, preset: Preset, record: ForeignRecord) {
        match presets::rows(preset, record, self.secret) {
            Ok(rows) => rows.into_iter().for_each(|row| self.add(row)),
            Err(FieldError { field, message }) => self.batch.faults.add(self.row, &field, message),
        }
    }

    fn add(&mut self, row: ImportRow) {
        let scheme = row.scheme.as_ref().or(self.shared.scheme);
        let is_plaintext = scheme == Some(&Scheme::Plaintext);
        let plaintext = (is_plaintext && row.shape.is_none()).then(|| row.stored.clone());
        match self.shared.prepare(self.row, row) {
            Ok(mut key) => {
                if let Err(error) = self.seen.check(&mut key, self.batch.renames) {
                    self.batch.faults.add(self.row, &error.field, error.message);
                    return;
                }
                let is_foreign = matches!(key.hint, MaskedSecret::Imported(_));
                if let Some(text) = plaintext.filter(|_| is_foreign) {
                    self.seen.plaintexts.add(self.row, text.expose());
                }
                if let Some(shape) = key.shape.take()
                    && !self.batch.shapes.contains(&shape)
                {
                    self.batch.shapes.push(shape);
                }
                self.batch.keys.push(key);
            }
            Err(errors) => self.batch.faults.add_all(self.row, errors),
        }
    }

    fn finish(mut self) -> Result<PreparedFile, Error> {
        if self.row == 0 {
            return Err(Error::invalid("rows", "The file has no rows."));
        }
        match self.seen.plaintexts.shape() {
            Some((_, Ok(shape))) if !self.batch.shapes.contains(&shape) => {
                self.batch.shapes.push(shape);
            }
            Some((row, Err(invalid))) => {
                let message = format!("The keys look like anybody’s: {invalid}");
                self.batch.faults.add(row, "stored", message);
            }
            Some((_, Ok(_))) | None => {}
        }
        Ok(self.batch)
    }
}

fn too_many_rows() -> Error {
    Error::invalid("rows", "A file has at most 100,000 rows. Split it.")
}

const NOT_OBJECT: &str = "Expected a JSON object on one line.";

impl Seen {
    /// Refuses a key that an earlier row has, or its name or start.
    fn check(&mut self, key: &mut PreparedKey, renames: bool) -> Result<(), FieldError> {
        let wrong = |field: &str, message: String| FieldError { field: field.to_owned(), message };
        match self.digests.entry(key.foreign_digest) {
            Entry::Occupied(earlier) => {
                return Err(wrong("stored", format!("Row {} has the same key.", earlier.get())));
            }
            Entry::Vacant(place) => place.insert(key.row),
        };
        if let Some(lookup) = &key.lookup
            && let Some(row) = self.lookups.insert(lookup.as_str().to_owned(), key.row)
        {
            return Err(wrong("lookup", format!("Row {row} has the same start.")));
        }
        if !key.holds_name() {
            return Ok(());
        }
        if renames && self.names.contains_key(&key.name()) {
            let kind = key.request.kind;
            let is_taken = |name: &str| self.names.contains_key(&(kind, name.to_owned()));
            key.request.name = numbered(&key.request.name, key.row, is_taken);
        }
        match self.names.insert(key.name(), key.row) {
            Some(row) => Err(wrong("name", format!("Row {row} has the same name."))),
            None => Ok(()),
        }
    }
}

/// Numbers behind a name that are tried.
const NUMBERS: usize = 100;

/// A name with the number of its row: `Shop (12)`, or `Shop (12.2)` if that is taken too.
pub(super) fn numbered(name: &Name, row: usize, is_taken: impl Fn(&str) -> bool) -> Name {
    let first = with_number(name, &row.to_string());
    let others = (2..NUMBERS).map(|number| with_number(name, &format!("{row}.{number}")));
    let free = std::iter::once(first.clone()).chain(others).find(|name| !is_taken(name.as_str()));
    free.unwrap_or(first)
}

fn with_number(name: &Name, number: &str) -> Name {
    let number = format!(" ({number})");
    let room = Name::MAX_CHARACTERS.saturating_sub(number.len());
    let stem: String = name.as_str().chars().take(room).collect();
    format!("{}{number}", stem.trim_end()).parse().unwrap_or_else(|_| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_name_fits_a_name() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        assert_eq!(numbered(&name("Shop"), 12, |_| false), name("Shop (12)"));
        let is_taken = |text: &str| ["Shop (12)", "Shop (12.2)"].contains(&text);
        assert_eq!(numbered(&name("Shop"), 12, is_taken), name("Shop (12.3)"));
        assert_eq!(numbered(&name("Shop"), 12, |_| true), name("Shop (12)"));
        let long = numbered(&name(&"é".repeat(64)), 100_000, |_| false);
        assert_eq!(long.as_str().chars().count(), 64);
        assert!(long.as_str().ends_with("é (100000)"));
    }
}
