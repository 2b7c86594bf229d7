//! Keys: digest and hint, never a secret.

use latchkey_domain::attribute::{ExternalId, Metadata, Tags};
use latchkey_domain::budget::{Budget, BudgetUnit, Budgets};
use latchkey_domain::digest::KeyDigest;
use latchkey_domain::hint::MaskedSecret;
use latchkey_domain::id::{ApplicationId, KeyId, ProjectId, UserId};
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::limit::{AllowList, Cidr, MaxParallel, ModelName, Period, Rpm, Tokens};
use latchkey_domain::permission::ServicePermission;
use latchkey_domain::scope::Scopes;
use latchkey_domain::time::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: KeyId,
    pub project_id: ProjectId,
    pub application_id: Option<ApplicationId>,
    pub kind: KeyKind,
    pub environment: Environment,
    pub name: String,
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))")]
    pub digest: KeyDigest,
    pub hint: MaskedSecret,
    pub created_by: UserId,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub last_used_ip: Option<String>,
    pub rpm: Option<Rpm>,
    pub tpm: Option<Tokens>,
    pub max_parallel: Option<MaxParallel>,
    /// The first budget in tokens, for nodes of the release before `budgets`.
    pub token_limit: Option<Tokens>,
    pub token_limit_period: Option<Period>,
    pub allowed_models: Option<AllowList<ModelName>>,
    pub allowed_cidrs: Option<AllowList<Cidr>>,
    pub permissions: Option<AllowList<ServicePermission>>,
    pub archived_at: Option<Timestamp>,
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))")]
    pub old_digest: Option<KeyDigest>,
    pub old_hint: Option<MaskedSecret>,
    pub old_ends_at: Option<Timestamp>,
    pub old_last_used_at: Option<Timestamp>,
    pub search: String,
    pub disabled: bool,
    pub external_id: Option<ExternalId>,
    /// Null if there is none, like the two lists below.
    pub metadata: Option<Metadata>,
    pub tags: Option<Tags>,
    pub scopes: Option<Scopes>,
    /// Null if there are none.
    pub budgets: Option<Budgets>,
    /// Fingerprint of the pepper that `digest` stands under; null for the first one of all.
    #[sea_orm(column_type = "VarBinary(StringLen::N(16))")]
    pub pepper: Option<Vec<u8>>,
    /// The same of `old_digest`.
    #[sea_orm(column_type = "VarBinary(StringLen::N(16))")]
    pub old_pepper: Option<Vec<u8>>,
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

impl Model {
    /// Budgets of the key. A node of the release before knows `token_limit` alone and may have
    /// changed it, so that column decides on the first budget in tokens.
    pub fn all_budgets(&self) -> Budgets {
        let listed = self.budgets.clone().unwrap_or_default();
        let flat = self.token_limit.zip(self.token_limit_period);
        if listed.token_limit() == flat {
            return listed;
        }
        let flat = flat.map(|(limit, period)| Budget::tokens(limit, period));
        let replaced = listed.first(BudgetUnit::Tokens);
        // Another budget of the same period gives way to the newer limit.
        let others = listed.as_slice().iter().copied().filter(|other| {
            Some(*other) != replaced && flat.is_none_or(|flat| flat.kind() != other.kind())
        });
        Budgets::of_any_number(flat.into_iter().chain(others))
    }
}

impl Related<super::project::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Project.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
