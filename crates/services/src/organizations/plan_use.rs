//! Limits and use of an organization's plan, for the pages.

use latchkey_domain::api::PlanUse;
use latchkey_domain::id::OrganizationId;
use latchkey_domain::role::Permission;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use super::limits::{count_owned, count_projects};
use crate::actor::Actor;
use crate::error::Error;
use crate::members::INVITATION_WINDOW;
use crate::scope;
use crate::services::Services;
use latchkey_store::entity::{invitation_time, organization};

/// The plan's limits and their use, together with the actor's own limits.
///
/// # Errors
/// `NotFound` if the actor is not a member.
pub async fn plan_use(
    services: &Services,
    actor: &Actor,
    id: OrganizationId,
) -> Result<PlanUse, Error> {
    scope::organization(services, actor, id, Permission::Read).await?;
    let database = services.database.reader();
    let row = organization::Entity::find_by_id(id).one(database).await?;
    let row = row.ok_or(Error::NotFound)?;
    let person = actor.author();
    let since = services.clock.now() - INVITATION_WINDOW;
    let invitations = invitation_time::Entity::find()
        .filter(invitation_time::Column::UserId.eq(person))
        .filter(invitation_time::Column::At.gt(since))
        .count(database)
        .await?;
    Ok(PlanUse {
        limits: row.plan().limits(),
        projects: count_projects(database, &row).await?,
        owned_organizations: count_owned(database, person).await?,
        invitations,
        writes_per_minute: services.writes.limit(),
    })
}
