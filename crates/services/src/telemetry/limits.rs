//! How much one item may hold. What is beyond is refused with the field's path, so that an SDK's
//! author sees what to mend; nothing is cut off silently ([`super::cut`]).

use latchkey_domain::problem::FieldError;

/// The most characters of a method, a level or a type: SDKs write names there.
pub const MOST_OF_A_NAME: usize = 512;
/// The most characters of a URL.
pub const MOST_OF_A_URL: usize = 8_192;

/// What is left of the bytes that one call may store. Every item keeps its resource and scope, so a
/// large resource above many items would unfold a body of 4 MiB into gigabytes.
#[derive(Debug)]
pub struct BytesLeft(usize);

impl Default for BytesLeft {
    fn default() -> Self {
        Self(32 * 1024 * 1024)
    }
}

impl BytesLeft {
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

/// PostgreSQL's text can't hold U+0000; it becomes the replacement character, as JSON parsers do
/// it.
pub(super) fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text }
}
