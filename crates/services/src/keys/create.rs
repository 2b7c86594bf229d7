//! Creates keys.

use latchkey_domain::api::{ApplicationKeyRequest, CreatedKey, KeyRequest};
use latchkey_domain::audit::AuditAction;
use latchkey_domain::id::{ApplicationId, KeyId, ProjectId};
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::name::Name;
use latchkey_domain::role::Permission;
use latchkey_domain::secret::{KeyHint, SecretKey};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set};

use super::attributes::store_tags;
use super::defaults::NewKeyLimits;
use super::events;
use super::idempotency::{self, Idempotency};
use super::limits::{check_name, check_request, check_tier};
use super::row::{self, search_text, to_api_key, unused};
use super::to_write;
use crate::actor::Actor;
use crate::error::Error;
use crate::retry::retried;
use crate::scope::{self, AuthorizedWrite, ProjectScope};
use crate::services::Services;
use latchkey_checker::KeyInvalidation;
use latchkey_store::entity::{application, key};

/// Creates a key in a project. The response holds the only copy of its secret.
///
/// # Errors
/// `NotFound` if the actor has no access or the application is not in the project, `Forbidden` for
/// a viewer, `Invalid`, `NameTaken`, `IdempotencyReplay` and `IdempotencyMismatch`, and
/// `TierLimitReached` if the project is at its tier's limit of active keys, concurrent creates
/// included.
pub async fn create(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    request: KeyRequest,
    idempotency: Option<&Idempotency>,
) -> Result<CreatedKey, Error> {
    retried(services, || create_once(services, actor, project, request.clone(), idempotency)).await
}

async fn create_once(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    request: KeyRequest,
    idempotency: Option<&Idempotency>,
) -> Result<CreatedKey, Error> {
    let permission = to_write(request.kind);
    let mut scope = match request.application_id {
        Some(application) => {
            let scope = scope::application(services, actor, application, permission).await?;
            if scope.project().id() != project {
                return Err(Error::NotFound);
            }
            scope.project().clone()
        }
        None => scope::project(services, actor, project, permission).await?,
    };
    check_request(&request, services.clock.now())?;
    insert(services, actor, &mut scope, KeySpec::Named(Box::new(request)), idempotency).await
}

/// Creates an API key for one application. The response holds the only copy of its secret.
///
/// # Errors
/// As [`create`].
pub async fn create_for_application(
    services: &Services,
    actor: &Actor,
    application: ApplicationId,
    request: ApplicationKeyRequest,
    idempotency: Option<&Idempotency>,
) -> Result<CreatedKey, Error> {
    retried(services, || {
        create_for_application_once(services, actor, application, request.clone(), idempotency)
    })
    .await
}

async fn create_for_application_once(
    services: &Services,
    actor: &Actor,
    application: ApplicationId,
    request: ApplicationKeyRequest,
    idempotency: Option<&Idempotency>,
) -> Result<CreatedKey, Error> {
    let mut scope = scope::application(services, actor, application, Permission::KeysWrite).await?;
    let ApplicationKeyRequest { name, environment } = request;
    let wanted = match name {
        Some(name) => KeySpec::Named(Box::new(KeyRequest {
            environment,
            application_id: Some(application),
            ..KeyRequest::new(name, KeyKind::Api)
        })),
        None => KeySpec::Nameless(application, environment),
    };
    insert(services, actor, scope.project_mut(), wanted, idempotency).await
}

/// Specification of a new key.
enum KeySpec {
    Named(Box<KeyRequest>),
    /// Clients of Upblit send no name.
    Nameless(ApplicationId, Environment),
}

