//! Revokes keys.

use latchkey_domain::audit::AuditAction;
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QuerySelect,
};

use super::{active, events, find_locked, row, to_write};
use crate::actor::Actor;
use crate::audit::Changes;
use crate::error::Error;
use crate::retry::retried;
use crate::scope::{self, AuthorizedWrite, KeyRef};
use crate::services::Services;
use latchkey_checker::KeyInvalidation;
use latchkey_domain::digest::KeyDigest;
use latchkey_domain::id::ProjectId;
use latchkey_store::entity::key;

/// Revokes a key. Final and idempotent: the time of the first revocation stays. When this returns,
/// no check admits the key, neither with its current secret nor with its old one.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for a viewer.
pub async fn revoke(
    services: &Services,
    actor: &Actor,
    key: impl Into<KeyRef>,
) -> Result<(), Error> {
    let key = key.into();
    retried(services, || revoke_once(services, actor, key)).await
}

async fn revoke_once(services: &Services, actor: &Actor, key: KeyRef) -> Result<(), Error> {
    let mut scope = scope::project_of_key(services, actor, key, Permission::KeysWrite).await?;
    let AuthorizedWrite { transaction, by, .. } = scope.begin(services, actor).await?;
    let mut row = find_locked(&transaction, &scope, key.id).await?;
    scope.require(to_write(row.kind))?;
    if row.revoked_at.is_none() {
        row.revoked_at = Some(services.clock.now());
        row = row.into_active_model().reset_all().update(&transaction).await?;
        let (action, changes) = (AuditAction::KeyRevoked, Changes::default());
        events::record(services, &transaction, &scope, &by, action, &row, changes).await?;
        KeyInvalidation::keys(row::digests(&row))
            .commit_and_invalidate(&services.checker, transaction)
            .await?;
        return Ok(());
    }
    // A concurrent request revoked it first, and its eviction may still be pending.
    KeyInvalidation::keys(row::digests(&row)).evict(&services.checker);
    Ok(())
}

/// Invalidates the active keys of projects, because a limit over all of them changes. Their number
/// is bounded by the tier; others need not be: service keys have no such limits, and an expired key
/// is invalidated when it comes back. The caller holds the locks of the projects, so that no key
/// joins them until the commit.
pub(crate) async fn invalidation_of(
    transaction: &DatabaseTransaction,
    projects: &[ProjectId],
    now: Timestamp,
) -> Result<KeyInvalidation, Error> {
    /// With so many, every key of the instance is invalidated instead; see [`KeyInvalidation`] for
    /// what that costs.
    const MANY: u64 = 12_001;
    let rows: Vec<(KeyDigest, Option<KeyDigest>)> = key::Entity::find()
        .select_only()
        .columns([key::Column::Digest, key::Column::OldDigest])
        .filter(key::Column::ProjectId.is_in(projects.iter().copied()))
        .filter(active(now))
        .limit(MANY)
        .into_tuple()
        .all(transaction)
        .await?;
    let slots = rows.into_iter().flat_map(|(digest, old)| [Some(digest), old]);
    Ok(KeyInvalidation::keys(slots.flatten()))
}

/// The keys that a bulk revocation revoked.
pub(crate) struct RevokedKeys {
    pub(crate) keys: usize,
    /// Secrets to evict once the transaction has committed.
    pub(crate) digests: Vec<KeyDigest>,
}

/// Revokes the matching keys while deleting their parent. The caller holds the lock of their
/// project, and evicts the keys after the commit.
pub(crate) async fn revoke_where(
    transaction: &DatabaseTransaction,
    matching: Expr,
    now: Timestamp,
) -> Result<RevokedKeys, Error> {
    key::Entity::update_many()
        .col_expr(key::Column::RevokedAt, Expr::value(now))
        .filter(matching.clone())
        .filter(key::Column::RevokedAt.is_null())
        .exec(transaction)
        .await?;
    // Reads the digests after the update has locked the rows: a concurrent rotation may have
    // replaced some of them.
    let rows: Vec<(KeyDigest, Option<KeyDigest>)> = key::Entity::find()
        .select_only()
        .columns([key::Column::Digest, key::Column::OldDigest])
        .filter(matching)
        .filter(key::Column::RevokedAt.eq(now))
        .into_tuple()
        .all(transaction)
        .await?;
    let keys = rows.len();
    let slots = rows.into_iter().flat_map(|(digest, old)| [Some(digest), old]);
    let digests = slots.flatten().collect();
    Ok(RevokedKeys { keys, digests })
}
