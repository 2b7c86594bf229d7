//! Budgets that have reached 80 or 100 per cent, once each in a period.

use latchkey_domain::budget::{BudgetUnit, LimitScope};
use latchkey_domain::id::{BudgetEventId, KeyId, OrganizationId, ProjectId};
use latchkey_domain::limit::Period;
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "budget_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: BudgetEventId,
    pub at: Timestamp,
    pub organization_id: OrganizationId,
    /// `None` for an organization's budget.
    pub project_id: Option<ProjectId>,
    /// `None` unless it is a key's budget.
    pub key_id: Option<KeyId>,
    pub scope: LimitScope,
    /// The key, project or organization.
    pub owner_id: Uuid,
    pub unit: BudgetUnit,
    pub period: Period,
    pub starts_at: Timestamp,
    pub percent: i64,
    pub limit: i64,
    pub used: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
