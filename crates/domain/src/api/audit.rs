//! Events of an audit log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::{ActorKind, AuditAction, TargetKind};
use crate::id::AuditEventId;
use crate::query::QueryText;
use crate::time::Timestamp;

/// An event in an organization's audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEvent {
    /// ID of the event.
    pub id: AuditEventId,
    /// When the action was performed.
    pub at: Timestamp,
    /// Who performed the action.
    pub actor: AuditActor,
    /// Action that was performed.
    pub action: AuditAction,
    /// What the action was performed on.
    pub target: AuditTarget,
    /// IP address that the request came from.
    pub ip: Option<String>,
    /// Changed fields by name. Empty if the action changed no fields. Never contains secrets.
    pub changes: BTreeMap<String, AuditChange>,
}

/// The user, service key or system that performed an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditActor {
    /// Type of the actor.
    pub kind: ActorKind,
    /// ID of the user or service key; null for the system.
    pub id: Option<String>,
    /// The user's login or the key's name when the action was performed.
    pub name: String,
}

/// The resource that an action was performed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditTarget {
    /// Type of the resource.
    pub kind: TargetKind,
    /// ID of the resource.
    pub id: String,
    /// Name of the resource when the action was performed.
    pub name: String,
}

/// The value of a field before and after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditChange {
    /// Previous value; null if the field was not set.
    pub before: Value,
    /// New value; null if the field was cleared.
    pub after: Value,
}

/// Filters for an audit log. An event must match all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditFilter {
    /// Only events by this actor: an ID (`usr_…`, `key_…`), a login, or `system`.
    #[serde(default, deserialize_with = "QueryText::given")]
    pub actor: Option<QueryText>,
    /// Only events with this action.
    pub action: Option<AuditAction>,
    /// Only events at or after this time.
    pub from: Option<Timestamp>,
    /// Only events before this time.
    pub to: Option<Timestamp>,
}
