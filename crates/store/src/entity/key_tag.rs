//! Tags of keys, to find keys by. A key's row has them too, in their order.

use latchkey_domain::attribute::Tag;
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "key_tags")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: KeyId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub tag: Tag,
    pub project_id: ProjectId,
    /// When the key was created.
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::key::Entity",
        from = "Column::KeyId",
        to = "super::key::Column::Id"
    )]
    Key,
}

impl Related<super::key::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Key.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
