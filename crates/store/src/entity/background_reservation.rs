//! What a background response has reserved of each budget.

use latchkey_domain::budget::{BudgetUnit, LimitScope};
use latchkey_domain::id::ProjectId;
use latchkey_domain::limit::Period;
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "background_reservations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: ProjectId,
    /// SHA-256 of the response's ID.
    #[sea_orm(primary_key, auto_increment = false, column_type = "VarBinary(StringLen::N(32))")]
    pub response_id: Vec<u8>,
    pub scope: LimitScope,
    /// The key, project or organization.
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub unit: BudgetUnit,
    #[sea_orm(primary_key, auto_increment = false)]
    pub period: Period,
    /// Start of the period in which it was reserved.
    pub starts_at: Timestamp,
    /// Tokens or billionths of a dollar.
    pub amount: i64,
    /// The limit when it was reserved.
    pub limit: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
