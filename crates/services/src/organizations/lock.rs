//! The lock that orders concurrent writes in an organization.

use latchkey_domain::id::OrganizationId;
use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::error::Error;
use latchkey_store::entity::organization;

/// Locks an organization until the transaction ends. SQLite has a single writer anyway.
///
/// # Errors
/// `NotFound` if it was deleted.
pub(crate) async fn lock(
    transaction: &impl ConnectionTrait,
    id: OrganizationId,
) -> Result<organization::Model, Error> {
    organization::Entity::find_by_id(id)
        .filter(organization::Column::DeletedAt.is_null())
        .lock(LockType::NoKeyUpdate)
        .one(transaction)
        .await?
        .ok_or(Error::NotFound)
}
