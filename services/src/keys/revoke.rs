//! Revoking a key.

use latchkey_domain::id::KeyId;
use latchkey_domain::role::Permission;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::actor::Actor;
use crate::check;
use crate::entity::key;
use crate::error::Error;
use crate::scope;
use crate::services::Services;

/// Revokes a key. Final, and idempotent: the first revocation's time stands. When this returns, no check
/// admits the key any more.
///
/// # Errors
/// `NotFound` if the key is of another tenant, `Forbidden` for a viewer.
pub async fn revoke(services: &Services, actor: &Actor, id: KeyId) -> Result<(), Error> {
    let scope = scope::project_of_key(services, actor, id, Permission::KeysWrite).await?;
    let database = services.database.writer();
    key::Entity::update_many()
        .col_expr(key::Column::RevokedAt, Expr::value(services.clock.now().as_millis()))
        .filter(key::Column::Id.eq(id.as_uuid()))
        .filter(key::Column::ProjectId.eq(scope.id().as_uuid()))
        .filter(key::Column::RevokedAt.is_null())
        .exec(database)
        .await?;
    // Also when somebody else was first: their eviction may still be on its way.
    check::evict(services, &scope, id).await
}
