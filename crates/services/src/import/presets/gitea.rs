//! Gitea: the table `access_token`, PBKDF2 with a salt of each row.
//!
//! A row shows the last eight characters of its token. A slow hash is found by the first ones here,
//! which Gitea does not keep.

use latchkey_domain::import::ImportRow;
use latchkey_domain::problem::FieldError;

use super::row::{ForeignRow, refused};

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    row.required(&["token_hash"])?;
    Err(refused(
        "token_hash",
        "Gitea salts each token and keeps none of its first characters, so that nothing says which \
         row a presented token is of. Import the tokens themselves: name, stored and scheme \
         plaintext, or issue new ones.",
    ))
}
