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
    /// None of rows from before sizes were counted.
    pub project_id: Option<ProjectId>,
    pub bytes: i64,
    /// Beyond the millisecond of `timestamp`.
    pub nanos: i32,
    /// A digest of the whole item; none of rows from before 2026-11-29.
    pub fingerprint: Option<Uuid>,
    /// The span's kind, if it is one.
    pub kind: Option<String>,
    /// The span's status, if it has set one.
    pub status: Option<String>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
