//! Organizations.

use latchkey_domain::budget::{Budgets, LevelLimits};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::limit::{MaxParallel, Rpm, Tokens};
use latchkey_domain::tier::{Plan, Tier, TierOverrides};
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "organizations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrganizationId,
    pub name: String,
    pub tier: Tier,
    pub created_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
    /// `None`: all limits are the tier's.
    pub tier_overrides: Option<TierOverrides>,
    pub rpm: Option<Rpm>,
    pub tpm: Option<Tokens>,
    pub max_parallel: Option<MaxParallel>,
    /// Null if there are none.
    pub budgets: Option<Budgets>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(has_many = "super::membership::Entity")]
    Membership,
    #[sea_orm(has_many = "super::project::Entity")]
    Project,
}

impl Related<super::membership::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Membership.def()
    }
}

impl Related<super::project::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Project.def()
    }
}

impl Model {
    /// What the organization may use.
    pub fn plan(&self) -> Plan {
        Plan::new(self.tier, self.tier_overrides)
    }

    /// Limits over all keys of the organization.
    pub fn limits(&self) -> LevelLimits {
        let budgets = self.budgets.clone().unwrap_or_default();
        LevelLimits { rpm: self.rpm, tpm: self.tpm, max_parallel: self.max_parallel, budgets }
    }
}

impl ActiveModelBehavior for ActiveModel {}
