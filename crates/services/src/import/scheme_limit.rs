//! How many schemes the imported keys of a project may have: a check tries each.

use std::collections::HashSet;

use latchkey_domain::import::Scheme;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use super::prepare::PreparedKey;
use crate::error::Error;
use crate::scope::ProjectScope;
use latchkey_store::entity::imported_key;

/// Fast schemes of a project. A check has room for as many again, for HMAC secrets.
const MAX_SCHEMES: usize = 16;

/// Refuses keys that a check would not find. In a transaction, the caller has locked the project.
///
/// # Errors
/// `Invalid` if the project's keys would have too many schemes; the database fails.
pub(super) async fn check(
    database: &impl ConnectionTrait,
    scope: &ProjectScope,
    keys: &[PreparedKey],
) -> Result<(), Error> {
    let is_fast = |scheme: &Scheme| matches!(scheme, Scheme::Fast(_));
    let new: HashSet<&Scheme> =
        keys.iter().map(|key| &key.scheme).filter(|scheme| is_fast(scheme)).collect();
    if new.is_empty() {
        return Ok(());
    }
    let there: Vec<Scheme> = imported_key::Entity::find()
        .select_only()
        .column(imported_key::Column::Scheme)
        .distinct()
        .filter(imported_key::Column::ProjectId.eq(scope.id()))
        .filter(imported_key::Column::MovedAt.is_null())
        .into_tuple()
        .all(database)
        .await?;
    let both = there.iter().filter(|scheme| is_fast(scheme)).chain(new);
    let names: HashSet<String> = both.map(Scheme::canonical).collect();
    if names.len() <= MAX_SCHEMES {
        return Ok(());
    }
    let message = format!(
        "The imported keys of a project have at most {MAX_SCHEMES} schemes, and would have {}. \
         Import the others into another project.",
        names.len()
    );
    Err(Error::invalid("scheme", message))
}
