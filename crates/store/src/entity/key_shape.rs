//! What the imported keys of a project look like.

use latchkey_domain::id::{KeyShapeId, ProjectId, UserId};
use latchkey_domain::import::{Alphabet, KeyShape};
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "key_shapes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: KeyShapeId,
    pub project_id: ProjectId,
    pub prefix: String,
    pub min_length: i32,
    pub max_length: i32,
    pub alphabet: Alphabet,
    pub created_at: Timestamp,
    pub created_by: UserId,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl Model {
    /// The shape, unless the row holds one that is not accepted any more.
    pub fn shape(&self) -> Option<KeyShape> {
        let min_length = u16::try_from(self.min_length).ok()?;
        let max_length = u16::try_from(self.max_length).ok()?;
        KeyShape::new(&self.prefix, min_length, max_length, self.alphabet).ok()
    }
}

impl ActiveModelBehavior for ActiveModel {}
