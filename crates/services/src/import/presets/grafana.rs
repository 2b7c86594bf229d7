//! Grafana: the table `api_key`, PBKDF2 of the middle of a service account's token, with the
//! checksum at its end as the salt.

use latchkey_domain::import::ImportRow;
use latchkey_domain::problem::FieldError;

use super::row::{ForeignRow, refused};

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    row.required(&["key"])?;
    Err(refused(
        "key",
        "Grafana stretches a part of each token, salted with another part, and keeps no start of \
         it, so that nothing says which row a presented token is of. Import the tokens themselves: \
         name, stored and scheme plaintext, or issue new ones.",
    ))
}
