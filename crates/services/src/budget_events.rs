//! Budgets that have reached 80 or 100 per cent, newest first.

use latchkey_domain::api::{BudgetEvent, Page};
use latchkey_domain::budget::BudgetAmount;
use latchkey_domain::id::{BudgetEventId, ProjectId};
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use crate::actor::Actor;
use crate::error::Error;
use crate::page::{PageRequest, time_cursor};
use crate::scope::{self, ProjectScope};
use crate::services::Services;
use latchkey_store::entity::budget_event;

/// The events of a project, of its keys and of its organization, newest first.
///
/// # Errors
/// `NotFound` if the actor has no access, `InsufficientScope` for a service key without
/// `usage:read`, `Invalid` for a malformed cursor.
pub async fn list(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    page: PageRequest,
) -> Result<Page<BudgetEvent>, Error> {
    let scope = scope::project(services, actor, project, Permission::UsageRead).await?;
    let after = page.after_time()?;
    let database = services.database.reader();
    // Each is a walk along its own index, which an OR of both would not be.
    let mut rows = select(of_project(&scope), after).limit(page.rows()).all(database).await?;
    rows.extend(select(of_organization(&scope), after).limit(page.rows()).all(database).await?);
    rows.sort_unstable_by_key(|row| std::cmp::Reverse((row.at, row.id)));
    Ok(page.page(rows, |last| time_cursor(last.at, last.id)).map(|row| to_event(&row)))
}

fn of_project(scope: &ProjectScope) -> Condition {
    Condition::all().add(budget_event::Column::ProjectId.eq(scope.id()))
}

/// The events of the organization's own budgets.
fn of_organization(scope: &ProjectScope) -> Condition {
    Condition::all()
        .add(budget_event::Column::OrganizationId.eq(scope.organization()))
        .add(budget_event::Column::ProjectId.is_null())
}

fn select(
    whose: Condition,
    after: Option<(Timestamp, BudgetEventId)>,
) -> Select<budget_event::Entity> {
    use budget_event::Column;
    let query = budget_event::Entity::find()
        .filter(whose)
        // All the same, but PostgreSQL does not infer that from IS NULL and would sort.
        .order_by_desc(Column::ProjectId)
        .order_by_desc(Column::At)
        .order_by_desc(Column::Id);
    let Some((at, id)) = after else { return query };
    // The first condition is the range of the index; the second skips its first rows.
    query
        .filter(Column::At.lte(at))
        .filter(Condition::any().add(Column::At.lt(at)).add(Column::Id.lt(id)))
}

fn to_event(row: &budget_event::Model) -> BudgetEvent {
    let amount =
        |stored: i64| BudgetAmount::new(row.unit, u64::try_from(stored).unwrap_or_default());
    BudgetEvent {
        id: row.id,
        at: row.at,
        scope: row.scope,
        key_id: row.key_id,
        unit: row.unit,
        period: row.period,
        percent: u8::try_from(row.percent).unwrap_or(u8::MAX),
        limit: amount(row.limit),
        used: amount(row.used),
    }
}

#[cfg(test)]
mod tests;
