//! Verification: a backend asks whether a key that somebody presented to it may go on.

use latchkey_domain::api::{VerifiedKey, VerifyAnswer, VerifyRequest};
use latchkey_domain::outcome::Outcome;
use latchkey_domain::permission::ServicePermission;
use latchkey_domain::role::Permission;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::actor::{Actor, NOT_FOR_SERVICE_KEYS, Who};
use crate::check::{self, Asker, Call, Denial, Found, KeyRecord, LimitStates};
use crate::entity::application;
use crate::error::Error;
use crate::scope;
use crate::services::Services;

/// Checks a key for a caller, as one request of that key. A key of another project than the service
/// key's, or of one that the person can't see, is unknown to them.
///
/// # Errors
/// `Forbidden` for a viewer and a service key without `keys:verify`. What the key is refused for is
/// an answer, not an error.
pub async fn verify(
    services: &Services,
    actor: &Actor,
    request: &VerifyRequest,
) -> Result<VerifyAnswer, Error> {
    if let Who::ServiceKey(key) = &actor.who
        && !key.permits(ServicePermission::KeysVerify)
    {
        return Err(Error::Forbidden(NOT_FOR_SERVICE_KEYS));
    }
    let found = match check::find_for(services, Some(request.key.expose()), asker(actor)).await {
        Ok(found) => found,
        Err(denial) => return Ok(not_found(denial.outcome)),
    };
    if !may_know(services, actor, &found).await? {
        return Ok(not_found(Outcome::UnknownKey));
    }
    let call = Call {
        kind: None,
        application: request.application_id,
        elsewhere: names_foreign(services, found.key(), request).await?,
        ip: request.ip.map(|ip| ip.to_canonical()),
        model: request.model.as_deref(),
        cost: request.cost,
    };
    Ok(match check::admit(services, &found, call).await {
        Ok(limits) => {
            answer(found.key(), Outcome::Valid, Outcome::Valid.detail().to_owned(), limits)
        }
        Err(Denial { outcome, detail, limits, .. }) => answer(found.key(), outcome, detail, limits),
    })
}

fn asker(actor: &Actor) -> Asker {
    match &actor.who {
        Who::Person(person) => Asker::Person(person.user),
        Who::ServiceKey(key) => Asker::Organization(key.organization),
    }
}

async fn may_know(services: &Services, actor: &Actor, found: &Found) -> Result<bool, Error> {
    let project = found.key().project;
    if let Who::ServiceKey(key) = &actor.who {
        return Ok(key.project == project);
    }
    // Boxed, as what follows: a service key's call need not carry the states of asking the
    // database.
    match Box::pin(scope::project(services, actor, project, Permission::KeysVerify)).await {
        Ok(_) => Ok(true),
        Err(Error::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the call names an application of another project. Only a key for the whole project may
/// name any at all, so no other key takes this query.
async fn names_foreign(
    services: &Services,
    key: &KeyRecord,
    request: &VerifyRequest,
) -> Result<bool, Error> {
    let (None, Some(named)) = (key.application, request.application_id) else { return Ok(false) };
    let own = application::Entity::find_by_id(named.as_uuid())
        .filter(application::Column::ProjectId.eq(key.project.as_uuid()))
        .filter(application::Column::DeletedAt.is_null());
    let own = Box::pin(own.one(services.database.reader())).await?;
    Ok(own.is_none())
}

const fn not_found(code: Outcome) -> VerifyAnswer {
    VerifyAnswer { valid: false, code, key: None }
}

fn answer(key: &KeyRecord, code: Outcome, detail: String, limits: LimitStates) -> VerifyAnswer {
    VerifyAnswer {
        valid: code == Outcome::Valid,
        code,
        key: Some(VerifiedKey {
            detail,
            key_id: key.id,
            project_id: key.project,
            application_id: key.application,
            name: key.name.to_string(),
            environment: key.environment,
            expires_at: key.expires_at,
            ratelimit: limits.requests,
            budget: limits.budget,
        }),
    }
}
