//! What was used of a budget, per period.

use latchkey_domain::budget::BudgetUnit;
use latchkey_domain::limit::Period;
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "budget_usage")]
pub struct Model {
    /// A key, a project or an organization.
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub unit: BudgetUnit,
    #[sea_orm(primary_key, auto_increment = false)]
    pub period: Period,
    #[sea_orm(primary_key, auto_increment = false)]
    pub starts_at: Timestamp,
    /// Requests, tokens or billionths of a dollar, what nodes have leased included.
    pub used: i64,
    /// The part of `used` that background responses have reserved.
    pub background: i64,
    /// Number of these responses.
    pub background_calls: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
