//! What the audit log says of keys.

use latchkey_domain::audit::{AuditAction, TargetKind};
use latchkey_domain::id::{ApplicationId, KeyId};
use latchkey_domain::time::Timestamp;
use sea_orm::DatabaseTransaction;
use serde_json::Value;

use crate::audit::{self, By, Changes, Event};
use crate::error::Error;
use crate::scope::ProjectScope;
use crate::services::Services;
use latchkey_store::entity::key;

/// Records what was done to a key.
pub(super) async fn record(
    services: &Services,
    transaction: &DatabaseTransaction,
    scope: &ProjectScope,
    by: &By,
    action: AuditAction,
    key: &key::Model,
    changes: Changes,
) -> Result<(), Error> {
    let id = KeyId::from(key.id).to_string();
    let event = Event { action, kind: TargetKind::Key, id, name: &key.name, changes };
    audit::record(services, transaction, scope.organization(), by, event).await
}

/// What a new key is.
pub(super) fn of_new(key: &key::Model) -> Changes {
    differences(
        Changes::default().set("kind", &key.kind).set("environment", &key.environment),
        None,
        key,
    )
}

/// How a key is another than before.
pub(super) fn between(before: &key::Model, after: &key::Model) -> Changes {
    differences(Changes::default(), Some(before), after)
}

fn differences(changes: Changes, before: Option<&key::Model>, after: &key::Model) -> Changes {
    type Read = fn(&key::Model) -> Value;
    let fields: [(&str, Read); 12] = [
        ("name", |key| key.name.clone().into()),
        ("masked", |key| key.hint.clone().into()),
        ("application_id", |key| {
            key.application_id.map(|id| ApplicationId::from(id).to_string()).into()
        }),
        ("rpm", |key| key.rpm.into()),
        ("tpm", |key| key.tpm.into()),
        ("max_parallel", |key| key.max_parallel.into()),
        ("token_limit", |key| key.token_limit.into()),
        ("token_limit_period", |key| key.token_limit_period.clone().into()),
        ("allowed_models", |key| list(key.allowed_models.as_deref())),
        ("allowed_cidrs", |key| list(key.allowed_cidrs.as_deref())),
        ("permissions", |key| list(key.permissions.as_deref())),
        ("expires_at", |key| {
            key.expires_at.map(|at| Timestamp::from_millis(at).to_string()).into()
        }),
    ];
    fields.into_iter().fold(changes, |changes, (name, read)| {
        changes.field(name, before.map_or(Value::Null, read), read(after))
    })
}

/// A list as a column has it, as JSON.
fn list(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
