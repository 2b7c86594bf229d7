//! Deletes usage past its retention: days after 400 days, and sooner what only short ranges are
//! made of.

use std::time::Duration;

use latchkey_domain::id::{BudgetEventId, DenialId};
use latchkey_domain::time::Timestamp;
use latchkey_domain::usage::UsageRange;
use sea_orm::sea_query::{Expr, ExprTrait};

use crate::error::Error;
use crate::services::Services;
use latchkey_checker::usage::Resolution;
use latchkey_checker::{RESPONSE_RETENTION, SANDBOX_RESPONSE_RETENTION};
use latchkey_store::entity::{
    budget_event, budget_usage, denial, key_usage, model_usage, project_usage, stored_response,
};

/// Retention of the use of a budget, counted from the start of its period. The longest period is a
/// month. The rest is a margin for a clock that runs ahead, which must not reset a budget in use.
const BUDGETS_KEPT: Duration = Duration::from_hours(62 * 24);
/// The same for periods of a minute or an hour, which leave many rows.
const SHORT_BUDGETS_KEPT: Duration = Duration::from_hours(2 * 24);
/// Condition of the partial index `budget_usage_short`. A literal, so that the database sees that
/// the index has all rows.
const IS_SHORT: &str = "period IN ('minute', 'hour')";
/// Retention of budget events.
const EVENTS_KEPT: Duration = Duration::from_hours(400 * 24);

/// Deletes sums past their resolution's retention, denials beyond the longest range, what was used
/// of budgets in long-past periods, old budget events, and whose old responses are. Run it often:
/// each run deletes a bounded number of rows in small batches, and concurrent runs of several nodes
/// share the work.
///
/// # Errors
/// The database fails.
pub async fn purge(services: &Services) -> Result<(), Error> {
    let now = services.clock.now();
    let telemetry = services.database.telemetry();
    let mut deleted = 0;
    for resolution in Resolution::ALL {
        let is_old = Expr::col("resolution")
            .eq(resolution.as_str())
            .and(Expr::col("start").lt(now - resolution.retention()));
        deleted += telemetry.delete_some::<key_usage::Entity>(is_old.clone()).await?;
        deleted += telemetry.delete_some::<project_usage::Entity>(is_old.clone()).await?;
        deleted += telemetry.delete_some::<model_usage::Entity>(is_old).await?;
    }
    // Denial ids start with their time.
    let oldest = DenialId::new(UsageRange::Month.start(now), [0; 10]);
    let is_old = Expr::col(denial::Column::Id).lt(oldest);
    deleted += telemetry.delete_some::<denial::Entity>(is_old).await?;
    let is_old = Expr::col(stored_response::Column::CreatedAt).lt(now - RESPONSE_RETENTION);
    deleted += telemetry.delete_some::<stored_response::Entity>(is_old).await?;
    deleted += purge_budgets(services, now).await?;
    if deleted > 0 {
        tracing::info!(rows = deleted, "Purged usage past its retention period");
    }
    Ok(())
}

/// Deletes what the sandbox answered 24 hours ago or earlier. Bounded as [`purge`] is.
///
/// # Errors
/// The database fails.
pub async fn purge_sandbox_responses(services: &Services) -> Result<(), Error> {
    let oldest = services.clock.now() - SANDBOX_RESPONSE_RETENTION;
    let is_old = Expr::col(stored_response::Column::Sandbox)
        .is_not_null()
        .and(Expr::col(stored_response::Column::CreatedAt).lte(oldest));
    services.database.telemetry().delete_some::<stored_response::Entity>(is_old).await?;
    Ok(())
}

/// Never deletes what was used of a budget for the whole life: its row starts at 0.
async fn purge_budgets(services: &Services, now: Timestamp) -> Result<u64, Error> {
    let database = &services.database;
    let has_started = || Expr::col("starts_at").gt(0);
    let is_old = has_started().and(Expr::col("starts_at").lt(now - BUDGETS_KEPT));
    let mut deleted = database.delete_some::<budget_usage::Entity>(is_old).await?;
    let is_old = has_started()
        .and(Expr::col("starts_at").lt(now - SHORT_BUDGETS_KEPT))
        .and(Expr::cust(IS_SHORT));
    deleted += database.delete_some::<budget_usage::Entity>(is_old).await?;
    // Event ids start with their time.
    let oldest = BudgetEventId::new(now - EVENTS_KEPT, [0; 10]);
    let is_old = Expr::col(budget_event::Column::Id).lt(oldest);
    Ok(deleted + database.delete_some::<budget_event::Entity>(is_old).await?)
}
