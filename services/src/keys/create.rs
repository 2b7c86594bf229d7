//! Making a key.

use latchkey_domain::api::{ApplicationKeyRequest, CreatedKey};
use latchkey_domain::id::{ApplicationId, KeyId};
use latchkey_domain::key::KeyKind;
use latchkey_domain::name::KeyName;
use latchkey_domain::role::Permission;
use latchkey_domain::secret::{KeyHint, SecretKey};
use latchkey_domain::tier::Tier;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QuerySelect, Set,
};

use super::{count_active, to_api_key};
use crate::actor::Actor;
use crate::entity::{application, key, organization, project};
use crate::error::Error;
use crate::scope::{self, ProjectScope};
use crate::services::Services;

/// Makes an API key for one application. The answer holds the only copy of its secret.
///
/// # Errors
/// `NotFound` for a stranger, `Forbidden` for a viewer, `NameTaken`, and `TierLimitReached` when the project
/// has as many active keys as its tier allows, whatever else is being made at the same time.
pub async fn create_for_application(
    services: &Services,
    actor: &Actor,
    application: ApplicationId,
    request: ApplicationKeyRequest,
) -> Result<CreatedKey, Error> {
    let scope = scope::application(services, actor, application, Permission::KeysWrite).await?;
    let project = scope.project();
    let environment = request.environment;
    let secret = SecretKey::generate(project.key_prefix(), environment, |buffer| {
        services.random.fill(buffer);
    });
    let hint = secret.hint();
    let transaction = services.database.begin().await?;
    check_tier(services, &transaction, project).await?;
    let name = match request.name {
        Some(name) => name,
        None => default_name(&transaction, application, &hint).await?,
    };
    check_name(&transaction, project, KeyKind::Api, &name).await?;
    let now = services.clock.now();
    let row = key::ActiveModel {
        id: Set(KeyId::new(now, services.random.bytes()).as_uuid()),
        project_id: Set(project.id().as_uuid()),
        application_id: Set(Some(application.as_uuid())),
        kind: Set(KeyKind::Api.as_str().to_owned()),
        environment: Set(environment.as_str().to_owned()),
        name: Set(name.to_string()),
        digest: Set(services.settings.pepper.digest(secret.expose()).as_bytes().to_vec()),
        hint: Set(hint.to_string()),
        created_by: Set(actor.user().as_uuid()),
        created_at: Set(now.as_millis()),
        expires_at: Set(None),
        revoked_at: Set(None),
        last_used_at: Set(None),
        last_used_ip: Set(None),
    };
    let row = row.insert(&transaction).await?;
    transaction.commit().await?;
    Ok(CreatedKey { key: secret.into(), api_key: to_api_key(row, now)? })
}

/// Refuses a key beyond the tier. Locks the project first, so that of several creates at once each counts
/// what the one before it made (SQLite has a single writer anyway).
async fn check_tier(
    services: &Services,
    database: &impl ConnectionTrait,
    scope: &ProjectScope,
) -> Result<(), Error> {
    let id = scope.id().as_uuid();
    let project = project::Entity::find_by_id(id)
        .lock_exclusive()
        .one(database)
        .await?
        .ok_or(Error::NotFound)?;
    let organization = organization::Entity::find_by_id(project.organization_id)
        .one(database)
        .await?
        .ok_or(Error::NotFound)?;
    let tier = Tier::from_name(&organization.tier).ok_or(Error::Corrupt("tier"))?;
    let Some(limit) = tier.keys_per_project() else { return Ok(()) };
    let used = count_active(services, database, &[id]).await?.get(&id).copied().unwrap_or_default();
    if used < u64::from(limit) {
        Ok(())
    } else {
        Err(Error::TierLimitReached { tier, limit, used })
    }
}

/// Names are unique among a project's keys of one kind that are not revoked. The project is locked by now.
async fn check_name(
    database: &impl ConnectionTrait,
    scope: &ProjectScope,
    kind: KeyKind,
    name: &KeyName,
) -> Result<(), Error> {
    let namesakes = key::Entity::find()
        .filter(key::Column::ProjectId.eq(scope.id().as_uuid()))
        .filter(key::Column::Kind.eq(kind.as_str()))
        .filter(key::Column::Name.eq(name.as_str()))
        .filter(key::Column::RevokedAt.is_null())
        .count(database)
        .await?;
    if namesakes == 0 { Ok(()) } else { Err(Error::NameTaken(name.to_string())) }
}

/// Upblit's clients send no name: theirs is the application's with what stays visible of the key, so that
/// it is told from its neighbours and from its masked form at once.
async fn default_name(
    database: &impl ConnectionTrait,
    id: ApplicationId,
    hint: &KeyHint,
) -> Result<KeyName, Error> {
    let application = application::Entity::find_by_id(id.as_uuid())
        .one(database)
        .await?
        .ok_or(Error::NotFound)?;
    let stem: String = application.name.chars().take(KeyName::MAX_CHARACTERS - 10).collect();
    format!("{stem} {}{}", hint.first, hint.last)
        .parse()
        .map_err(|_| Error::Corrupt("application name"))
}
