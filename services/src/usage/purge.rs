//! Use is kept as long as it is charted, and no longer.

use std::time::Duration;

use latchkey_domain::id::DenialId;
use latchkey_domain::usage::UsageRange;
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, Query};
use sea_orm::{DatabaseConnection, EntityTrait, Iterable, PrimaryKeyToColumn, QueryFilter};

use super::resolution::Resolution;
use crate::entity::{budget, denial, key_usage, project_usage};
use crate::error::Error;
use crate::services::Services;

/// Rows of one delete: the writer is never held for long.
const ROWS_PER_DELETE: u64 = 2_000;
/// Deletes of one kind in one run; the rest waits for the next.
const DELETES_PER_RUN: u32 = 20;

/// How long after its period began a budget's row is kept. The longest period is a month; the rest is for a clock that
/// is set ahead, which must not free what is used.
const BUDGETS_KEPT: Duration = Duration::from_hours(62 * 24);

/// Deletes sums that are older than their resolution's retention, denials that no range reaches, and budgets of
/// periods that are long over. Run it
/// often: one run deletes a bounded number of rows, in small batches, and nodes that run it at once share the
/// work.
///
/// # Errors
/// The database fails.
pub async fn purge(services: &Services) -> Result<(), Error> {
    let now = services.clock.now();
    let telemetry = services.database.telemetry().writer();
    let mut deleted = 0;
    for resolution in Resolution::ALL {
        let is_old = Expr::col("resolution")
            .eq(resolution.as_str())
            .and(Expr::col("start").lt((now - resolution.retention()).as_millis()));
        deleted += delete::<key_usage::Entity>(telemetry, is_old.clone()).await?;
        deleted += delete::<project_usage::Entity>(telemetry, is_old).await?;
    }
    // Their ids begin with their time.
    let oldest = DenialId::new(UsageRange::Month.start(now), [0; 10]);
    let is_old = Expr::col(denial::Column::Id).lt(oldest.as_uuid());
    deleted += delete::<denial::Entity>(telemetry, is_old).await?;
    let is_old = Expr::col("starts_at").lt((now - BUDGETS_KEPT).as_millis());
    deleted += delete::<budget::Entity>(services.database.writer(), is_old).await?;
    if deleted > 0 {
        tracing::info!(rows = deleted, "old usage was deleted");
    }
    Ok(())
}

/// Deletes rows, the indexed columns of which are as `is_old` says. Returns how many.
async fn delete<E: EntityTrait>(writer: &DatabaseConnection, is_old: Expr) -> Result<u64, Error> {
    let place = || E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
    let mut deleted = 0;
    for _ in 0..DELETES_PER_RUN {
        let some = Query::select()
            .columns(place())
            .from(E::default())
            .and_where(is_old.clone())
            .limit(ROWS_PER_DELETE)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .to_owned();
        let rows = E::delete_many()
            .filter(Expr::tuple(place().map(Expr::col)).in_subquery(some))
            .exec(writer)
            .await?
            .rows_affected;
        deleted += rows;
        if rows < ROWS_PER_DELETE {
            break;
        }
    }
    Ok(deleted)
}
