//! Responses of the Responses API that a project may refer to, and where they are stored.

use latchkey_domain::id::ProjectId;
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stored_responses")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: ProjectId,
    /// SHA-256 of the response's ID.
    #[sea_orm(primary_key, auto_increment = false, column_type = "VarBinary(StringLen::N(32))")]
    pub id: Vec<u8>,
    /// Name of the upstream. `None` if the sandbox has answered.
    pub upstream: Option<String>,
    /// The answer of the sandbox, as JSON.
    pub sandbox: Option<String>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
