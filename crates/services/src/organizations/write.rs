//! Creates, updates and deletes organizations.

use latchkey_domain::api::{Organization, OrganizationPatch, OrganizationRequest};
use latchkey_domain::audit::{AuditAction, TargetKind};
use latchkey_domain::budget::LevelLimits;
use latchkey_domain::id::{OrganizationId, ProjectId, UserId};
use latchkey_domain::name::Name;
use latchkey_domain::role::{Permission, Role};
use latchkey_domain::tier::{Plan, Tier, TierOverrides};
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set,
};

use super::limits::check_owned;
use super::lock::lock;
use crate::actor::{Actor, Person};
use crate::audit::{self, Changes, Event};
use crate::budget_states;
use crate::creates;
use crate::error::Error;
use crate::keys::{Idempotency, invalidation_of, revoke_where};
use crate::level_limits::{self, LevelPatch};
use crate::named_application::commit_deletion;
use crate::retry::retried;
use crate::scope::{self, AuthorizedWrite, OrganizationScope};
use crate::services::Services;
use latchkey_checker::{BudgetOwner, KeyInvalidation};
use latchkey_store::entity::{application, invitation, key, membership, organization, project};

/// Creates an empty organization on the free tier, owned by the actor.
///
/// # Errors
/// `Forbidden` for a service key, `LimitReached` if the actor already owns as many as a person may,
/// `Replay` and `IdempotencyMismatch`.
pub async fn create(
    services: &Services,
    actor: &Actor,
    request: OrganizationRequest,
    idempotency: Option<&Idempotency>,
) -> Result<Organization, Error> {
    retried(services, || create_once(services, actor, request.clone(), idempotency)).await
}

async fn create_once(
    services: &Services,
    actor: &Actor,
    request: OrganizationRequest,
    idempotency: Option<&Idempotency>,
) -> Result<Organization, Error> {
    let owner = actor.person()?.user();
    let AuthorizedWrite { transaction, by, .. } = scope::begin(services, actor).await?;
    creates::check(&transaction, actor, idempotency, services.clock.now()).await?;
    check_owned(&transaction, owner, "You own").await?;
    let made = insert(services, &transaction, owner, &request.name).await?;
    let id = made.id.to_string();
    creates::keep(&transaction, actor, idempotency, id, services.clock.now()).await?;
    audit::record(
        services,
        &transaction,
        made.id,
        &by,
        event(&made, AuditAction::OrganizationCreated),
    )
    .await?;
    transaction.commit().await?;
    Ok(made)
}

/// Audit event of a create or delete.
fn event(organization: &Organization, action: AuditAction) -> Event<'_> {
    Event {
        action,
        kind: TargetKind::Organization,
        id: organization.id.to_string(),
        name: &organization.name,
        changes: Changes::default(),
    }
}

pub(crate) async fn insert(
    services: &Services,
    database: &impl ConnectionTrait,
    owner: UserId,
    name: &Name,
) -> Result<Organization, Error> {
    let now = services.clock.now();
    let id = OrganizationId::new(now, services.random.bytes());
    let row = organization::ActiveModel {
        id: Set(id),
        name: Set(name.to_string()),
        tier: Set(Tier::Free),
        created_at: Set(now),
        deleted_at: Set(None),
        tier_overrides: Set(None),
        rpm: Set(None),
        tpm: Set(None),
        max_parallel: Set(None),
        budgets: Set(None),
    };
    organization::Entity::insert(row).exec_without_returning(database).await?;
    let owner = membership::ActiveModel {
        organization_id: Set(id),
        user_id: Set(owner),
        role: Set(Role::Owner),
        created_at: Set(now),
        invited_by: Set(None),
    };
    membership::Entity::insert(owner).exec_without_returning(database).await?;
    Ok(Organization {
        id,
        name: name.to_string(),
        tier: Tier::Free,
        role: Some(Role::Owner),
        rpm: None,
        tpm: None,
        max_parallel: None,
        budgets: Vec::new(),
        created_at: now,
    })
}

