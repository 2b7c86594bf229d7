//! Log items.

use latchkey_domain::id::{ApplicationId, KeyId, LogItemId, ProjectId};
use latchkey_domain::key::Environment;
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "logs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LogItemId,
    pub application_id: ApplicationId,
    pub key_id: KeyId,
    pub environment: Environment,
    pub timestamp: Timestamp,
    pub received_at: Timestamp,
    pub trace_id: Option<String>,
    pub level: String,
    pub kind: String,
    pub message: String,
    pub client_timestamp: Option<Timestamp>,
    /// `None` for rows that are older than the size counter.
    pub project_id: Option<ProjectId>,
    pub bytes: i64,
    /// Nanoseconds beyond the millisecond of `timestamp`.
    pub nanos: i32,
    /// Digest of the whole item; `None` for rows from before 2026-11-29.
    pub fingerprint: Option<Uuid>,
    pub meta: Option<String>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
