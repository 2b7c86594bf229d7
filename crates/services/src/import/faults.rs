//! What is wrong with the rows of a file, up to as many rows as an answer names.

use latchkey_domain::problem::FieldError;

use crate::error::Error;

/// Rows that an answer names.
pub(super) const MAX_ROWS: usize = 100;

/// Wrong fields, by row.
#[derive(Debug, Default)]
pub(super) struct RowFaults {
    found: Vec<(usize, FieldError)>,
    rows: usize,
}

impl RowFaults {
    /// Adds what is wrong with a field of a row, or with the whole row if `field` is empty.
    pub(super) fn add(&mut self, row: usize, field: &str, message: impl Into<String>) {
        if self.found.last().is_none_or(|(last, _)| *last != row) {
            self.rows += 1;
        }
        let path = match field {
            "" | "body" => format!("rows[{row}]"),
            field if field.starts_with('[') => format!("rows[{row}]{field}"),
            field => format!("rows[{row}].{field}"),
        };
        self.found.push((row, FieldError { field: path, message: message.into() }));
    }

    /// Adds what is wrong with several fields of a row.
    pub(super) fn add_all(&mut self, row: usize, errors: Vec<FieldError>) {
        for FieldError { field, message } in errors {
            self.add(row, &field, message);
        }
    }

    /// Whether enough rows are known to be wrong for an answer.
    pub(super) const fn is_full(&self) -> bool {
        self.rows >= MAX_ROWS
    }

    /// 422 with the first wrong rows, if there are any.
    ///
    /// # Errors
    /// `Invalid` with the wrong fields.
    pub(super) fn into_result(mut self) -> Result<(), Error> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|(row, _)| *row);
        let mut rows = 0;
        let mut last = None;
        let first = self.found.into_iter().take_while(|(row, _)| {
            if last != Some(*row) {
                rows += 1;
                last = Some(*row);
            }
            rows <= MAX_ROWS
        });
        Err(Error::Invalid(first.map(|(_, error)| error).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_names_the_first_hundred_wrong_rows() {
        assert!(RowFaults::default().into_result().is_ok());
        let mut faults = RowFaults::default();
        for row in (1..=150).rev() {
            faults.add(row, "stored", "wrong");
            faults.add(row, "tags[2]", "wrong");
        }
        assert!(faults.is_full());
        let Err(Error::Invalid(errors)) = faults.into_result() else { panic!("no errors") };
        assert_eq!(errors.len(), 200);
        assert_eq!(errors[0].field, "rows[1].stored");
        assert_eq!(errors[199].field, "rows[100].tags[2]");
    }

    #[test]
    fn whole_row_is_named_without_a_field() {
        let mut faults = RowFaults::default();
        faults.add(3, "body", "wrong");
        assert!(!faults.is_full());
        let Err(Error::Invalid(errors)) = faults.into_result() else { panic!("no errors") };
        assert_eq!(errors[0].field, "rows[3]");
    }
}
