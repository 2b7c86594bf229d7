//! Creates, updates and deletes applications.

use latchkey_domain::api::{Application, ApplicationPatch, ApplicationRequest};
use latchkey_domain::audit::{AuditAction, TargetKind};
use latchkey_domain::id::{ApplicationId, ProjectId};
use latchkey_domain::role::Permission;
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QuerySelect, Set,
};

use super::to_application;
use crate::actor::Actor;
use crate::audit::{self, Changes, Event};
use crate::creates;
use crate::error::Error;
use crate::keys::{Idempotency, revoke_where};
use crate::named_application::commit_deletion;
use crate::retry::retried;
use crate::scope::{self, ApplicationScope, AuthorizedWrite};
use crate::services::Services;
use latchkey_checker::KeyInvalidation;
use latchkey_store::entity::{application, key};

/// Creates an application in a project.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for viewers, `Replay` and
/// `IdempotencyMismatch`.
pub async fn create(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    request: ApplicationRequest,
    idempotency: Option<&Idempotency>,
) -> Result<Application, Error> {
    retried(services, || create_once(services, actor, project, request.clone(), idempotency)).await
}

async fn create_once(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    request: ApplicationRequest,
    idempotency: Option<&Idempotency>,
) -> Result<Application, Error> {
    let mut scope = scope::project(services, actor, project, Permission::ApplicationsWrite).await?;
    // Locks the project, so it can't be deleted before the application is inserted.
    let AuthorizedWrite { transaction, by, .. } = scope.begin(services, actor).await?;
    let now = services.clock.now();
    creates::check(&transaction, actor, idempotency, now).await?;
    let made = insert(services, &transaction, scope.id(), &request).await?;
    creates::keep(&transaction, actor, idempotency, made.id.to_string(), now).await?;
    let changes = Changes::default().set("environment", made.environment);
    let event = event(made.id, AuditAction::ApplicationCreated, &made.name, changes);
    audit::record(services, &transaction, scope.organization(), &by, event).await?;
    transaction.commit().await?;
    Ok(made)
}

pub(crate) async fn insert(
    services: &Services,
    database: &impl ConnectionTrait,
    project: ProjectId,
    request: &ApplicationRequest,
) -> Result<Application, Error> {
    let now = services.clock.now();
    let row = application::ActiveModel {
        id: Set(ApplicationId::new(now, services.random.bytes())),
        project_id: Set(project),
        name: Set(request.name.to_string()),
        description: Set(request.description.as_str().to_owned()),
        environment: Set(request.environment),
        created_at: Set(now),
        deleted_at: Set(None),
        purged_at: Set(None),
    };
    Ok(to_application(row.insert(database).await?))
}

fn event(id: ApplicationId, action: AuditAction, name: &str, changes: Changes) -> Event<'_> {
    Event { action, kind: TargetKind::Application, id: id.to_string(), name, changes }
}

/// Updates an application's name, description or environment.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for viewers.
pub async fn change(
    services: &Services,
    actor: &Actor,
    id: ApplicationId,
    patch: ApplicationPatch,
) -> Result<Application, Error> {
    retried(services, || change_once(services, actor, id, patch.clone())).await
}

async fn change_once(
    services: &Services,
    actor: &Actor,
    id: ApplicationId,
    patch: ApplicationPatch,
) -> Result<Application, Error> {
    let mut scope = scope::application(services, actor, id, Permission::ApplicationsWrite).await?;
    let AuthorizedWrite { transaction, by, .. } = scope.begin(services, actor).await?;
    let mut row = lock(&transaction, &scope).await?;
    let mut changes = Changes::default();
    if let Some(name) = patch.name {
        changes = changes.field("name", &row.name, &name);
        row.name = name.to_string();
    }
    if let Some(description) = patch.description {
        changes = changes.field("description", &row.description, &description);
        description.as_str().clone_into(&mut row.description);
    }
    if let Some(environment) = patch.environment {
        changes = changes.field("environment", row.environment, environment);
        row.environment = environment;
    }
    if changes.is_empty() {
        return Ok(to_application(row));
    }
    let row = row.into_active_model().reset_all().update(&transaction).await?;
    let event = event(id, AuditAction::ApplicationChanged, &row.name, changes);
    let organization = scope.project().organization();
    audit::record(services, &transaction, organization, &by, event).await?;
    transaction.commit().await?;
    Ok(to_application(row))
}

/// Deletes an application and revokes the keys that are restricted to it, in one transaction. When
/// this returns, no check admits those keys. Its telemetry is deleted soon after.
///
/// # Errors
/// `NotFound` if the actor has no access, `Forbidden` for viewers.
pub async fn delete(services: &Services, actor: &Actor, id: ApplicationId) -> Result<(), Error> {
    retried(services, || delete_once(services, actor, id)).await
}

async fn delete_once(services: &Services, actor: &Actor, id: ApplicationId) -> Result<(), Error> {
    let mut scope = scope::application(services, actor, id, Permission::ApplicationsWrite).await?;
    // Locks the project too, because keys are created under its lock.
    let AuthorizedWrite { transaction, by, .. } = scope.begin(services, actor).await?;
    let row = lock(&transaction, &scope).await?;
    let now = services.clock.now();
    let revoked = revoke_where(&transaction, key::Column::ApplicationId.eq(row.id), now).await?;
    let mut deleted = row.clone().into_active_model();
    deleted.deleted_at = Set(Some(now));
    deleted.update(&transaction).await?;
    let changes = Changes::default().set("keys_revoked", revoked.keys);
    let event = event(id, AuditAction::ApplicationDeleted, &row.name, changes);
    let organization = scope.project().organization();
    audit::record(services, &transaction, organization, &by, event).await?;
    commit_deletion(services, KeyInvalidation::keys(revoked.digests), transaction).await?;
    Ok(())
}

async fn lock(
    transaction: &impl ConnectionTrait,
    scope: &ApplicationScope,
) -> Result<application::Model, Error> {
    application::Entity::find_by_id(scope.id())
        .filter(application::Column::ProjectId.eq(scope.project().id()))
        .filter(application::Column::DeletedAt.is_null())
        .lock(LockType::NoKeyUpdate)
        .one(transaction)
        .await?
        .ok_or(Error::NotFound)
}
