//! Checks a project's live requests against its monthly quota.

use latchkey_domain::api::QuotaState;
use latchkey_domain::id::ProjectId;
use latchkey_domain::time::Timestamp;
use latchkey_domain::usage::Month;
use latchkey_store::Error;
use latchkey_store::database::in_time;
use latchkey_store::entity::project_month;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::quota::{CountedCall, MonthCount, QuotaHit};
use crate::checker::Checker;

/// Counts a live call at `now`, unless the month's quota is exhausted. Without a limit it only
/// counts.
///
/// It uses the known total of all nodes, at most a moment old. It waits for the database only if
/// the project was not in use in the last second.
///
/// # Errors
/// The database fails. The inner `Err` means that the quota is exhausted. Nothing was counted.
pub(crate) async fn acquire(
    checker: &Checker,
    project: ProjectId,
    limit: Option<u64>,
    now: Timestamp,
) -> Result<Result<CountedCall, QuotaHit>, Error> {
    let (quota, month) = (&checker.usage.quota, Month::of(now));
    if let Some(counted) = quota.admit_if_fresh(project, limit, month, checker.clock.monotonic()) {
        return Ok(counted);
    }
    if limit.is_some() {
        refresh(checker, project, now).await?;
    }
    Ok(quota.admit(project, limit, month))
}

/// Refreshes the month's total unless it is fresh.
///
/// # Errors
/// The database fails.
async fn refresh(checker: &Checker, project: ProjectId, now: Timestamp) -> Result<(), Error> {
    let (usage, month) = (&checker.usage, Month::of(now));
    if usage.quota.is_fresh(project, month, checker.clock.monotonic()) {
        return Ok(());
    }
    in_time(read_total(checker, project, month)).await
}

async fn read_total(checker: &Checker, project: ProjectId, month: Month) -> Result<(), Error> {
    let usage = &checker.usage;
    let _whole = match usage.writing.try_read() {
        Ok(whole) => whole,
        // A batch is being written and will bring the total.
        Err(_) if usage.quota.is_known(project, month) => return Ok(()),
        Err(_) => usage.writing.read().await,
    };
    let read_at = checker.clock.monotonic();
    let total: Option<i64> = project_month::Entity::find()
        .select_only()
        .column(project_month::Column::Requests)
        .filter(project_month::Column::ProjectId.eq(project))
        .filter(project_month::Column::Month.eq(month.start()))
        .into_tuple()
        .one(checker.database.telemetry().reader())
        .await?;
    let total = u64::try_from(total.unwrap_or_default()).unwrap_or_default();
    usage.quota.written(MonthCount { project, month, requests: 0 }, total, read_at);
    Ok(())
}

impl Checker {
    /// State of a project's monthly quota. Nothing is counted.
    ///
    /// # Errors
    /// The database fails.
    pub async fn quota_state(
        &self,
        project: ProjectId,
        limit: Option<u64>,
        now: Timestamp,
    ) -> Result<QuotaState, Error> {
        refresh(self, project, now).await?;
        let month = Month::of(now);
        Ok(QuotaState {
            limit,
            used: self.usage.quota.used(project, month),
            resets_at: month.end(),
        })
    }
}
