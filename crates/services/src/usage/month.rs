//! A project's use of the monthly quota, for the pages.

use latchkey_domain::api::QuotaState;
use latchkey_domain::id::ProjectId;
use latchkey_domain::role::Permission;
use sea_orm::EntityTrait;

use crate::actor::Actor;
use crate::error::Error;
use crate::scope;
use crate::services::Services;
use latchkey_store::entity::organization;

/// Live requests of a project in the current month, and the plan's quota.
///
/// # Errors
/// `NotFound` if the actor has no access.
pub async fn of_month(
    services: &Services,
    actor: &Actor,
    id: ProjectId,
) -> Result<QuotaState, Error> {
    let scope = scope::project(services, actor, id, Permission::UsageRead).await?;
    let organization = organization::Entity::find_by_id(scope.organization())
        .one(services.database.reader())
        .await?
        .ok_or(Error::NotFound)?;
    let limit = organization.plan().limits().requests_per_month;
    Ok(services.checker.quota_state(scope.id(), limit, services.clock.now()).await?)
}
