//! A request's items on their way to the database. An invalid item never rejects the others.

use latchkey_domain::api::{Accepted, ItemError};
use latchkey_domain::problem::FieldError;

/// Maximum number of items stored per request.
pub const MAX_ITEMS: usize = 10_000;
/// Maximum number of errors in a response: enough to see a pattern.
const MAX_REPORTED: usize = 20;

/// A request's items: the valid ones, each with its index in the request, and the errors of the
/// others.
#[derive(Debug)]
pub struct Incoming<T> {
    entries: Vec<(usize, T)>,
    rejected: usize,
    errors: Vec<ItemError>,
}

impl<T> Default for Incoming<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), rejected: 0, errors: Vec::new() }
    }
}

impl<T> Incoming<T> {
    /// Adds an item, up to 10,000 of them. Returns whether it was added.
    pub fn accept(&mut self, index: usize, entry: T) -> bool {
        let fits = self.entries.len() < MAX_ITEMS;
        if fits {
            self.entries.push((index, entry));
        }
        fits
    }

    /// Counts an invalid item, and records the reason of the first few.
    pub fn reject(&mut self, index: usize, reason: impl FnOnce() -> String) {
        self.rejected += 1;
        if self.errors.len() < MAX_REPORTED {
            self.errors.push(ItemError { index, message: reason() });
        }
    }

    /// Counts `items` rejected items that were not parsed, starting at index `from`.
    pub fn reject_rest(&mut self, from: usize, items: usize) {
        if items > 0 {
            self.reject(from, || {
                "At most 10,000 items are stored per request. Send the rest in another request."
                    .to_owned()
            });
            self.rejected += items - 1;
        }
    }

    /// Number of items to store.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no items to store.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Number of rejected items.
    pub fn rejected(&self) -> usize {
        self.rejected
    }

    pub(super) fn into_parts(self) -> (Vec<(usize, T)>, Stored) {
        let Self { entries, rejected, errors } = self;
        let stored = Stored { items: entries.len(), cut: 0, rejected, errors, cuts: Vec::new() };
        (entries, stored)
    }
}

/// Result of storing a request's items.
#[derive(Debug)]
pub struct Stored {
    /// Items that are stored, by this request or an earlier one.
    pub items: usize,
    /// Stored items that were truncated.
    pub cut: usize,
    /// Items that were not stored.
    pub rejected: usize,
    errors: Vec<ItemError>,
    cuts: Vec<ItemError>,
}

impl Stored {
    pub(super) fn cut(&mut self, index: usize, field: &FieldError) {
        self.cut += 1;
        if self.cuts.len() < MAX_REPORTED {
            let message = format!("{}: {}", field.field, field.message);
            self.cuts.push(ItemError { index, message });
        }
    }
}

impl From<Stored> for Accepted {
    fn from(stored: Stored) -> Self {
        let mut errors = stored.errors;
        errors.extend(stored.cuts);
        errors.sort_by_key(|error| error.index);
        errors.truncate(MAX_REPORTED);
        Self { accepted: stored.items, rejected: stored.rejected, errors }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_twenty_errors_are_reported_in_order() {
        let mut incoming = Incoming::default();
        for index in 0..60 {
            if index % 2 == 0 {
                assert!(incoming.accept(index, ()));
            } else {
                incoming.reject(index, || "odd".to_owned());
            }
        }
        incoming.reject_rest(60, 5);
        let (entries, mut stored) = incoming.into_parts();
        for (index, ()) in entries {
            stored.cut(index, &FieldError { field: "meta".to_owned(), message: "cut".to_owned() });
        }
        let accepted = Accepted::from(stored);
        assert_eq!((accepted.accepted, accepted.rejected), (30, 35));
        let indexes: Vec<usize> = accepted.errors.iter().map(|error| error.index).collect();
        assert_eq!(indexes, (0..20).collect::<Vec<_>>());
        assert_eq!(
            (&*accepted.errors[0].message, &*accepted.errors[1].message),
            ("meta: cut", "odd")
        );
    }

    #[test]
    fn items_beyond_ten_thousand_are_rejected() {
        let mut incoming = Incoming::default();
        assert_eq!((0..10_005).filter(|index| incoming.accept(*index, ())).count(), MAX_ITEMS);
        incoming.reject_rest(10_000, 5);
        incoming.reject_rest(10_005, 0);
        assert_eq!((incoming.len(), incoming.rejected(), incoming.errors.len()), (10_000, 5, 1));
    }
}
