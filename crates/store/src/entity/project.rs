//! Projects.

use latchkey_domain::api::KeyDefaults;
use latchkey_domain::budget::{Budgets, LevelLimits};
use latchkey_domain::id::{OrganizationId, ProjectId};
use latchkey_domain::limit::{MaxParallel, Rpm, Tokens};
use latchkey_domain::secret::KeyPrefix;
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "projects")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProjectId,
    pub organization_id: OrganizationId,
    pub name: String,
    pub key_prefix: KeyPrefix,
    pub created_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
    pub rpm: Option<Rpm>,
    pub tpm: Option<Tokens>,
    pub max_parallel: Option<MaxParallel>,
    /// Null if there are none.
    pub budgets: Option<Budgets>,
    pub key_defaults: Option<KeyDefaults>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::organization::Entity",
        from = "Column::OrganizationId",
        to = "super::organization::Column::Id"
    )]
    Organization,
    #[sea_orm(has_many = "super::application::Entity")]
    Application,
    #[sea_orm(has_many = "super::key::Entity")]
    Key,
}

impl Related<super::organization::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Organization.def()
    }
}

impl Related<super::application::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Application.def()
    }
}

impl Related<super::key::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Key.def()
    }
}

impl Model {
    /// Limits over all keys of the project.
    pub fn limits(&self) -> LevelLimits {
        let budgets = self.budgets.clone().unwrap_or_default();
        LevelLimits { rpm: self.rpm, tpm: self.tpm, max_parallel: self.max_parallel, budgets }
    }
}

impl ActiveModelBehavior for ActiveModel {}
