//! The lock that orders concurrent writes in a project.

use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::error::Error;
use crate::scope::ProjectScope;
use latchkey_store::entity::project;

/// Locks a project until the transaction ends, so that concurrent changes that count its resources
/// see each other. SQLite has a single writer anyway.
///
/// # Errors
/// `NotFound` if it was deleted.
pub(crate) async fn lock(
    transaction: &impl ConnectionTrait,
    scope: &ProjectScope,
) -> Result<project::Model, Error> {
    project::Entity::find_by_id(scope.id())
        .filter(project::Column::DeletedAt.is_null())
        .lock(LockType::NoKeyUpdate)
        .one(transaction)
        .await?
        .ok_or(Error::NotFound)
}
