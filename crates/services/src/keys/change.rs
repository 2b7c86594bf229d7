//! Updates a key's name, limits, attributes and expiry, and disables and enables it.

use latchkey_domain::api::{ApiKey, KeyPatch};
use latchkey_domain::audit::AuditAction;
use latchkey_domain::budget::Budgets;
use latchkey_domain::key::{KeyKind, KeyStatus};
use latchkey_domain::problem::FieldError;
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::{ActiveModelTrait, IntoActiveModel};

use super::attributes::store_tags;
use super::budgets;
use super::events;
use super::limits::{EXPIRY_PAST, MISPLACED_SCOPES, check_name, check_tier, has_misplaced_scopes};
use super::listed::shown;
use super::row::{self, search_text};
use super::{find_locked, to_write};
use crate::actor::Actor;
use crate::error::Error;
use crate::retry::retried;
use crate::scope::{self, AuthorizedWrite, KeyRef};
use crate::services::Services;
use latchkey_checker::KeyInvalidation;
use latchkey_store::entity::key;

/// Updates the fields of a key that the patch names. When this returns, every check applies the new
/// values.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for a viewer, `Conflict` for a revoked key,
/// `Invalid`, `NameTaken`, and `TierLimitReached` if an expired key would come back beyond the
/// tier's limit.
pub async fn change(
    services: &Services,
    actor: &Actor,
    key: impl Into<KeyRef>,
    patch: KeyPatch,
) -> Result<ApiKey, Error> {
    let key = key.into();
    retried(services, || change_once(services, actor, key, patch.clone())).await
}

async fn change_once(
    services: &Services,
    actor: &Actor,
    key: KeyRef,
    patch: KeyPatch,
) -> Result<ApiKey, Error> {
    let mut scope = scope::project_of_key(services, actor, key, Permission::KeysWrite).await?;
    let AuthorizedWrite { transaction, by, within: project } = scope.begin(services, actor).await?;
    let row = find_locked(&transaction, &scope, key.id).await?;
    let kind = row.kind;
    scope.require(to_write(kind))?;
    let now = services.clock.now();
    let before = row::status(&row, now);
    if before == KeyStatus::Revoked {
        return Err(Error::Conflict("A revoked key can’t be changed. Create a new one."));
    }
    if let Some(name) = &patch.name {
        check_name(&transaction, project.id, kind, name.as_str(), Some(row.id)).await?;
    }
    let digests = row::digests(&row);
    let mut after = apply(row.clone(), patch, now)?;
    let comes_back = before == KeyStatus::Expired && row::status(&after, now) != KeyStatus::Expired;
    if comes_back {
        // A key that takes a slot must not be hidden from lists.
        after.archived_at = None;
        if kind != KeyKind::Service {
            check_tier(services, &transaction, &project).await?;
        }
    }
    let changes = events::between(&row, &after);
    let action = match (row.disabled, after.disabled) {
        (false, true) => AuditAction::KeyDisabled,
        (true, false) => AuditAction::KeyEnabled,
        _ => AuditAction::KeyChanged,
    };
    let tags = row.tags;
    let row = after.into_active_model().reset_all().update(&transaction).await?;
    store_tags(&transaction, tags.as_ref(), &row).await?;
    if !changes.is_empty() {
        events::record(services, &transaction, &scope, &by, action, &row, changes).await?;
    }
    KeyInvalidation::keys(digests).commit_and_invalidate(&services.checker, transaction).await?;
    shown(services, row, now).await
}

/// The row with the patch applied.
fn apply(mut row: key::Model, patch: KeyPatch, now: Timestamp) -> Result<key::Model, Error> {
    let (budgets, mut errors) = match budgets::patched(row.all_budgets(), &patch) {
        Ok(budgets) => (budgets, Vec::new()),
        Err(errors) => (Budgets::NONE, errors),
    };
    let mut refuse = |field: &str, message: &str| {
        errors.push(FieldError { field: field.to_owned(), message: message.to_owned() });
    };
    if let Some(name) = patch.name {
        row.search = search_text(row.id, name.as_str(), &row.hint);
        row.name = name.to_string();
    }
    if let Some(rpm) = patch.rpm {
        row.rpm = rpm;
    }
    if let Some(tpm) = patch.tpm {
        row.tpm = tpm;
    }
    if let Some(calls) = patch.max_parallel {
        row.max_parallel = calls;
    }
    (row.token_limit, row.token_limit_period) = budgets.token_limit().unzip();
    row.budgets = (!budgets.is_empty()).then_some(budgets);
    if let Some(models) = patch.allowed_models {
        row.allowed_models = models;
    }
    if let Some(networks) = patch.allowed_cidrs {
        row.allowed_cidrs = networks;
    }
    if let Some(expires_at) = patch.expires_at {
        if expires_at.is_some_and(|end| end <= now) {
            refuse("expires_at", EXPIRY_PAST);
        }
        row.expires_at = expires_at;
        // The old secret never outlives its key.
        row.old_ends_at = match (row.old_ends_at, row.expires_at) {
            (Some(old), Some(end)) => Some(old.min(end)),
            (old, _) => old,
        };
    }
    if let Some(disabled) = patch.disabled {
        row.disabled = disabled;
    }
    if let Some(external_id) = patch.external_id {
        row.external_id = external_id;
    }
    if let Some(metadata) = patch.metadata {
        row.metadata = metadata.filter(|metadata| !metadata.is_empty());
    }
    if let Some(tags) = patch.tags {
        row.tags = tags.filter(|tags| !tags.is_empty());
    }
    if let Some(scopes) = patch.scopes {
        if has_misplaced_scopes(row.kind, scopes.as_ref()) {
            refuse("scopes", MISPLACED_SCOPES);
        }
        row.scopes = scopes.filter(|scopes| !scopes.is_empty());
    }
    if errors.is_empty() { Ok(row) } else { Err(Error::Invalid(errors)) }
}
