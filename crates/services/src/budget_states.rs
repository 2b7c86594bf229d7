//! States of budgets, for answers that show them.

use std::collections::HashMap;

use latchkey_checker::BudgetOwner;
use latchkey_domain::api::BudgetState;
use latchkey_domain::budget::Budgets;
use latchkey_domain::time::Timestamp;

use crate::error::Error;
use crate::services::Services;

/// States of one owner's budgets, in their order. Without budgets, no query.
///
/// # Errors
/// The database fails.
pub(crate) async fn of(
    services: &Services,
    owner: BudgetOwner,
    budgets: Budgets,
    now: Timestamp,
) -> Result<Vec<BudgetState>, Error> {
    let mut states = of_all(services, vec![(owner, budgets)], now).await?;
    Ok(states.remove(&owner).unwrap_or_default())
}

/// States of several owners' budgets, in a single query. Owners without budgets are not in the map.
///
/// # Errors
/// The database fails.
pub(crate) async fn of_all(
    services: &Services,
    mut owners: Vec<(BudgetOwner, Budgets)>,
    now: Timestamp,
) -> Result<HashMap<BudgetOwner, Vec<BudgetState>>, Error> {
    owners.retain(|(_, budgets)| !budgets.is_empty());
    if owners.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(services.checker.budget_states(&owners, now).await?)
}