/// Renames an organization, limits its keys, changes its tier, or overrides limits of its tier.
/// When this returns, every check and every create applies the new values. A lower limit revokes
/// nothing; it only refuses new resources and calls.
///
/// # Errors
/// `NotFound` if the actor is not a member. `Forbidden`: owners and admins may rename and limit;
/// only instance administrators may change the tier and its overrides, in any organization.
pub async fn change(
    services: &Services,
    actor: &Actor,
    id: OrganizationId,
    patch: OrganizationPatch,
) -> Result<Organization, Error> {
    retried(services, || change_once(services, actor, id, patch.clone())).await
}

async fn change_once(
    services: &Services,
    actor: &Actor,
    id: OrganizationId,
    patch: OrganizationPatch,
) -> Result<Organization, Error> {
    let mut scope = may_change(services, actor, id, &patch).await?;
    let AuthorizedWrite { transaction, by, within: mut row } = match &mut scope {
        Some(scope) => scope.begin(services, actor).await?,
        None => begin_as_administrator(services, actor, id).await?,
    };
    let before = row.plan();
    let plan = patched(before, &patch);
    // Cached key records include the plan and the limits of their organization.
    let limits = LevelPatch::from(&patch);
    let changed = if plan != before {
        KeyInvalidation::All
    } else if limits.is_empty() {
        KeyInvalidation::keys([])
    } else {
        let projects = lock_projects(&transaction, id).await?;
        invalidation_of(&transaction, &projects, services.clock.now()).await?
    };
    let own_changes = apply(&mut row, patch, limits);
    row.tier = plan.tier;
    row.tier_overrides = (!plan.overrides.is_empty()).then_some(plan.overrides);
    let moved = Changes::default().field("tier", before.tier, plan.tier);
    let events = [
        (AuditAction::OrganizationChanged, own_changes),
        (AuditAction::TierChanged, moved),
        (AuditAction::LimitsChanged, override_changes(before.overrides, plan.overrides)),
    ];
    let row = row.into_active_model().reset_all().update(&transaction).await?;
    for (action, changes) in events.into_iter().filter(|(_, changes)| !changes.is_empty()) {
        let kind = TargetKind::Organization;
        let event = Event { action, kind, id: id.to_string(), name: &row.name, changes };
        audit::record(services, &transaction, id, &by, event).await?;
    }
    let own = membership::Entity::find_by_id((id, actor.author())).one(&transaction).await?;
    changed.commit_and_invalidate(&services.checker, transaction).await?;
    let LevelLimits { rpm, tpm, max_parallel, budgets } = row.limits();
    let owner = BudgetOwner::Organization(id);
    Ok(Organization {
        id,
        name: row.name,
        tier: plan.tier,
        role: own.map(|own| own.role),
        rpm,
        tpm,
        max_parallel,
        budgets: budget_states::of(services, owner, budgets, services.clock.now()).await?,
        created_at: row.created_at,
    })
}

/// Applies what owners and admins may change, and tells what changed.
fn apply(row: &mut organization::Model, patch: OrganizationPatch, limits: LevelPatch) -> Changes {
    let mut changes = Changes::default();
    if let Some(name) = patch.name {
        changes = changes.field("name", &row.name, &name);
        row.name = name.to_string();
    }
    let before = row.limits();
    let after = limits.apply(before.clone());
    changes = level_limits::add_changes(changes, &before, &after);
    let LevelLimits { rpm, tpm, max_parallel, budgets } = after;
    (row.rpm, row.tpm, row.max_parallel) = (rpm, tpm, max_parallel);
    row.budgets = (!budgets.is_empty()).then_some(budgets);
    changes
}

/// Checks who may apply which part of a patch. `None`: the actor is an instance administrator and
/// needs no membership.
async fn may_change(
    services: &Services,
    actor: &Actor,
    id: OrganizationId,
    patch: &OrganizationPatch,
) -> Result<Option<OrganizationScope>, Error> {
    // A service key is never an administrator, and gets the error that fits its tenant below.
    let administrator = actor.person().is_ok_and(Person::is_administrator);
    let plan = patch.tier.is_some() || patch.tier_overrides.is_some();
    let own = patch.name.is_some() || !LevelPatch::from(patch).is_empty();
    let mut scope = None;
    if !plan || own || !administrator {
        // A stranger gets `NotFound` here and so learns nothing about the organization.
        let needed = if plan && !own { Permission::Read } else { Permission::OrganizationWrite };
        scope = Some(scope::organization(services, actor, id, needed).await?);
    }
    if plan && !administrator {
        return Err(Error::Forbidden("Only administrators of this instance can change the plan."));
    }
    Ok(scope)
}

