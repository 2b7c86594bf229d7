//! Projects, which own keys.

mod lock;
mod write;

pub(crate) use lock::lock;
pub(crate) use write::insert;
pub use write::{change, create, delete};

use latchkey_checker::BudgetOwner;
use latchkey_domain::api::{BudgetState, KeyDefaults, Page, Project};
use latchkey_domain::budget::Budgets;
use latchkey_domain::id::{OrganizationId, ProjectId};
use latchkey_domain::limit::{MaxParallel, Rpm, Tokens};
use latchkey_domain::role::Permission;
use latchkey_domain::secret::KeyPrefix;
use latchkey_domain::tier::{Plan, Tier, TierOverrides};
use latchkey_domain::time::Timestamp;
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationTrait, Select,
};

use crate::actor::Actor;
use crate::budget_states;
use crate::error::Error;
use crate::keys::count_active;
use crate::page::{PageRequest, id_cursor};
use crate::scope;
use crate::services::Services;
use latchkey_store::entity::{organization, project};

#[derive(FromQueryResult)]
struct ProjectListRow {
    id: ProjectId,
    organization_id: OrganizationId,
    name: String,
    key_prefix: KeyPrefix,
    created_at: Timestamp,
    tier: Tier,
    tier_overrides: Option<TierOverrides>,
    rpm: Option<Rpm>,
    tpm: Option<Tokens>,
    max_parallel: Option<MaxParallel>,
    budgets: Option<Budgets>,
    key_defaults: Option<KeyDefaults>,
}

impl ProjectListRow {
    fn budgets(&self) -> (BudgetOwner, Budgets) {
        (BudgetOwner::Project(self.id), self.budgets.clone().unwrap_or_default())
    }
}

/// The projects of an organization, newest first.
///
/// # Errors
/// `NotFound` if the actor is not a member, `Invalid` for a malformed cursor.
pub async fn list(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    page: PageRequest,
) -> Result<Page<Project>, Error> {
    let scope = scope::organization(services, actor, organization, Permission::Read).await?;
    let mut query = with_tier()
        .filter(project::Column::OrganizationId.eq(scope.id()))
        .filter(project::Column::DeletedAt.is_null())
        .order_by_desc(project::Column::Id)
        .limit(page.rows());
    if let Some(after) = page.after_id::<ProjectId>()? {
        query = query.filter(project::Column::Id.lt(after));
    }
    let rows = query.into_model::<ProjectListRow>().all(services.database.reader()).await?;
    let rows = page.page(rows, |last| id_cursor(last.id));
    let ids: Vec<_> = rows.data.iter().map(|row| row.id).collect();
    let used = count_active(services, services.database.reader(), &ids).await?;
    let budgets = rows.data.iter().map(ProjectListRow::budgets).collect();
    let mut states = budget_states::of_all(services, budgets, services.clock.now()).await?;
    Ok(rows.map(|row| {
        let used = used.get(&row.id).copied().unwrap_or_default();
        let states = states.remove(&BudgetOwner::Project(row.id)).unwrap_or_default();
        to_project(row, used, states)
    }))
}

/// One project.
///
/// # Errors
/// `NotFound` if the actor has no access.
pub async fn get(services: &Services, actor: &Actor, id: ProjectId) -> Result<Project, Error> {
    let scope = scope::project(services, actor, id, Permission::Read).await?;
    in_scope(services, &scope).await
}

/// The project of a scope.
pub(crate) async fn in_scope(
    services: &Services,
    scope: &scope::ProjectScope,
) -> Result<Project, Error> {
    let id = scope.id();
    let row = with_tier()
        .filter(project::Column::Id.eq(id))
        .into_model::<ProjectListRow>()
        .one(services.database.reader())
        .await?
        .ok_or(Error::NotFound)?;
    let used = count_active(services, services.database.reader(), &[id]).await?;
    let (owner, budgets) = row.budgets();
    let states = budget_states::of(services, owner, budgets, services.clock.now()).await?;
    Ok(to_project(row, used.get(&id).copied().unwrap_or_default(), states))
}

fn with_tier() -> Select<project::Entity> {
    project::Entity::find()
        .column(organization::Column::Tier)
        .column(organization::Column::TierOverrides)
        .join(JoinType::InnerJoin, project::Relation::Organization.def())
}

fn to_project(row: ProjectListRow, keys_used: u64, budgets: Vec<BudgetState>) -> Project {
    let plan = Plan::new(row.tier, row.tier_overrides);
    Project {
        id: row.id,
        organization_id: row.organization_id,
        name: row.name,
        key_prefix: row.key_prefix.to_string(),
        tier: plan.tier,
        keys_used,
        keys_limit: plan.limits().keys_per_project,
        rpm: row.rpm,
        tpm: row.tpm,
        max_parallel: row.max_parallel,
        budgets,
        key_defaults: row.key_defaults.unwrap_or_default(),
        created_at: row.created_at,
    }
}
