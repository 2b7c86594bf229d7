//! Trace items.

use latchkey_domain::id::{ApplicationId, KeyId, ProjectId, TraceItemId};
use latchkey_domain::key::Environment;
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "traces")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TraceItemId,
    pub application_id: ApplicationId,
    pub key_id: KeyId,
    pub environment: Environment,
    pub timestamp: Timestamp,
    pub received_at: Timestamp,
    pub request_method: String,
    pub request_url: String,
    pub response_status: i32,
    pub trace_id: String,
    pub span_id: String,
    pub parent_span_id: Option<String>,
    pub duration_ms: f64,
    pub meta: Option<String>,
    /// `None` for rows that are older than the size counter.
    pub project_id: Option<ProjectId>,
    pub bytes: i64,
    /// Nanoseconds beyond the millisecond of `timestamp`.
    pub nanos: i32,
    /// Digest of the whole item; `None` for rows from before 2026-11-29.
    pub fingerprint: Option<Uuid>,
    /// Kind of the span; `None` if the item is not a span.
    pub kind: Option<String>,
    /// Status of the span, if set.
    pub status: Option<String>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
