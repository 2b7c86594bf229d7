//! Organizations as their members see them: list, create, update, delete.

mod limits;
mod lock;
mod plan_use;
mod write;

pub(crate) use limits::{check_owned, check_projects};
pub(crate) use lock::lock;
pub use plan_use::plan_use;
pub(crate) use write::insert;
pub use write::{change, create, delete};

use latchkey_checker::BudgetOwner;
use latchkey_domain::api::{BudgetState, Organization, Page};
use latchkey_domain::budget::Budgets;
use latchkey_domain::id::OrganizationId;
use latchkey_domain::limit::{MaxParallel, Rpm, Tokens};
use latchkey_domain::role::{Permission, Role};
use latchkey_domain::tier::Tier;
use latchkey_domain::time::Timestamp;
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationTrait, Select,
};

use crate::actor::Actor;
use crate::budget_states;
use crate::error::Error;
use crate::page::{PageRequest, id_cursor};
use crate::scope;
use crate::services::Services;
use latchkey_store::entity::{membership, organization};

#[derive(FromQueryResult)]
struct OrganizationRow {
    id: OrganizationId,
    name: String,
    tier: Tier,
    role: Role,
    created_at: Timestamp,
    rpm: Option<Rpm>,
    tpm: Option<Tokens>,
    max_parallel: Option<MaxParallel>,
    budgets: Option<Budgets>,
}

impl OrganizationRow {
    fn into_organization(self, budgets: Vec<BudgetState>) -> Organization {
        let Self { id, name, tier, role, created_at, rpm, tpm, max_parallel, .. } = self;
        Organization {
            id,
            name,
            tier,
            role: Some(role),
            rpm,
            tpm,
            max_parallel,
            budgets,
            created_at,
        }
    }
}

/// Adds the states of their budgets to rows, in a single query.
async fn with_states(
    services: &Services,
    mut rows: Vec<OrganizationRow>,
) -> Result<Vec<Organization>, Error> {
    let budgets = rows
        .iter_mut()
        .map(|row| (BudgetOwner::Organization(row.id), row.budgets.take().unwrap_or_default()));
    let budgets = budgets.collect();
    let mut states = budget_states::of_all(services, budgets, services.clock.now()).await?;
    let organizations = rows.into_iter().map(|row| {
        let states = states.remove(&BudgetOwner::Organization(row.id)).unwrap_or_default();
        row.into_organization(states)
    });
    Ok(organizations.collect())
}

/// The actor's organizations, newest first.
///
/// # Errors
/// `Invalid` for a malformed cursor, `Forbidden` for a service key.
pub async fn list(
    services: &Services,
    actor: &Actor,
    page: PageRequest,
) -> Result<Page<Organization>, Error> {
    let mut query = joined(actor)?.order_by_desc(organization::Column::Id).limit(page.rows());
    if let Some(after) = page.after_id::<OrganizationId>()? {
        query = query.filter(organization::Column::Id.lt(after));
    }
    let rows = query.into_model::<OrganizationRow>().all(services.database.reader()).await?;
    let Page { data, next_cursor } = page.page(rows, |last| id_cursor(last.id));
    Ok(Page { data: with_states(services, data).await?, next_cursor })
}

/// All of the actor's organizations, without pages: a person has few.
pub(crate) async fn of_actor(
    services: &Services,
    actor: &Actor,
) -> Result<Vec<Organization>, Error> {
    let rows = joined(actor)?
        .order_by_asc(organization::Column::Id)
        .into_model::<OrganizationRow>()
        .all(services.database.reader())
        .await?;
    with_states(services, rows).await
}

/// One organization.
///
/// # Errors
/// `NotFound` if the actor is not a member.
pub async fn get(
    services: &Services,
    actor: &Actor,
    id: OrganizationId,
) -> Result<Organization, Error> {
    if actor.person().is_err() {
        // Gives a service key the error that fits its tenant.
        scope::organization(services, actor, id, Permission::Read).await?;
    }
    let row = joined(actor)?
        .filter(organization::Column::Id.eq(id))
        .into_model::<OrganizationRow>()
        .one(services.database.reader())
        .await?
        .ok_or(Error::NotFound)?;
    with_states(services, vec![row]).await?.pop().ok_or(Error::NotFound)
}

/// Organizations joined with the actor's own membership: the tenant scope of every query here.
fn joined(actor: &Actor) -> Result<Select<organization::Entity>, Error> {
    let user = actor.person()?.user();
    Ok(organization::Entity::find()
        .column(membership::Column::Role)
        .join(JoinType::InnerJoin, organization::Relation::Membership.def())
        .filter(membership::Column::UserId.eq(user)))
}
