//! Deletes usage that no chart shows any more.

use std::time::Duration;

use latchkey_domain::id::DenialId;
use latchkey_domain::usage::UsageRange;
use sea_orm::sea_query::{Expr, ExprTrait};

use crate::error::Error;
use crate::services::Services;
use latchkey_checker::usage::Resolution;
use latchkey_store::entity::{budget, denial, key_usage, project_usage};

/// Retention of a budget's row, counted from the start of its period. The longest period is a
/// month. The rest is a margin for a clock that runs ahead, which must not reset a budget in use.
const BUDGETS_KEPT: Duration = Duration::from_hours(62 * 24);

/// Deletes sums past their resolution's retention, denials beyond the longest range, and budgets of
/// long-past periods. Run it often: each run deletes a bounded number of rows in small batches, and
/// concurrent runs of several nodes share the work.
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
        deleted += telemetry.delete_some::<project_usage::Entity>(is_old).await?;
    }
    // Denial ids start with their time.
    let oldest = DenialId::new(UsageRange::Month.start(now), [0; 10]);
    let is_old = Expr::col(denial::Column::Id).lt(oldest);
    deleted += telemetry.delete_some::<denial::Entity>(is_old).await?;
    let is_old = Expr::col("starts_at").lt(now - BUDGETS_KEPT);
    deleted += services.database.delete_some::<budget::Entity>(is_old).await?;
    if deleted > 0 {
        tracing::info!(rows = deleted, "Purged usage past its retention period");
    }
    Ok(())
}
