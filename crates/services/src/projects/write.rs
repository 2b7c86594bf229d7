//! Creates, updates and deletes projects.

use latchkey_domain::api::{KeyDefaults, Project, ProjectPatch, ProjectRequest};
use latchkey_domain::audit::{AuditAction, TargetKind};
use latchkey_domain::budget::LevelLimits;
use latchkey_domain::id::{OrganizationId, ProjectId};
use latchkey_domain::role::Permission;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, Set,
};

use crate::actor::Actor;
use crate::audit::{self, Changes, Event};
use crate::creates;
use crate::error::Error;
use crate::keys::{Idempotency, invalidation_of, revoke_where};
use crate::level_limits::{self, LevelPatch};
use crate::named_application::commit_deletion;
use crate::organizations;
use crate::retry::retried;
use crate::scope::{self, AuthorizedWrite};
use crate::services::Services;
use latchkey_checker::KeyInvalidation;
use latchkey_store::entity::{application, key, project, stored_response};

/// Creates a project in an organization.
///
/// # Errors
/// `NotFound` if the actor is not a member, `Forbidden` for viewers and members, `LimitReached`
/// beyond the plan, `Replay` and `IdempotencyMismatch`.
pub async fn create(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    request: ProjectRequest,
    idempotency: Option<&Idempotency>,
) -> Result<Project, Error> {
    retried(services, || create_once(services, actor, organization, request.clone(), idempotency))
        .await
}

async fn create_once(
    services: &Services,
    actor: &Actor,
    organization: OrganizationId,
    request: ProjectRequest,
    idempotency: Option<&Idempotency>,
) -> Result<Project, Error> {
    let permission = Permission::ProjectsWrite;
    let mut scope = scope::organization(services, actor, organization, permission).await?;
    // Locks the organization, so it can't be deleted before the project is inserted.
    let AuthorizedWrite { transaction, by, within } = scope.begin(services, actor).await?;
    let now = services.clock.now();
    creates::check(&transaction, actor, idempotency, now).await?;
    organizations::check_projects(&transaction, &within).await?;
    let id = insert(services, &transaction, scope.id(), &request).await?;
    creates::keep(&transaction, actor, idempotency, id.to_string(), now).await?;
    let changes = Changes::default().set("key_prefix", &request.key_prefix);
    let event = event(id, AuditAction::ProjectCreated, request.name.as_str(), changes);
    audit::record(services, &transaction, scope.id(), &by, event).await?;
    transaction.commit().await?;
    super::get(services, actor, id).await
}

pub(crate) async fn insert(
    services: &Services,
    database: &impl ConnectionTrait,
    organization: OrganizationId,
    request: &ProjectRequest,
) -> Result<ProjectId, Error> {
    let now = services.clock.now();
    let id = ProjectId::new(now, services.random.bytes());
    let row = project::ActiveModel {
        id: Set(id),
        organization_id: Set(organization),
        name: Set(request.name.to_string()),
        key_prefix: Set(request.key_prefix.clone()),
        created_at: Set(now),
        deleted_at: Set(None),
        rpm: Set(None),
        tpm: Set(None),
        max_parallel: Set(None),
        budgets: Set(None),
        key_defaults: Set(None),
    };
    project::Entity::insert(row).exec_without_returning(database).await?;
    Ok(id)
}

fn event(id: ProjectId, action: AuditAction, name: &str, changes: Changes) -> Event<'_> {
    Event { action, kind: TargetKind::Project, id: id.to_string(), name, changes }
}

/// Updates a project's name, key prefix, limits, or defaults of new keys. A new prefix and new
/// defaults leave existing keys as they are. When this returns, every check applies the new limits.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for viewers and members.
pub async fn change(
    services: &Services,
    actor: &Actor,
    id: ProjectId,
    patch: ProjectPatch,
) -> Result<Project, Error> {
    retried(services, || change_once(services, actor, id, patch.clone())).await
}

