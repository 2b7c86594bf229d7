//! Revoking a key.

use latchkey_domain::role::Permission;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{find, row, to_write};
use crate::actor::Actor;
use crate::check;
use crate::entity::key;
use crate::error::Error;
use crate::scope::{self, KeyRef};
use crate::services::Services;

/// Revokes a key. Final, and idempotent: the first revocation's time stands. When this returns, no check
/// admits the key any more, whichever of its secrets is presented.
///
/// # Errors
/// `NotFound` if the key is of another tenant, `Forbidden` for a viewer.
pub async fn revoke(
    services: &Services,
    actor: &Actor,
    key: impl Into<KeyRef>,
) -> Result<(), Error> {
    let key = key.into();
    let scope = scope::project_of_key(services, actor, key, Permission::KeysWrite).await?;
    let database = services.database.writer();
    scope.require(to_write(row::kind(&find(database, &scope, key.id).await?)?))?;
    key::Entity::update_many()
        .col_expr(key::Column::RevokedAt, Expr::value(services.clock.now().as_millis()))
        .filter(key::Column::Id.eq(key.id.as_uuid()))
        .filter(key::Column::ProjectId.eq(scope.id().as_uuid()))
        .filter(key::Column::RevokedAt.is_null())
        .exec(database)
        .await?;
    // Read again: a rotation may have come between. And also when somebody else revoked it first: their
    // eviction may still be on its way.
    check::evict(services, row::digests(&find(database, &scope, key.id).await?));
    Ok(())
}
