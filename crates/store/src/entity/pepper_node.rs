//! Running nodes, and the peppers that each has.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "pepper_nodes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Fingerprint of the node's pepper.
    #[sea_orm(column_type = "VarBinary(StringLen::N(16))")]
    pub current: Vec<u8>,
    /// Fingerprint of the pepper that it replaces, if the node has it.
    #[sea_orm(column_type = "VarBinary(StringLen::N(16))")]
    pub retired: Option<Vec<u8>>,
    pub beats: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
