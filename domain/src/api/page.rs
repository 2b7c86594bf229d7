//! Lists in pages.

use serde::{Deserialize, Serialize};

/// One page of a list, and where the next begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Send it as `cursor` to get the next page; null: this is the last.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The same page of other rows.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { data: self.data.into_iter().map(each).collect(), next_cursor: self.next_cursor }
    }
}

/// How many rows a page has: 1 to 100, 50 unless asked otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit(u64);

/// Why a number is no page size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Use a whole number from 1 to 100.")]
pub struct InvalidLimit;

impl PageLimit {
    /// The rows of one page.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// A page of `rows`.
    ///
    /// # Errors
    /// `rows` is not 1 to 100.
    pub fn new(rows: u64) -> Result<Self, InvalidLimit> {
        if (1..=100).contains(&rows) { Ok(Self(rows)) } else { Err(InvalidLimit) }
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(50)
    }
}
