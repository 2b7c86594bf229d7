//! Audit events of keys.

use latchkey_domain::audit::{AuditAction, TargetKind};
use sea_orm::DatabaseTransaction;

use crate::audit::{self, By, Changes, Event};
use crate::error::Error;
use crate::scope::ProjectScope;
use crate::services::Services;
use latchkey_store::entity::key;

/// Records an action on a key.
pub(super) async fn record(
    services: &Services,
    transaction: &DatabaseTransaction,
    scope: &ProjectScope,
    by: &By,
    action: AuditAction,
    key: &key::Model,
    changes: Changes,
) -> Result<(), Error> {
    let id = key.id.to_string();
    let event = Event { action, kind: TargetKind::Key, id, name: &key.name, changes };
    audit::record(services, transaction, scope.organization(), by, event).await
}

/// The fields of a new key.
pub(super) fn of_new(key: &key::Model) -> Changes {
    differences(
        Changes::default().set("kind", key.kind).set("environment", key.environment),
        None,
        key,
    )
}

/// The fields that differ between two versions of a key.
pub(super) fn between(before: &key::Model, after: &key::Model) -> Changes {
    differences(Changes::default(), Some(before), after)
}

fn differences(changes: Changes, before: Option<&key::Model>, after: &key::Model) -> Changes {
    let metadata = |key: &key::Model| key.metadata.as_ref().map(|json| json.as_str().to_owned());
    let budgets_before = before.map(key::Model::all_budgets).unwrap_or_default();
    changes
        .field("name", before.map(|key| &key.name), &after.name)
        .field("masked", before.map(|key| &key.hint), &after.hint)
        .field("application_id", before.map(|key| key.application_id), after.application_id)
        .field("rpm", before.map(|key| key.rpm), after.rpm)
        .field("tpm", before.map(|key| key.tpm), after.tpm)
        .field("max_parallel", before.map(|key| key.max_parallel), after.max_parallel)
        .budgets("budgets", &budgets_before, &after.all_budgets())
        .field("allowed_models", before.map(|key| &key.allowed_models), &after.allowed_models)
        .field("allowed_cidrs", before.map(|key| &key.allowed_cidrs), &after.allowed_cidrs)
        .field("permissions", before.map(|key| &key.permissions), &after.permissions)
        .field("expires_at", before.map(|key| key.expires_at), after.expires_at)
        // A new key that is not disabled has no such field.
        .field(
            "disabled",
            before.map(|key| key.disabled),
            (before.is_some() || after.disabled).then_some(after.disabled),
        )
        .field("external_id", before.map(|key| &key.external_id), &after.external_id)
        .text("metadata", before.and_then(metadata), metadata(after))
        .field("tags", before.map(|key| &key.tags), &after.tags)
        .field("scopes", before.map(|key| &key.scopes), &after.scopes)
}