async fn insert(
    services: &Services,
    actor: &Actor,
    scope: &mut ProjectScope,
    wanted: KeySpec,
    idempotency: Option<&Idempotency>,
) -> Result<CreatedKey, Error> {
    let AuthorizedWrite { transaction, by, within: project } = scope.begin(services, actor).await?;
    let now = services.clock.now();
    idempotency::check(&transaction, actor, idempotency, now).await?;
    let environment = match &wanted {
        KeySpec::Named(request) => request.environment,
        KeySpec::Nameless(_, environment) => *environment,
    };
    let secret = new_secret(services, scope, environment);
    let hint = secret.hint();
    let request = match wanted {
        KeySpec::Named(request) => *request,
        KeySpec::Nameless(application, environment) => KeyRequest {
            environment,
            application_id: Some(application),
            ..KeyRequest::new(default_name(&transaction, application, &hint).await?, KeyKind::Api)
        },
    };
    if let Some(application) = request.application_id {
        ensure_exists(&transaction, application).await?;
    }
    check_name(&transaction, project.id, request.kind, request.name.as_str(), None).await?;
    if request.kind != KeyKind::Service {
        check_tier(services, &transaction, &project).await?;
    }
    let limits = NewKeyLimits::new(&request, project.key_defaults)?;
    let id = KeyId::new(now, services.random.bytes());
    let pepper = services.checker.pepper();
    let row = key::ActiveModel {
        id: Set(id),
        project_id: Set(project.id),
        application_id: Set(request.application_id),
        kind: Set(request.kind),
        environment: Set(environment),
        search: Set(search_text(id, request.name.as_str(), &hint)),
        name: Set(request.name.to_string()),
        digest: Set(pepper.digest(secret.expose())),
        pepper: Set(Some(pepper.id().to_vec())),
        old_pepper: Set(None),
        hint: Set(hint.into()),
        created_by: Set(actor.author()),
        created_at: Set(now),
        expires_at: Set(request.expires_at),
        permissions: Set(request.permissions),
        revoked_at: Set(None),
        last_used_at: Set(None),
        last_used_ip: Set(None),
        archived_at: Set(None),
        old_digest: Set(None),
        old_hint: Set(None),
        old_ends_at: Set(None),
        old_last_used_at: Set(None),
        disabled: Set(request.disabled),
        external_id: Set(request.external_id),
        metadata: Set(request.metadata.filter(|metadata| !metadata.is_empty())),
        tags: Set(request.tags.filter(|tags| !tags.is_empty())),
        scopes: Set(request.scopes.filter(|scopes| !scopes.is_empty())),
        ..limits.into_columns()
    };
    let row = row.insert(&transaction).await?;
    store_tags(&transaction, None, &row).await?;
    idempotency::keep(&transaction, actor, idempotency, id, now).await?;
    let (action, changes) = (AuditAction::KeyCreated, events::of_new(&row));
    events::record(services, &transaction, scope, &by, action, &row, changes).await?;
    // The secret may be cached as unknown, if somebody guessed or mistyped it before.
    KeyInvalidation::keys(row::digests(&row))
        .commit_and_invalidate(&services.checker, transaction)
        .await?;
    let states = unused(&row.all_budgets(), now);
    Ok(CreatedKey { key: secret.into(), api_key: to_api_key(row, states, now) })
}

/// Checks that the application exists. Deleting an application locks its project first, so it stays
/// until this transaction ends.
async fn ensure_exists(database: &impl ConnectionTrait, id: ApplicationId) -> Result<(), Error> {
    application::Entity::find_by_id(id)
        .filter(application::Column::DeletedAt.is_null())
        .one(database)
        .await?
        .map(|_| ())
        .ok_or(Error::NotFound)
}

/// Generates a new secret.
pub(super) fn new_secret(
    services: &Services,
    scope: &ProjectScope,
    environment: Environment,
) -> SecretKey {
    SecretKey::generate(scope.key_prefix(), environment, |buffer| services.random.fill(buffer))
}

/// Default name for clients of Upblit, which send none: the application's name and the visible
/// characters of the key, so that the key differs from its neighbours and matches its masked form.
async fn default_name(
    database: &impl ConnectionTrait,
    id: ApplicationId,
    hint: &KeyHint,
) -> Result<Name, Error> {
    let application =
        application::Entity::find_by_id(id).one(database).await?.ok_or(Error::NotFound)?;
    let stem: String = application.name.chars().take(Name::MAX_CHARACTERS - 10).collect();
    format!("{stem} {}{}", hint.first, hint.last)
        .parse()
        .map_err(|_| Error::corrupt("application name"))
}
