//! Keys in the forms that are shown: rows with the states of their budgets.

use latchkey_checker::BudgetOwner;
use latchkey_domain::api::{ApiKey, BudgetState, ListedKey};
use latchkey_domain::time::Timestamp;

use super::row::{to_api_key, to_listed};
use crate::budget_states;
use crate::error::Error;
use crate::services::Services;
use latchkey_store::entity::key;

/// Converts a row to its API form. Budgets cost one more query, by primary key.
///
/// # Errors
/// The database fails.
pub(super) async fn shown(
    services: &Services,
    row: key::Model,
    now: Timestamp,
) -> Result<ApiKey, Error> {
    let states = states_of(services, &row, now).await?;
    Ok(to_api_key(row, states, now))
}

/// As [`shown`], in the listed form.
///
/// # Errors
/// The database fails.
pub(super) async fn listed(
    services: &Services,
    row: key::Model,
    now: Timestamp,
) -> Result<ListedKey, Error> {
    let states = states_of(services, &row, now).await?;
    Ok(to_listed(row, states, now))
}

/// States of a key's budgets, in their order.
///
/// # Errors
/// The database fails.
pub(super) async fn states_of(
    services: &Services,
    row: &key::Model,
    now: Timestamp,
) -> Result<Vec<BudgetState>, Error> {
    budget_states::of(services, BudgetOwner::Key(row.id), row.all_budgets(), now).await
}

/// Converts a page of rows. All their budgets take a single query.
///
/// # Errors
/// The database fails.
pub(super) async fn all_listed(
    services: &Services,
    rows: Vec<key::Model>,
    now: Timestamp,
) -> Result<Vec<ListedKey>, Error> {
    let owners = rows.iter().map(|row| (BudgetOwner::Key(row.id), row.all_budgets())).collect();
    let mut states = budget_states::of_all(services, owners, now).await?;
    let listed = rows.into_iter().map(|row| {
        let states = states.remove(&BudgetOwner::Key(row.id)).unwrap_or_default();
        to_listed(row, states, now)
    });
    Ok(listed.collect())
}
