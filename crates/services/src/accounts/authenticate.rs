//! Resolves a bearer token to an actor.

use std::net::IpAddr;

use latchkey_domain::api::Me;
use latchkey_domain::id::{SessionId, UserId};
use latchkey_domain::key::KeyKind;
use latchkey_domain::secret::PresentedKey;
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QuerySelect, RelationTrait,
};

use super::administrator_logins::is_administrator;
use super::session_state::{is_active, is_allowed};
use crate::actor::{Actor, Person, ServiceKey, Who};
use crate::error::Error;
use crate::organizations;
use crate::services::Services;
use latchkey_checker::{CheckRequest, LookupCaller};
use latchkey_store::database::primary;
use latchkey_store::entity::{session, user};

/// Authenticates a request: a person by an access token, or a backend by a service key. The session
/// is read on every request, so that ending it also invalidates its unexpired access tokens.
///
/// # Errors
/// `Unauthenticated` without a token, or with one that is invalid or expired or whose session has
/// ended; `Denied` for a key that the check refuses; `TooManyFailures` after too many of those.
pub async fn authenticate(
    services: &Services,
    bearer: Option<&str>,
    ip: Option<IpAddr>,
) -> Result<Actor, Error> {
    if bearer.is_some_and(|text| is_key(services, text)) {
        let admission = services.checker.check(bearer, by_service_key(ip)).await?;
        let key = ServiceKey { record: admission.key, seen: admission.seen };
        return Ok(Actor { who: Who::ServiceKey(key), ip });
    }
    // Boxed, so that the future of a service key's request stays small.
    let who = Who::Person(Box::pin(person(services, bearer)).await?);
    Ok(Actor { who, ip })
}

/// Whether a bearer token is a key: one of ours, or a text like an imported one that is no access
/// token.
fn is_key(services: &Services, text: &str) -> bool {
    PresentedKey::parse(text).is_ok()
        || services.checker.has_foreign_shape(text)
            && services.signer.verify_signature(text).is_none()
}

/// Checks that an actor is still authorized after the request's body has arrived: the client may
/// have held it back until the server's timeout. The request is not counted again.
///
/// # Errors
/// As [`authenticate`].
pub async fn confirm(services: &Services, actor: &Actor) -> Result<(), Error> {
    match &actor.who {
        Who::ServiceKey(key) => {
            let call = by_service_key(actor.ip);
            Ok(services.checker.confirm(&key.record, &key.seen, call).await?)
        }
        Who::Person(person) => {
            Box::pin(signed_in(services, person.user, person.session)).await.map(|_| ())
        }
    }
}

fn by_service_key(ip: Option<IpAddr>) -> CheckRequest<'static> {
    CheckRequest { kind: Some(KeyKind::Service), ip, ..CheckRequest::default() }
}

async fn person(services: &Services, bearer: Option<&str>) -> Result<Person, Error> {
    let bearer = bearer
        .and_then(|token| services.signer.verify(token, services.clock.now()))
        .ok_or(Error::Unauthenticated)?;
    let user = signed_in(services, bearer.user, bearer.session).await?;
    let administrator = administers(services, &user).await?;
    Ok(Person { user: bearer.user, session: bearer.session, administrator })
}

/// The user of an active session.
async fn signed_in(
    services: &Services,
    user: UserId,
    session: SessionId,
) -> Result<user::Model, Error> {
    let query = user::Entity::find()
        .join(JoinType::InnerJoin, user::Relation::Session.def())
        .filter(session::Column::Id.eq(session))
        .filter(is_active(services))
        .filter(user::Column::Id.eq(user))
        .filter(is_allowed(services));
    let row = primary::one(services.database.reader(), &query);
    let row = services.checker.lookup_limiter.of(LookupCaller::Session(session), row).await?;
    Ok(user::Model::from_query_result(&row.ok_or(Error::Unauthenticated)?, "")?)
}

/// Checks that the actor is an administrator of the instance.
///
/// # Errors
/// `Forbidden` for everybody else.
pub fn require_administrator(actor: &Actor) -> Result<(), Error> {
    if actor.person()?.is_administrator() {
        return Ok(());
    }
    Err(Error::Forbidden("Only administrators of this instance can do this."))
}

/// The actor's own profile and organizations.
///
/// # Errors
/// `Forbidden` for a service key.
pub async fn me(services: &Services, actor: &Actor) -> Result<Me, Error> {
    let person = actor.person()?;
    let user = user::Entity::find_by_id(person.user())
        .one(services.database.reader())
        .await?
        .ok_or(Error::Unauthenticated)?;
    Ok(Me {
        id: person.user(),
        administrator: person.is_administrator(),
        organizations: organizations::of_actor(services, actor).await?,
        login: user.login,
        name: user.name,
        avatar_url: user.avatar_url,
    })
}

/// Accounts that the operator named, and the local developer, who is the operator.
async fn administers(services: &Services, user: &user::Model) -> Result<bool, Error> {
    match user.github_id {
        Some(id) => is_administrator(services, services.database.reader(), id).await,
        None => Ok(true),
    }
}
