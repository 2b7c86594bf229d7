//! Size limits of one item. A field beyond its limit is rejected with its path, so that the author
//! of an SDK sees what to fix. Nothing is truncated silently ([`super::cut`]).

use latchkey_domain::problem::FieldError;

/// Maximum number of characters of a method, a level or a type.
pub const MAX_NAME_LENGTH: usize = 512;
/// Maximum number of characters of a URL.
pub const MAX_URL_LENGTH: usize = 8_192;

/// Remaining bytes that one request may store. Every item stores its own copy of its resource and
/// scope, so one large resource shared by many items would expand a body of 4 MiB to gigabytes.
#[derive(Debug)]
pub struct BytesLeft(usize);

impl Default for BytesLeft {
    fn default() -> Self {
        Self(32 * 1024 * 1024)
    }
}

impl BytesLeft {
    /// Takes `bytes` from the remainder. Returns whether they fit.
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

/// Collects the errors of an item.
#[derive(Default)]
pub(super) struct Faults(Vec<FieldError>);

impl Faults {
    /// Checks that a text has at most `most` characters.
    pub(super) fn text(&mut self, field: &str, text: &str, most: usize) {
        if text.len() > most && text.chars().count() > most {
            self.add(field, format!("Use at most {most} characters."));
        }
    }

    pub(super) fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldError { field: field.to_owned(), message: message.into() });
    }

    pub(super) fn into_errors(self) -> Vec<FieldError> {
        self.0
    }
}

/// PostgreSQL's text type can't hold U+0000, so it becomes U+FFFD, as some JSON parsers do.
pub(super) fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text }
}
