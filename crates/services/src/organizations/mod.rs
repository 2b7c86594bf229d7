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

use latchkey_domain::api::{Organization, Page};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::role::{Permission, Role};
use latchkey_domain::tier::Tier;
use latchkey_domain::time::Timestamp;
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationTrait, Select,
};

use crate::actor::Actor;
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
}

impl From<OrganizationRow> for Organization {
    fn from(row: OrganizationRow) -> Self {
        let OrganizationRow { id, name, tier, role, created_at } = row;
        Self { id, name, tier, role: Some(role), created_at }
    }
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
    let organizations = rows.into_iter().map(Organization::from).collect();
    Ok(page.page(organizations, |last: &Organization| id_cursor(last.id)))
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
    Ok(rows.into_iter().map(Organization::from).collect())
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
    Ok(row.into())
}

/// Organizations joined with the actor's own membership: the tenant scope of every query here.
fn joined(actor: &Actor) -> Result<Select<organization::Entity>, Error> {
    let user = actor.person()?.user();
    Ok(organization::Entity::find()
        .column(membership::Column::Role)
        .join(JoinType::InnerJoin, organization::Relation::Membership.def())
        .filter(membership::Column::UserId.eq(user)))
}
