//! Background responses in the database: what they have reserved, until they are settled.
//!
//! *Consistency.* What a response reserves was charged in `budget_usage` before its call was
//! admitted. The row of the response says what may be given back. Settling deletes the row and
//! corrects the charge in one transaction, so of many nodes and tasks that settle a response one
//! succeeds, and a crash before the commit leaves everything as it was.

use latchkey_domain::budget::{BudgetUnit, LimitScope};
use latchkey_domain::id::{KeyId, OrganizationId, ProjectId};
use latchkey_domain::time::Timestamp;
use latchkey_store::database::OnBehalfOf;
use latchkey_store::entity::background_response::{self, Model};
use latchkey_store::entity::{background_reservation, budget_usage};
use latchkey_store::insert::insert_many;
use latchkey_store::{Database, Error};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Set, TryInsertResult,
};

use crate::budget_owner::BudgetOwner;
use crate::budget_slot::BudgetId;
use crate::budget_store::{BudgetPeriod, stored};
use crate::reserved_budget::ReservedBudget;

/// The project, and the digest of the response's ID.
pub(crate) type ResponsePlace = (ProjectId, Vec<u8>);

/// Differences of the columns of `budget_usage`.
struct UsageChange {
    used: i64,
    background: i64,
    calls: i64,
}

fn condition((project, id): &ResponsePlace) -> Condition {
    Condition::all()
        .add(background_response::Column::ProjectId.eq(*project))
        .add(background_response::Column::Id.eq(id.clone()))
}

fn reservations((project, id): &ResponsePlace) -> Condition {
    Condition::all()
        .add(background_reservation::Column::ProjectId.eq(*project))
        .add(background_reservation::Column::ResponseId.eq(id.clone()))
}

/// Adds a response, and what it has reserved of `budgets`, which are in their order. False if the
/// project has an unsettled response of this ID: nothing has changed then.
pub(crate) async fn insert(
    database: &Database,
    row: &Model,
    budgets: &[ReservedBudget],
) -> Result<bool, Error> {
    let who = OnBehalfOf::Organization(row.organization_id);
    let transaction = database.begin_for(who).await?;
    let inserted = background_response::Entity::insert(row.clone().into_active_model())
        .on_conflict_do_nothing()
        .exec_without_returning(&transaction)
        .await?;
    if !matches!(inserted, TryInsertResult::Inserted(1..)) {
        return Ok(false);
    }
    for reserved in budgets {
        let change = UsageChange { used: 0, background: stored(reserved.amount), calls: 1 };
        change_usage(&transaction, reserved.period(), &change).await?;
    }
    let rows = budgets.iter().map(|reserved| {
        let BudgetId { owner, unit, period } = reserved.id;
        background_reservation::ActiveModel {
            project_id: Set(row.project_id),
            response_id: Set(row.id.clone()),
            scope: Set(owner.scope()),
            owner_id: Set(owner.uuid()),
            unit: Set(unit),
            period: Set(period),
            starts_at: Set(reserved.starts_at),
            amount: Set(stored(reserved.amount)),
            limit: Set(stored(reserved.limit)),
        }
    });
    insert_many(&transaction, rows.collect(), None).await?;
    transaction.commit().await?;
    Ok(true)
}

/// The row of a response that is not settled.
pub(crate) async fn find(
    database: &Database,
    place: &ResponsePlace,
) -> Result<Option<Model>, Error> {
    let found = background_response::Entity::find().filter(condition(place));
    Ok(found.one(database.reader()).await?)
}

/// Settles a response: deletes its row, and replaces what it has reserved by what `used` tells of
/// each unit, in the periods in which it was reserved. None if it was settled before.
pub(crate) async fn take(
    database: &Database,
    row: &Model,
    used: impl Fn(BudgetUnit) -> u64,
) -> Result<Option<Vec<ReservedBudget>>, Error> {
    let place = (row.project_id, row.id.clone());
    let who = OnBehalfOf::Organization(row.organization_id);
    let transaction = database.begin_for(who).await?;
    // A new response of the same ID is another one, which this use says nothing about.
    let deleted = background_response::Entity::delete_many()
        .filter(condition(&place))
        .filter(background_response::Column::CreatedAt.eq(row.created_at))
        .exec(&transaction)
        .await?;
    if deleted.rows_affected == 0 {
        return Ok(None);
    }
    let rows = background_reservation::Entity::find().filter(reservations(&place));
    let mut budgets: Vec<_> = rows.all(&transaction).await?.iter().map(reserved_budget).collect();
    budgets.sort_by_key(ReservedBudget::order);
    for reserved in &budgets {
        let amount = stored(reserved.amount);
        let difference = stored(used(reserved.id.unit)).saturating_sub(amount);
        let change = UsageChange { used: difference, background: -amount, calls: -1 };
        change_usage(&transaction, reserved.period(), &change).await?;
    }
    background_reservation::Entity::delete_many()
        .filter(reservations(&place))
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(Some(budgets))
}

