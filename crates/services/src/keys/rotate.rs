//! Rotates secrets: the key gets a new one, and the old one works for a grace period.

use std::time::Duration;

use latchkey_domain::api::{CreatedKey, ListedKey, MAX_GRACE_SECONDS, RotateRequest};
use latchkey_domain::audit::AuditAction;
use latchkey_domain::key::KeyStatus;
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::{ActiveModelTrait, IntoActiveModel};

use super::create::new_secret;
use super::events;
use super::idempotency::{self, Idempotency};
use super::listed::{listed, states_of};
use super::row::{self, search_text, to_api_key, unused};
use super::{find_locked, to_write};
use crate::actor::Actor;
use crate::audit::Changes;
use crate::error::Error;
use crate::retry::retried;
use crate::scope::{self, AuthorizedWrite, KeyRef};
use crate::services::Services;
use latchkey_checker::KeyInvalidation;

/// End of a grace period that is over by any clock. Another node's clock may be behind, and this
/// one's may be set back.
const ENDED: Timestamp = Timestamp::EPOCH;

/// Gives a key a new secret. The response holds the only copy. The old secret works for the grace
/// period, at most until the key expires. A secret that was still in an earlier grace period stops
/// working now.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for a viewer, `Conflict` for a revoked or
/// expired key, `Invalid` for a grace period over 7 days, `IdempotencyReplay` and
/// `IdempotencyMismatch`.
pub async fn rotate(
    services: &Services,
    actor: &Actor,
    key: impl Into<KeyRef>,
    request: RotateRequest,
    idempotency: Option<&Idempotency>,
) -> Result<CreatedKey, Error> {
    let key = key.into();
    retried(services, || rotate_once(services, actor, key, request, idempotency)).await
}

async fn rotate_once(
    services: &Services,
    actor: &Actor,
    named: KeyRef,
    request: RotateRequest,
    idempotency: Option<&Idempotency>,
) -> Result<CreatedKey, Error> {
    let mut scope = scope::project_of_key(services, actor, named, Permission::KeysWrite).await?;
    if request.grace_seconds > MAX_GRACE_SECONDS {
        return Err(Error::invalid("grace_seconds", "Use 0 to 604800 seconds (7 days)."));
    }
    let AuthorizedWrite { transaction, by, .. } = scope.begin(services, actor).await?;
    let mut key = find_locked(&transaction, &scope, named.id).await?;
    scope.require(to_write(key.kind))?;
    let now = services.clock.now();
    idempotency::check(&transaction, actor, idempotency, now).await?;
    match row::status(&key, now) {
        // A disabled key stays disabled.
        KeyStatus::Active | KeyStatus::Disabled => {}
        KeyStatus::Revoked => {
            return Err(Error::Conflict("A revoked key can’t be rotated. Create a new one."));
        }
        KeyStatus::Expired => {
            return Err(Error::Conflict(
                "An expired key can’t be rotated. Give it a later expiry first, or create a new one.",
            ));
        }
    }
    let digests = row::digests(&key);
    let before = key.clone();
    let secret = new_secret(services, &scope, key.environment);
    let hint = secret.hint();
    let grace = Duration::from_secs(request.grace_seconds);
    let ends_at = if grace.is_zero() { ENDED } else { now + grace };
    let pepper = services.checker.pepper();
    let new_digest = pepper.digest(secret.expose());
    key.old_digest = Some(std::mem::replace(&mut key.digest, new_digest));
    key.old_pepper = key.pepper.replace(pepper.id().to_vec());
    key.old_hint = Some(std::mem::replace(&mut key.hint, hint.clone().into()));
    key.old_ends_at = Some(key.expires_at.map_or(ends_at, |end| end.min(ends_at)));
    key.old_last_used_at = key.last_used_at;
    key.search = search_text(named.id, &key.name, &hint);
    let changes = events::between(&before, &key).set("grace_seconds", request.grace_seconds);
    let key = key.into_active_model().reset_all().update(&transaction).await?;
    idempotency::keep(&transaction, actor, idempotency, named.id, now).await?;
    let action = AuditAction::KeyRotated;
    events::record(services, &transaction, &scope, &by, action, &key, changes).await?;
    KeyInvalidation::keys(digests.into_iter().chain(row::digests(&key)))
        .commit_and_invalidate(&services.checker, transaction)
        .await?;
    // The secret must reach the caller even if this query fails.
    let states = states_of(services, &key, now).await.unwrap_or_else(|error| {
        tracing::error!(%error, "Failed to read the budgets of a rotated key");
        unused(&key.all_budgets(), now)
    });
    Ok(CreatedKey { key: secret.into(), api_key: to_api_key(key, states, now) })
}

/// Ends the grace period of a rotation: the old secret stops working now.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for a viewer.
pub async fn end_grace(
    services: &Services,
    actor: &Actor,
    key: impl Into<KeyRef>,
) -> Result<ListedKey, Error> {
    let key = key.into();
    retried(services, || end_grace_once(services, actor, key)).await
}

async fn end_grace_once(
    services: &Services,
    actor: &Actor,
    named: KeyRef,
) -> Result<ListedKey, Error> {
    let mut scope = scope::project_of_key(services, actor, named, Permission::KeysWrite).await?;
    let AuthorizedWrite { transaction, by, .. } = scope.begin(services, actor).await?;
    let mut key = find_locked(&transaction, &scope, named.id).await?;
    scope.require(to_write(key.kind))?;
    let now = services.clock.now();
    let evicted = KeyInvalidation::keys(row::digests(&key));
    if key.old_ends_at.is_some_and(|end| end > now) {
        key.old_ends_at = Some(ENDED);
        key = key.into_active_model().reset_all().update(&transaction).await?;
        let (action, changes) = (AuditAction::KeyGraceEnded, Changes::default());
        events::record(services, &transaction, &scope, &by, action, &key, changes).await?;
        evicted.commit_and_invalidate(&services.checker, transaction).await?;
    } else {
        // A concurrent request may just have ended it, with its eviction still pending.
        evicted.evict(&services.checker);
    }
    listed(services, key, now).await
}
