//! Paginated lists.

use serde::{Deserialize, Serialize};

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// Items on this page.
    pub data: Vec<T>,
    /// Value of `cursor` for the next page; null on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Converts each item and keeps the cursor.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { data: self.data.into_iter().map(each).collect(), next_cursor: self.next_cursor }
    }
}

/// Number of items per page: 1 to 100, 50 by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit(u64);

/// The number is not from 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Use a whole number from 1 to 100.")]
pub struct InvalidPageLimit;

impl PageLimit {
    /// The number of items.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// A page size.
    ///
    /// # Errors
    /// `rows` is not from 1 to 100.
    pub fn new(rows: u64) -> Result<Self, InvalidPageLimit> {
        if (1..=100).contains(&rows) { Ok(Self(rows)) } else { Err(InvalidPageLimit) }
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(50)
    }
}
