//! Keys in the form that lists show: a row with the state of its token budget.

use latchkey_domain::api::ListedKey;
use latchkey_domain::id::KeyId;
use latchkey_domain::limit::{Period, Tokens};
use latchkey_domain::time::Timestamp;

use super::row::to_listed;
use crate::error::Error;
use crate::services::Services;
use latchkey_store::entity::key;

/// Converts a row to its listed form. A token budget costs one more query, by primary key.
///
/// # Errors
/// The database fails.
pub(super) async fn listed(
    services: &Services,
    row: key::Model,
    now: Timestamp,
) -> Result<ListedKey, Error> {
    let budget = match budget_of(&row) {
        Some((id, budget)) => Some(services.checker.budget_state(id, budget, now).await?),
        None => None,
    };
    Ok(to_listed(row, budget, now))
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
    let budgets: Vec<_> = rows.iter().filter_map(budget_of).collect();
    let mut states = services.checker.budget_states(&budgets, now).await?;
    let listed = rows.into_iter().map(|row| {
        let budget = states.remove(&row.id);
        to_listed(row, budget, now)
    });
    Ok(listed.collect())
}

/// A key's token budget, by the key's id.
type KeyBudget = (KeyId, (Tokens, Period));

fn budget_of(row: &key::Model) -> Option<KeyBudget> {
    let budget = row.token_limit.zip(row.token_limit_period);
    budget.map(|budget| (row.id, budget))
}
