//! What an organization may use: its tier, and what an administrator of the instance made of it.
//! Every number of a tier that is held against somebody comes from here.

use latchkey_domain::id::UserId;
use latchkey_domain::role::Role;
use latchkey_domain::tier::OWNED_ORGANIZATIONS;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};

use crate::error::Error;
use crate::members::lock_person;
use latchkey_store::entity::{membership, organization, project};

/// Refuses one more project beyond the plan. The organization is locked by now.
///
/// # Errors
/// `LimitReached`.
pub(crate) async fn check_projects(
    transaction: &impl ConnectionTrait,
    organization: &organization::Model,
) -> Result<(), Error> {
    let plan = organization.plan();
    let Some(limit) = plan.limits().projects else { return Ok(()) };
    let used = count_projects(transaction, organization).await?;
    if used < u64::from(limit) {
        return Ok(());
    }
    Err(Error::LimitReached(format!(
        "{} has {used} of {limit} projects on {}. Delete a project or upgrade.",
        organization.name,
        plan.tier.label()
    )))
}

/// The projects of an organization.
pub(super) async fn count_projects(
    database: &impl ConnectionTrait,
    organization: &organization::Model,
) -> Result<u64, Error> {
    Ok(project::Entity::find()
        .filter(project::Column::OrganizationId.eq(organization.id))
        .filter(project::Column::DeletedAt.is_null())
        .count(database)
        .await?)
}

/// Refuses to make somebody an owner who owns as many organizations as a person may. `who_owns`
/// begins the sentence. Their row is locked, so that of several at once each counts what the one
/// before it did.
///
/// # Errors
/// `LimitReached`.
pub(crate) async fn check_owned(
    transaction: &impl ConnectionTrait,
    person: UserId,
    who_owns: &str,
) -> Result<(), Error> {
    lock_person(transaction, person).await?;
    let used = count_owned(transaction, person).await?;
    if used < u64::from(OWNED_ORGANIZATIONS) {
        return Ok(());
    }
    Err(Error::LimitReached(format!(
        "{who_owns} {used} of {OWNED_ORGANIZATIONS} organizations. Delete one, or make another \
         member the owner of one and leave it."
    )))
}

/// The organizations that a person owns.
pub(super) async fn count_owned(
    database: &impl ConnectionTrait,
    person: UserId,
) -> Result<u64, Error> {
    // Deleting an organization deletes its memberships.
    Ok(membership::Entity::find()
        .filter(membership::Column::UserId.eq(person))
        .filter(membership::Column::Role.eq(Role::Owner))
        .count(database)
        .await?)
}
