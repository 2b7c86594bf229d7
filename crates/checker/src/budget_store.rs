//! Usage of budgets in the database.

use latchkey_domain::time::Timestamp;
use latchkey_store::database::{OnBehalfOf, in_time};
use latchkey_store::entity::budget_usage;
use latchkey_store::{Database, Error};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, Set};

use crate::budget_slot::BudgetId;
use crate::budget_use::PeriodUse;

/// One period of a budget: a row of `budget_usage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BudgetPeriod {
    pub(crate) id: BudgetId,
    pub(crate) starts_at: Timestamp,
}

impl BudgetPeriod {
    pub(crate) fn condition(&self) -> Condition {
        Condition::all()
            .add(budget_usage::Column::OwnerId.eq(self.id.owner.uuid()))
            .add(budget_usage::Column::Unit.eq(self.id.unit))
            .add(budget_usage::Column::Period.eq(self.id.period))
            .add(budget_usage::Column::StartsAt.eq(self.starts_at))
    }
}

/// Usage of a period, leases included.
pub(crate) async fn used_of(database: &Database, period: BudgetPeriod) -> Result<PeriodUse, Error> {
    let used: Option<(i64, i64, i64)> = budget_usage::Entity::find()
        .select_only()
        .column(budget_usage::Column::Used)
        .column(budget_usage::Column::Background)
        .column(budget_usage::Column::BackgroundCalls)
        .filter(period.condition())
        .into_tuple()
        .one(database.reader())
        .await?;
    Ok(used.map(PeriodUse::of).unwrap_or_default())
}

/// Adds `amount` unless that exceeds the limit. One statement, so that no other call can come
/// between the read and the write. Returns the usage after that, or `None` over the limit.
///
/// It runs in an explicit transaction. SQLite commits a lone statement with `RETURNING` after its
/// rows were read; if that commit fails, for lack of disk space, no error is reported.
pub(crate) async fn add(
    database: &Database,
    who: OnBehalfOf,
    period: BudgetPeriod,
    amount: u64,
    limit: u64,
) -> Result<Option<u64>, Error> {
    let Some(max_used) = limit.checked_sub(amount) else { return Ok(None) };
    let used = (budget_usage::Entity, budget_usage::Column::Used);
    let row = budget_usage::ActiveModel {
        owner_id: Set(period.id.owner.uuid()),
        unit: Set(period.id.unit),
        period: Set(period.id.period),
        starts_at: Set(period.starts_at),
        used: Set(stored(amount)),
        ..Default::default()
    };
    let key = [
        budget_usage::Column::OwnerId,
        budget_usage::Column::Unit,
        budget_usage::Column::Period,
        budget_usage::Column::StartsAt,
    ];
    let upsert = OnConflict::columns(key)
        .value(budget_usage::Column::Used, Expr::col(used).add(stored(amount)))
        .action_and_where(Expr::col(used).lte(stored(max_used)))
        .to_owned();
    let transaction = database.begin_for(who).await?;
    let written = budget_usage::Entity::insert(row)
        .on_conflict(upsert)
        .exec_with_returning(&transaction)
        .await;
    let used = match written {
        Ok(row) => u64::try_from(row.used).unwrap_or_default(),
        Err(sea_orm::DbErr::RecordNotInserted | sea_orm::DbErr::RecordNotFound(_)) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    transaction.commit().await?;
    Ok(Some(used))
}

/// Why a change failed.
#[derive(Debug)]
pub(crate) enum ChangeError {
    /// The statement was not sent: nothing has changed.
    NotSent(Error),
    /// It may have been committed.
    Unknown(Error),
}

impl From<ChangeError> for Error {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotSent(error) | ChangeError::Unknown(error) => error,
        }
    }
}

/// Adds a difference to the usage, whatever the limit.
pub(crate) async fn change(
    database: &Database,
    who: OnBehalfOf,
    period: BudgetPeriod,
    difference: i64,
) -> Result<(), ChangeError> {
    let permit = in_time(async { Ok(database.write_permit(who).await?) });
    let _permit = permit.await.map_err(ChangeError::NotSent)?;
    let column = Expr::col(budget_usage::Column::Used);
    let update = budget_usage::Entity::update_many()
        .col_expr(budget_usage::Column::Used, column.add(difference))
        .filter(period.condition());
    let changed = in_time(async { Ok(update.exec(database.writer()).await.map(drop)?) });
    changed.await.map_err(ChangeError::Unknown)
}

/// Limits are far below `i64::MAX`.
pub(crate) fn stored(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}
