//! How much one item may hold. What is beyond is refused with the field's path, so that an SDK's
//! author sees what to mend; nothing is cut off silently ([`super::cut`]).

use latchkey_domain::problem::FieldError;

use crate::error::Error;

/// The most items of one batch.
pub const MOST_ITEMS: usize = 10_000;

/// What is left of the bytes that one call may store. Every item keeps its resource and scope, so a
/// large resource above many items would unfold a body of 4 MiB into gigabytes.
#[derive(Debug)]
pub struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(32 * 1024 * 1024)
    }
}

impl Room {
    /// Takes room for so many bytes; whether there is.
    #[must_use]
    pub const fn take(&mut self, bytes: usize) -> bool {
        match self.0.checked_sub(bytes) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }
}

/// Collects what is wrong with an item.
#[derive(Default)]
pub(super) struct Faults(Vec<FieldError>);

impl Faults {
    /// Checks the length of a text.
    pub(super) fn text(&mut self, field: &str, text: &str, most: usize) {
        if text.len() > most && text.chars().count() > most {
            self.add(field, format!("Use at most {most} characters."));
        }
    }

    /// Notes that a field is wrong.
    pub(super) fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldError { field: field.to_owned(), message: message.into() });
    }

    pub(super) fn into_errors(self) -> Vec<FieldError> {
        self.0
    }
}

/// Checks a batch that stands in the field `list`: all of its items are to be stored, or none.
///
/// # Errors
/// `Invalid`: there are more than 10,000, or `check` finds something wrong with one.
pub(super) fn check_batch<T>(
    list: &str,
    items: &[T],
    check: impl Fn(&T) -> Vec<FieldError>,
) -> Result<(), Error> {
    /// Enough to see a pattern; a batch may have ten thousand wrong items.
    const SHOWN: usize = 20;
    let count = items.len();
    if count > MOST_ITEMS {
        let message = format!("Send at most 10,000 items; these are {count}.");
        return Err(Error::invalid(list, message));
    }
    let errors = items.iter().enumerate().flat_map(|(index, item)| {
        let place = move |field| format!("{list}[{index}].{field}");
        check(item).into_iter().map(move |error| FieldError { field: place(error.field), ..error })
    });
    let errors: Vec<FieldError> = errors.take(SHOWN).collect();
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
}

/// PostgreSQL's text can't hold U+0000; it becomes the replacement character, as JSON parsers do
/// it.
pub(super) fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text }
}