async fn change_once(
    services: &Services,
    actor: &Actor,
    id: ProjectId,
    patch: ProjectPatch,
) -> Result<Project, Error> {
    let mut scope = scope::project(services, actor, id, Permission::ProjectsWrite).await?;
    let AuthorizedWrite { transaction, by, within: mut row } = scope.begin(services, actor).await?;
    let limits = LevelPatch::from(&patch);
    // Cached key records include the limits of their project. They are invalidated even if a
    // concurrent request has just set the same ones: its invalidation may still be pending.
    let invalidation = if limits.is_empty() {
        KeyInvalidation::keys([])
    } else {
        invalidation_of(&transaction, &[id], services.clock.now()).await?
    };
    let changes = apply(&mut row, patch, limits);
    if !changes.is_empty() {
        let row = row.into_active_model().reset_all().update(&transaction).await?;
        let event = event(id, AuditAction::ProjectChanged, &row.name, changes);
        audit::record(services, &transaction, scope.organization(), &by, event).await?;
    }
    invalidation.commit_and_invalidate(&services.checker, transaction).await?;
    super::in_scope(services, &scope).await
}

/// Applies a patch to the row, and tells what changed.
fn apply(row: &mut project::Model, patch: ProjectPatch, limits: LevelPatch) -> Changes {
    let mut changes = Changes::default();
    if let Some(name) = patch.name {
        changes = changes.field("name", &row.name, &name);
        row.name = name.to_string();
    }
    if let Some(prefix) = patch.key_prefix {
        changes = changes.field("key_prefix", &row.key_prefix, &prefix);
        row.key_prefix = prefix;
    }
    let before = row.limits();
    let after = limits.apply(before.clone());
    changes = level_limits::add_changes(changes, &before, &after);
    let LevelLimits { rpm, tpm, max_parallel, budgets } = after;
    (row.rpm, row.tpm, row.max_parallel) = (rpm, tpm, max_parallel);
    row.budgets = (!budgets.is_empty()).then_some(budgets);
    if let Some(defaults) = patch.key_defaults {
        let before = row.key_defaults.take().unwrap_or_default();
        let after = defaults.unwrap_or_default();
        changes = add_default_changes(changes, &before, &after);
        row.key_defaults = (after != KeyDefaults::default()).then_some(after);
    }
    changes
}

fn add_default_changes(changes: Changes, before: &KeyDefaults, after: &KeyDefaults) -> Changes {
    changes
        .field("key_defaults.rpm", before.rpm, after.rpm)
        .field("key_defaults.tpm", before.tpm, after.tpm)
        .field("key_defaults.max_parallel", before.max_parallel, after.max_parallel)
        .budgets("key_defaults.budgets", &before.budgets, &after.budgets)
        .field("key_defaults.allowed_models", &before.allowed_models, &after.allowed_models)
        .field("key_defaults.allowed_cidrs", &before.allowed_cidrs, &after.allowed_cidrs)
}

/// Deletes a project with its applications, and revokes its keys, in one transaction. When this
/// returns, no check admits any of those keys.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for viewers and members.
pub async fn delete(services: &Services, actor: &Actor, id: ProjectId) -> Result<(), Error> {
    retried(services, || delete_once(services, actor, id)).await
}

async fn delete_once(services: &Services, actor: &Actor, id: ProjectId) -> Result<(), Error> {
    let mut scope = scope::project(services, actor, id, Permission::ProjectsWrite).await?;
    let AuthorizedWrite { transaction, by, within: row } = scope.begin(services, actor).await?;
    let now = services.clock.now();
    // A concurrent create of a key has either committed, and the key is revoked here, or it will
    // find no project.
    let revoked = revoke_where(&transaction, key::Column::ProjectId.eq(row.id), now).await?;
    application::Entity::update_many()
        .col_expr(application::Column::DeletedAt, Expr::value(now))
        .filter(application::Column::ProjectId.eq(row.id))
        .filter(application::Column::DeletedAt.is_null())
        .exec(&transaction)
        .await?;
    let mut deleted = row.clone().into_active_model();
    deleted.deleted_at = Set(Some(now));
    deleted.update(&transaction).await?;
    let changes = Changes::default().set("keys_revoked", revoked.keys);
    let event = event(id, AuditAction::ProjectDeleted, &row.name, changes);
    audit::record(services, &transaction, scope.organization(), &by, event).await?;
    commit_deletion(services, KeyInvalidation::keys(revoked.digests), transaction).await?;
    forget_responses(services, id).await;
    Ok(())
}

/// Deletes whose the responses of a deleted project are. They are in another database than the
/// project, and no key can ask for them any more: whatever is left expires.
async fn forget_responses(services: &Services, id: ProjectId) {
    let is_of_project = stored_response::Column::ProjectId.eq(id);
    let telemetry = services.database.telemetry();
    if let Err(error) = telemetry.delete_some::<stored_response::Entity>(is_of_project).await {
        tracing::warn!(%error, "Failed to delete a project’s stored responses; they will expire");
    }
}
