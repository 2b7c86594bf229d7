//! Rows of other systems' own tables and exports.

use latchkey_domain::import::{ImportRow, Preset};
use latchkey_domain::problem::FieldError;

/// A row of another system: the object of a line, or the record of a CSV file, whose members are
/// then texts, dotted names being nested and empty cells absent.
pub(crate) type ForeignRecord = serde_json::Map<String, serde_json::Value>;

/// The keys in a row of another system: usually one, none if there is nothing to move (a token
/// that has ended), several if the row has an older key in grace.
///
/// # Errors
/// The field of the row that can't be read, and what is wrong with it.
pub(crate) fn rows(_preset: Preset, _record: ForeignRecord) -> Result<Vec<ImportRow>, FieldError> {
    Err(FieldError {
        field: "preset".to_owned(),
        message: "This preset can’t be read yet.".to_owned(),
    })
}
