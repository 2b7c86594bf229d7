//! Keys: digest and hint, never a secret.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub project_id: Uuid,
    pub application_id: Option<Uuid>,
    pub kind: String,
    pub environment: String,
    pub name: String,
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))")]
    pub digest: Vec<u8>,
    pub hint: String,
    pub created_by: Uuid,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub last_used_at: Option<i64>,
    pub last_used_ip: Option<String>,
    pub rpm: Option<i64>,
    pub tpm: Option<i64>,
    pub max_parallel: Option<i64>,
    pub token_limit: Option<i64>,
    pub token_limit_period: Option<String>,
    pub allowed_models: Option<String>,
    pub allowed_cidrs: Option<String>,
    pub permissions: Option<String>,
    pub archived_at: Option<i64>,
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))")]
    pub old_digest: Option<Vec<u8>>,
    pub old_hint: Option<String>,
    pub old_ends_at: Option<i64>,
    pub old_last_used_at: Option<i64>,
    pub search: String,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::project::Entity",
        from = "Column::ProjectId",
        to = "super::project::Column::Id"
    )]
    Project,
}

impl Related<super::project::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Project.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
