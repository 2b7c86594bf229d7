//! Effective limits of an organization: its tier with the overrides of an instance administrator.
//! Every limit that comes from a tier is enforced by these values.

use latchkey_domain::id::UserId;
use latchkey_domain::role::Role;
use latchkey_domain::tier::OWNED_ORGANIZATIONS;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};

use crate::error::Error;
use crate::members::lock_person;
use latchkey_store::entity::{membership, organization, project};

/// Refuses another project beyond the plan's limit. The caller has locked the organization.
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

/// Number of projects of an organization.
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

/// Refuses another owned organization beyond a person's limit. `who_owns` starts the error message.
/// Locks the person's row, so that concurrent changes see each other.
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

/// Number of organizations that a person owns.
pub(super) async fn count_owned(
    database: &impl ConnectionTrait,
    person: UserId,
) -> Result<u64, Error> {
    // Deleting an organization also deletes its memberships, so these need no filter.
    Ok(membership::Entity::find()
        .filter(membership::Column::UserId.eq(person))
        .filter(membership::Column::Role.eq(Role::Owner))
        .count(database)
        .await?)
}
