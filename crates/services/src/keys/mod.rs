//! Life cycle of a key: create, list, update, rotate, revoke, archive.

mod archive;
mod attributes;
mod budgets;
mod change;
mod create;
mod defaults;
mod events;
mod idempotency;
mod limits;
mod list;
mod listed;
mod revoke;
mod rotate;
pub(crate) mod row;

use std::collections::HashMap;

use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::key::KeyKind;
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

pub use archive::{archive, unarchive};
pub(crate) use attributes::with_attributes;
pub use change::change;
pub use create::{create, create_for_application};
pub(crate) use defaults::NewKeyLimits;
pub use idempotency::{Idempotency, purge as purge_idempotency_keys};
pub(crate) use limits::{check_request, check_tier_for};
pub use list::{get, list, list_of_application};
pub use revoke::revoke;
pub(crate) use revoke::{invalidation_of, revoke_where};
pub use rotate::{end_grace, rotate};

use crate::error::Error;
use crate::scope::ProjectScope;
use crate::services::Services;
use latchkey_store::entity::key;

/// Permission that writes to keys of this kind require.
const fn to_write(kind: KeyKind) -> Permission {
    match kind {
        KeyKind::Api | KeyKind::Inference => Permission::KeysWrite,
        KeyKind::Service => Permission::ServiceKeysWrite,
    }
}

/// The row of a key, if it is in the scope.
pub(crate) async fn find(
    database: &impl ConnectionTrait,
    scope: &ProjectScope,
    id: KeyId,
) -> Result<key::Model, Error> {
    key::Entity::find_by_id(id)
        .filter(key::Column::ProjectId.eq(scope.id()))
        .one(database)
        .await?
        .ok_or(Error::NotFound)
}

/// As [`find`], and locks the row until the transaction ends. SQLite has a single writer anyway.
async fn find_locked(
    transaction: &impl ConnectionTrait,
    scope: &ProjectScope,
    id: KeyId,
) -> Result<key::Model, Error> {
    key::Entity::find_by_id(id)
        .filter(key::Column::ProjectId.eq(scope.id()))
        .lock(LockType::NoKeyUpdate)
        .one(transaction)
        .await?
        .ok_or(Error::NotFound)
}

/// Condition of the keys that count against the tier: API and inference keys, live or test, neither
/// revoked nor expired. Disabled ones count.
fn active(now: Timestamp) -> Condition {
    Condition::all()
        .add(key::Column::Kind.ne(KeyKind::Service))
        .add(key::Column::RevokedAt.is_null())
        .add(
            Condition::any()
                .add(key::Column::ExpiresAt.is_null())
                .add(key::Column::ExpiresAt.gt(now)),
        )
}

/// Number of active keys per project. Projects without any are not in the map.
pub(crate) async fn count_active(
    services: &Services,
    database: &impl ConnectionTrait,
    projects: &[ProjectId],
) -> Result<HashMap<ProjectId, u64>, Error> {
    let rows: Vec<(ProjectId, i64)> = key::Entity::find()
        .select_only()
        .column(key::Column::ProjectId)
        .column_as(key::Column::Id.count(), "keys")
        .filter(key::Column::ProjectId.is_in(projects.iter().copied()))
        .filter(active(services.clock.now()))
        .group_by(key::Column::ProjectId)
        .into_tuple()
        .all(database)
        .await?;
    Ok(rows.into_iter().map(|(id, count)| (id, u64::try_from(count).unwrap_or_default())).collect())
}
