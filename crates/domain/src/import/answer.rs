//! What an import answers.

use serde::{Deserialize, Serialize};

use crate::id::KeyId;

/// Answer of an import, and of its dry run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportAnswer {
    /// Whether nothing was stored.
    pub dry_run: bool,
    /// Number of keys that were imported, or that would be.
    #[cfg_attr(feature = "openapi", schema(maximum = 100_000))]
    pub imported: usize,
    /// Each row and its key, in the order of the file.
    pub rows: Vec<ImportedRow>,
}

/// A row of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportedRow {
    /// Number of the row, from 1. The header of a CSV file does not count.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100_000))]
    pub row: usize,
    /// ID of the row's key; null in a dry run.
    pub key_id: Option<KeyId>,
}
