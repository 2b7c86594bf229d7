//! Hides ended keys from lists, and shows them again.

use latchkey_domain::api::ApiKey;
use latchkey_domain::audit::AuditAction;
use latchkey_domain::key::KeyStatus;
use latchkey_domain::role::Permission;
use sea_orm::{ActiveModelTrait, IntoActiveModel};

use super::events;
use super::listed::shown;
use super::{find_locked, row, to_write};
use crate::actor::Actor;
use crate::audit::Changes;
use crate::error::Error;
use crate::retry::retried;
use crate::scope::{self, AuthorizedWrite, KeyRef};
use crate::services::Services;

/// Hides a revoked or expired key from lists. Idempotent.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for a viewer, `Conflict` for an active or
/// disabled key.
pub async fn archive(
    services: &Services,
    actor: &Actor,
    key: impl Into<KeyRef>,
) -> Result<ApiKey, Error> {
    set(services, actor, key.into(), true).await
}

/// Shows an archived key in lists again. Idempotent.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for a viewer, `Conflict` for an active or
/// disabled key.
pub async fn unarchive(
    services: &Services,
    actor: &Actor,
    key: impl Into<KeyRef>,
) -> Result<ApiKey, Error> {
    set(services, actor, key.into(), false).await
}

async fn set(
    services: &Services,
    actor: &Actor,
    key: KeyRef,
    archived: bool,
) -> Result<ApiKey, Error> {
    retried(services, || set_once(services, actor, key, archived)).await
}

async fn set_once(
    services: &Services,
    actor: &Actor,
    key: KeyRef,
    archived: bool,
) -> Result<ApiKey, Error> {
    let mut scope = scope::project_of_key(services, actor, key, Permission::KeysWrite).await?;
    let AuthorizedWrite { transaction, by, .. } = scope.begin(services, actor).await?;
    let mut key = find_locked(&transaction, &scope, key.id).await?;
    scope.require(to_write(key.kind))?;
    let now = services.clock.now();
    if matches!(row::status(&key, now), KeyStatus::Active | KeyStatus::Disabled) {
        return Err(Error::Conflict("Only a revoked or expired key can be archived."));
    }
    if archived != key.archived_at.is_some() {
        key.archived_at = archived.then_some(now);
        key = key.into_active_model().reset_all().update(&transaction).await?;
        let action = if archived { AuditAction::KeyArchived } else { AuditAction::KeyUnarchived };
        let changes = Changes::default();
        events::record(services, &transaction, &scope, &by, action, &key, changes).await?;
        transaction.commit().await?;
    }
    shown(services, key, now).await
}
