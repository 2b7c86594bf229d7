//! What another system stores of an imported key.

use latchkey_domain::digest::KeyDigest;
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::import::Scheme;
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "imported_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: KeyId,
    pub project_id: ProjectId,
    /// Without the encoding: [`Scheme::canonical`].
    pub scheme: Scheme,
    /// Of what the other system stores, under the pepper. It stays when the key has moved.
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))")]
    pub foreign_digest: KeyDigest,
    /// The start of the key by which its slow hash is found.
    pub lookup: Option<String>,
    /// A slow hash or the secret of a HMAC, sealed under the pepper; null when the key has moved.
    pub sealed: Option<Vec<u8>>,
    /// When the key's digest became one of ours.
    pub moved_at: Option<Timestamp>,
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
