//! Usage counters per key, resolution, start and outcome.

use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "key_usage")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: KeyId,
    pub project_id: ProjectId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub resolution: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub start: Timestamp,
    #[sea_orm(primary_key, auto_increment = false)]
    pub outcome: Outcome,
    pub requests: i64,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    pub estimated_tokens: i64,
    /// Dropped telemetry items.
    pub rejected_items: i64,
    pub cached_tokens: i64,
    /// Billionths of a dollar.
    pub cost: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
