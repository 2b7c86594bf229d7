//! Audit log events. Each organization's log is a hash chain.

use latchkey_domain::audit::{ActorKind, AuditAction, TargetKind};
use latchkey_domain::id::{AuditEventId, OrganizationId};
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditEventId,
    pub organization_id: OrganizationId,
    pub sequence: i64,
    pub at: Timestamp,
    pub actor_kind: ActorKind,
    pub actor_id: Option<String>,
    pub actor_name: String,
    pub action: AuditAction,
    pub target_kind: TargetKind,
    pub target_id: String,
    pub target_name: String,
    pub ip: Option<String>,
    pub changes: String,
    pub hash: Vec<u8>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
