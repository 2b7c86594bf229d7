//! Verification: a backend asks whether a key that was presented to it is valid.

use latchkey_domain::api::{BudgetState, VerifyAnswer, VerifyRequest};
use latchkey_domain::budget::BudgetUnit;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::permission::ServicePermission;
use latchkey_domain::role::Permission;

use crate::actor::{Actor, Who};
use crate::error::Error;
use crate::named_application::is_of_project;
use crate::scope;
use crate::services::Services;
use latchkey_checker::{CheckRequest, Denial, IdentifiedKey, KeyRecord, LookupCaller};
use latchkey_store::clock::whole_seconds;

/// Checks a key on behalf of the actor, as one request of that key. A key outside the service key's
/// project, or in a project that the person can't see, is reported as unknown.
///
/// # Errors
/// `Forbidden` for a viewer, `InsufficientScope` for a service key without `keys:verify`,
/// `TooManyFailures` for an imported key that is checked slowly and has had too many. A denial of
/// the checked key is a result, not an error.
pub async fn verify(
    services: &Services,
    actor: &Actor,
    request: &VerifyRequest,
) -> Result<VerifyAnswer, Error> {
    if let Who::ServiceKey(key) = &actor.who
        && !key.permits(ServicePermission::KeysVerify)
    {
        return Err(Error::InsufficientScope(ServicePermission::KeysVerify));
    }
    let mut identity =
        match services.checker.authenticate_for(Some(request.key.expose()), caller(actor)).await {
            Ok(identity) => identity,
            Err(latchkey_checker::Error::Denied(denial)) => {
                return Ok(VerifyAnswer::not_found(denial.outcome));
            }
            Err(full @ latchkey_checker::Error::TooManyFailures(_)) => return Err(full.into()),
        };
    if !may_see(services, actor, &mut identity).await? {
        return Ok(VerifyAnswer::not_found(Outcome::UnknownKey));
    }
    let call = CheckRequest {
        kind: None,
        application: request.application_id,
        elsewhere: is_elsewhere(services, actor, &mut identity, request).await?,
        ip: request.ip.map(|ip| ip.to_canonical()),
        model: request.model.as_deref(),
        scopes: request.scopes.as_ref(),
        cost: request.cost,
    };
    let came_to = match services.checker.admit(&identity, call).await {
        Ok(limits) => {
            let mut admitted = Denial::of(Outcome::Valid);
            admitted.limits = limits;
            admitted
        }
        Err(denial) => denial,
    };
    let key = identity.key();
    let budgets = services.checker.budget_states_after_call(key).await?;
    Ok(answer(key, came_to, budgets))
}

fn caller(actor: &Actor) -> LookupCaller {
    match &actor.who {
        Who::Person(person) => LookupCaller::Person(person.user),
        Who::ServiceKey(key) => LookupCaller::Organization(key.organization),
    }
}

async fn may_see(
    services: &Services,
    actor: &Actor,
    identity: &mut IdentifiedKey,
) -> Result<bool, Error> {
    let project = identity.key().project;
    if let Who::ServiceKey(key) = &actor.who {
        return Ok(key.project == project);
    }
    identity.mark_waited();
    // Boxed, like the query below, so that the future of a service key's request stays small.
    match Box::pin(scope::project(services, actor, project, Permission::KeysVerify)).await {
        Ok(_) => Ok(true),
        Err(Error::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the request names an application of another project. Only a key for the whole project
/// may name an application, so no other key costs this query.
async fn is_elsewhere(
    services: &Services,
    actor: &Actor,
    identity: &mut IdentifiedKey,
    request: &VerifyRequest,
) -> Result<bool, Error> {
    let (None, Some(named)) = (identity.key().application, request.application_id) else {
        return Ok(false);
    };
    Ok(!is_of_project(services, named, identity, caller(actor)).await?)
}

/// Converts an outcome of a check, `valid` included, to the response.
fn answer(key: &KeyRecord, came_to: Denial, budgets: Vec<BudgetState>) -> VerifyAnswer {
    let Denial { outcome, detail, limits, retry_after, limit, .. } = came_to;
    let tokens = budgets.iter().find(|state| state.unit == BudgetUnit::Tokens);
    let extended = key.extended();
    VerifyAnswer {
        valid: outcome == Outcome::Valid,
        detail: Some(detail),
        key_id: Some(key.id),
        project_id: Some(key.project),
        application_id: Some(key.application),
        name: Some(key.name.to_string()),
        environment: Some(key.environment),
        expires_at: Some(key.expires_at),
        retry_after_seconds: Some(retry_after.map(whole_seconds)),
        ratelimit: Some(limits.requests),
        tokens: Some(limits.tokens),
        budget: Some(tokens.map(BudgetState::as_token_budget)),
        budgets: Some(budgets),
        limit: Some(limit.map(|limit| *limit)),
        scopes: Some(extended.scopes.clone().unwrap_or_default()),
        external_id: Some(extended.external_id.clone()),
        metadata: Some(extended.metadata.clone().unwrap_or_default()),
        tags: Some(extended.tags.clone().unwrap_or_default()),
        ..VerifyAnswer::not_found(outcome)
    }
}