fn patched(before: Plan, patch: &OrganizationPatch) -> Plan {
    let overrides = match patch.tier_overrides {
        Some(Some(patch)) => patch.apply(before.overrides),
        Some(None) => TierOverrides::default(),
        None => before.overrides,
    };
    Plan { tier: patch.tier.unwrap_or(before.tier), overrides }
}

fn override_changes(before: TierOverrides, after: TierOverrides) -> Changes {
    Changes::default()
        .field("projects", before.projects, after.projects)
        .field("keys_per_project", before.keys_per_project, after.keys_per_project)
        .field("requests_per_month", before.requests_per_month, after.requests_per_month)
        .field("telemetry_days", before.telemetry_days, after.telemetry_days)
        .field("telemetry_bytes", before.telemetry_bytes, after.telemetry_bytes)
}

/// Without a scope, because an instance administrator need not be a member.
async fn begin_as_administrator(
    services: &Services,
    actor: &Actor,
    id: OrganizationId,
) -> Result<AuthorizedWrite<organization::Model>, Error> {
    let AuthorizedWrite { transaction, by, .. } = scope::begin(services, actor).await?;
    let within = lock(&transaction, id).await?;
    Ok(AuthorizedWrite { transaction, by, within })
}

/// Deletes an organization with its projects and applications, and revokes their keys, in one
/// transaction. When this returns, no check admits any of those keys.
///
/// # Errors
/// `NotFound` if the actor is not a member, `Forbidden` for everyone but owners.
pub async fn delete(services: &Services, actor: &Actor, id: OrganizationId) -> Result<(), Error> {
    retried(services, || delete_once(services, actor, id)).await
}

async fn delete_once(services: &Services, actor: &Actor, id: OrganizationId) -> Result<(), Error> {
    let permission = Permission::OrganizationDelete;
    let mut scope = scope::organization(services, actor, id, permission).await?;
    let AuthorizedWrite { transaction, by, within: row } =
        scope.begin_for_all(services, actor).await?;
    let now = services.clock.now();
    let projects = lock_projects(&transaction, id).await?;
    // A concurrent create of a key has either committed, and the key is revoked here, or it will
    // find no project.
    let of_these = key::Column::ProjectId.is_in(projects.iter().copied());
    let digests = revoke_where(&transaction, of_these, now).await?;
    application::Entity::update_many()
        .col_expr(application::Column::DeletedAt, Expr::value(now))
        .filter(application::Column::ProjectId.is_in(projects.iter().copied()))
        .filter(application::Column::DeletedAt.is_null())
        .exec(&transaction)
        .await?;
    project::Entity::update_many()
        .col_expr(project::Column::DeletedAt, Expr::value(now))
        .filter(project::Column::Id.is_in(projects.iter().copied()))
        .exec(&transaction)
        .await?;
    let mut deleted = row.clone().into_active_model();
    deleted.deleted_at = Set(Some(now));
    deleted.update(&transaction).await?;
    membership::Entity::delete_many()
        .filter(membership::Column::OrganizationId.eq(id))
        .exec(&transaction)
        .await?;
    invitation::Entity::delete_many()
        .filter(invitation::Column::OrganizationId.eq(id))
        .exec(&transaction)
        .await?;
    let changes = Changes::default()
        .set("projects_deleted", projects.len())
        .set("keys_revoked", digests.keys);
    let (action, kind) = (AuditAction::OrganizationDeleted, TargetKind::Organization);
    let event = Event { action, kind, id: id.to_string(), name: &row.name, changes };
    audit::record(services, &transaction, id, &by, event).await?;
    commit_deletion(services, KeyInvalidation::keys(digests.digests), transaction).await?;
    Ok(())
}

async fn lock_projects(
    transaction: &DatabaseTransaction,
    id: OrganizationId,
) -> Result<Vec<ProjectId>, Error> {
    Ok(project::Entity::find()
        .select_only()
        .column(project::Column::Id)
        .filter(project::Column::OrganizationId.eq(id))
        .filter(project::Column::DeletedAt.is_null())
        // Always in the same order, so that transactions that lock several projects can't deadlock.
        .order_by_asc(project::Column::Id)
        .lock(LockType::NoKeyUpdate)
        .into_tuple()
        .all(transaction)
        .await?)
}
