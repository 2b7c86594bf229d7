//! The latest denied calls of each key.

use latchkey_domain::id::{DenialId, KeyId, ProjectId};
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "denials")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DenialId,
    pub key_id: KeyId,
    pub project_id: ProjectId,
    pub kind: KeyKind,
    pub environment: Environment,
    pub at: Timestamp,
    pub outcome: Outcome,
    pub detail: String,
    pub ip: Option<String>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
