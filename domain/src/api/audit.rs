//! Rows of an audit log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::{ActorKind, AuditAction, TargetKind};
use crate::id::AuditEventId;
use crate::query::QueryText;
use crate::time::Timestamp;

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEvent {
    /// Its id.
    pub id: AuditEventId,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub actor: AuditActor,
    /// What was done.
    pub action: AuditAction,
    /// To what.
    pub target: AuditTarget,
    /// The address that it was done from.
    pub ip: Option<String>,
    /// The fields that changed; empty for what made or ended a thing without more to say. Never a
    /// secret.
    pub changes: BTreeMap<String, AuditChange>,
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditActor {
    /// A person, a service key or the system.
    pub kind: ActorKind,
    /// The person's or the key's id; null for the system.
    pub id: Option<String>,
    /// The person's login or the key's name at that time.
    pub name: String,
}

/// What was acted upon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditTarget {
    /// What kind of thing.
    pub kind: TargetKind,
    /// Its id.
    pub id: String,
    /// Its name at that time.
    pub name: String,
}

/// A field before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditChange {
    /// As it was; null: it was not set.
    pub before: Value,
    /// As it became; null: it is not set any more.
    pub after: Value,
}

/// Which rows of an audit log are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditFilter {
    /// Of this actor: an id (`usr_…`, `key_…`), a login, or `system`.
    #[serde(default, deserialize_with = "QueryText::given")]
    pub actor: Option<QueryText>,
    /// Of this action.
    pub action: Option<AuditAction>,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}
