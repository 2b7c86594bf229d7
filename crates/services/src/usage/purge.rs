//! Use is kept as long as it is charted, and no longer.

use std::time::Duration;

use latchkey_domain::id::DenialId;
use latchkey_domain::usage::UsageRange;
use sea_orm::sea_query::{Expr, ExprTrait};

use crate::error::Error;
use crate::services::Services;
use latchkey_checker::usage::Resolution;
use latchkey_store::entity::{budget, denial, key_usage, project_usage};

/// How long after its period began a budget's row is kept. The longest period is a month; the rest
/// is for a clock that is set ahead, which must not free what is used.
const BUDGETS_KEPT: Duration = Duration::from_hours(62 * 24);

/// Deletes sums that are older than their resolution's retention, denials that no range reaches,
/// and budgets of periods that are long over. Run it often: one run deletes a bounded number of
/// rows, in small batches, and nodes that run it at once share the work.
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
    // Their ids begin with their time.
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
