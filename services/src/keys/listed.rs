//! Keys as the pages list them: a row, and what is known of the key elsewhere.

use latchkey_domain::api::ListedKey;
use latchkey_domain::time::Timestamp;

use super::row::{limits, to_listed};
use crate::check::budget;
use crate::entity::key;
use crate::error::Error;
use crate::services::Services;

/// A row as the pages list it. A key with a token budget takes one more query, by primary key.
///
/// # Errors
/// `Corrupt`, or the database fails.
pub(super) async fn listed(
    services: &Services,
    row: key::Model,
    now: Timestamp,
) -> Result<ListedKey, Error> {
    let limits = limits(&row)?;
    let budget = match limits.token_limit.zip(limits.token_limit_period) {
        Some(budget) => Some(budget::standing(services, row.id.into(), budget, now).await?),
        None => None,
    };
    to_listed(row, budget, now)
}
