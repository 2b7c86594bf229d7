//! How much one item may hold. What is beyond is refused with the field's path, so that an SDK's author sees
//! what to mend; nothing is cut off silently.

use latchkey_domain::problem::FieldError;

use crate::error::Error;

/// The most items of one batch.
const ITEMS: usize = 10_000;

/// Collects what is wrong with a batch.
pub(super) struct Limits {
    list: &'static str,
    errors: Vec<FieldError>,
}

impl Limits {
    /// For a batch of `items` in the field `list`.
    ///
    /// # Errors
    /// There are more than 10,000.
    pub(super) fn of(list: &'static str, items: usize) -> Result<Self, Error> {
        if items > ITEMS {
            return Err(Error::invalid(
                list,
                format!("Send at most 10,000 items; these are {items}."),
            ));
        }
        Ok(Self { list, errors: Vec::new() })
    }

    /// Checks the length of a text.
    pub(super) fn text(&mut self, index: usize, field: &str, text: &str, most: usize) {
        if text.len() > most && text.chars().count() > most {
            self.refuse(index, field, format!("Use at most {most} characters."));
        }
    }

    /// Notes that a field of an item is wrong.
    pub(super) fn refuse(&mut self, index: usize, field: &str, message: String) {
        /// Enough to see a pattern; a batch may have ten thousand wrong items.
        const SHOWN: usize = 20;
        if self.errors.len() < SHOWN {
            self.errors
                .push(FieldError { field: format!("{}[{index}].{field}", self.list), message });
        }
    }

    /// # Errors
    /// Something was wrong.
    pub(super) fn finish(self) -> Result<(), Error> {
        if self.errors.is_empty() { Ok(()) } else { Err(Error::Invalid(self.errors)) }
    }
}

/// PostgreSQL's text can't hold U+0000; it becomes the replacement character, as JSON parsers do it.
pub(super) fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text }
}