/// The first responses that nobody has asked for until `now`.
pub(crate) async fn due(
    database: &Database,
    now: Timestamp,
    most: u64,
) -> Result<Vec<Model>, Error> {
    let due = background_response::Entity::find()
        .filter(background_response::Column::NextCheckAt.lte(now))
        .order_by_asc(background_response::Column::NextCheckAt)
        .order_by_asc(background_response::Column::ProjectId)
        .order_by_asc(background_response::Column::Id)
        .limit(most);
    Ok(due.all(database.reader()).await?)
}

/// Sets when a response is due again. False if another node has done so, or if it is settled.
pub(crate) async fn claim(
    database: &Database,
    row: &Model,
    next: Timestamp,
) -> Result<bool, Error> {
    let _permit = database.write_permit(OnBehalfOf::Server).await?;
    let claimed = background_response::Entity::update_many()
        .col_expr(background_response::Column::NextCheckAt, Expr::value(next))
        .filter(condition(&(row.project_id, row.id.clone())))
        .filter(background_response::Column::NextCheckAt.eq(row.next_check_at))
        .exec(database.writer())
        .await?;
    Ok(claimed.rows_affected > 0)
}

/// Counts once more that the upstream did not know a response.
pub(crate) async fn count_missing(database: &Database, place: &ResponsePlace) -> Result<(), Error> {
    let column = background_response::Column::Missing;
    let _permit = database.write_permit(OnBehalfOf::Server).await?;
    background_response::Entity::update_many()
        .col_expr(column, Expr::col(column).add(1))
        .filter(condition(place))
        .exec(database.writer())
        .await?;
    Ok(())
}

/// Counts the first time that a response of the sandbox is read. False if it was read before.
pub(crate) async fn count_first_read(database: &Database, row: &Model) -> Result<bool, Error> {
    let column = background_response::Column::Reads;
    let who = OnBehalfOf::Organization(row.organization_id);
    let _permit = database.write_permit(who).await?;
    let counted = background_response::Entity::update_many()
        .col_expr(column, Expr::value(1))
        .filter(condition(&(row.project_id, row.id.clone())))
        .filter(column.eq(0))
        .exec(database.writer())
        .await?;
    Ok(counted.rows_affected > 0)
}

/// A period that was purged meanwhile has no row, and nothing to correct.
async fn change_usage(
    transaction: &DatabaseTransaction,
    period: BudgetPeriod,
    UsageChange { used, background, calls }: &UsageChange,
) -> Result<(), Error> {
    use budget_usage::Column::{Background, BackgroundCalls, Used};
    budget_usage::Entity::update_many()
        .col_expr(Used, Expr::col(Used).add(*used))
        .col_expr(Background, Expr::col(Background).add(*background))
        .col_expr(BackgroundCalls, Expr::col(BackgroundCalls).add(*calls))
        .filter(period.condition())
        .exec(transaction)
        .await?;
    Ok(())
}

fn reserved_budget(row: &background_reservation::Model) -> ReservedBudget {
    let owner = match row.scope {
        LimitScope::Key => BudgetOwner::Key(KeyId::from(row.owner_id)),
        LimitScope::Project => BudgetOwner::Project(ProjectId::from(row.owner_id)),
        LimitScope::Organization => BudgetOwner::Organization(OrganizationId::from(row.owner_id)),
    };
    ReservedBudget {
        id: BudgetId { owner, unit: row.unit, period: row.period },
        starts_at: row.starts_at,
        amount: u64::try_from(row.amount).unwrap_or_default(),
        limit: u64::try_from(row.limit).unwrap_or_default(),
    }
}
