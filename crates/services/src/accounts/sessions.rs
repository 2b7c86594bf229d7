//! Sessions and their refresh tokens.
//!
//! A refresh token works once; using it returns the next one. A token that is presented again after
//! its use has been copied: either the thief or the owner already holds a newer one, and the server
//! can't tell them apart. It therefore ends the whole session (RFC 9700 §4.14.2). Two tabs that
//! refresh at once look the same for a moment; within [`REUSE_GRACE`] the second one gets its own
//! pair.

use std::time::Duration;

use latchkey_domain::api::{Session, SessionEndReason, SignInEntry};
use latchkey_domain::id::{SessionId, UserId};
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, JoinType, QueryFilter,
    QueryOrder, QueryResult, QuerySelect, RelationTrait, Select, Set,
};

use super::SessionTokens;
use super::device::Device;
use super::session_state::{is_active, is_allowed};
use crate::actor::Actor;
use crate::error::Error;
use crate::retry::retried;
use crate::scope::{self, AuthorizedWrite};
use crate::services::Services;
use latchkey_checker::LookupCaller;
use latchkey_checker::digest::sha256;
use latchkey_checker::failures::Address;
use latchkey_store::database::{OnBehalfOf, primary};
use latchkey_store::entity::{refresh_token, session, sign_in_state, user};

/// How long a used refresh token may still be presented without counting as reuse.
const REUSE_GRACE: Duration = Duration::from_secs(10);

/// Maximum number of active sessions of a person, beyond any real use.
pub(super) const MAX_SESSIONS: usize = 100;

/// How a request names the session to end.
#[derive(Clone, Copy)]
pub enum SessionEnd<'a> {
    /// An access token, expired or not.
    AccessToken(&'a str),
    /// A refresh token, used or not.
    RefreshToken(&'a str),
}

/// Renews a session: exchanges a refresh token for an access token and the next refresh token.
/// Failed attempts from the same address never delay a valid token.
///
/// # Errors
/// `Unauthenticated` if the token is unknown or expired, its session has ended, or the token is
/// reused; reuse ends the session. `TooManyFailures` instead, if the address has too many of these
/// failures. `TooMany` if the session was renewed too often.
pub async fn refresh(
    services: &Services,
    token: &str,
    device: &Device,
) -> Result<SessionTokens, Error> {
    // A token that can neither renew nor end a session must not occupy the single writer.
    let caller = LookupCaller::Address(Address::of(device.ip));
    let renewed = match of_token(services, token, caller).await? {
        Some(named) => renew(services, token, device, named).await,
        None => Err(Error::Unauthenticated),
    };
    if matches!(renewed, Err(Error::Unauthenticated)) {
        services.sign_ins.failed.count(device.ip, services.clock.monotonic())?;
    }
    renewed
}

/// What a token identifies.
#[derive(Debug, Clone, Copy)]
struct SessionOwner {
    session: SessionId,
    person: UserId,
}

/// The session that a refresh token belongs to, if session and token are unexpired and the session
/// has not ended. The token may be used already.
async fn of_token(
    services: &Services,
    token: &str,
    caller: LookupCaller,
) -> Result<Option<SessionOwner>, Error> {
    let query = session::Entity::find()
        .join(JoinType::InnerJoin, session::Relation::RefreshToken.def())
        .filter(is_active(services))
        .filter(refresh_token::Column::ExpiresAt.gt(services.clock.now()))
        .filter(refresh_token::Column::Digest.eq(sha256(token)));
    named(services, query, caller).await
}

async fn named(
    services: &Services,
    query: Select<session::Entity>,
    caller: LookupCaller,
) -> Result<Option<SessionOwner>, Error> {
    let query = query
        .select_only()
        .column(session::Column::Id)
        .column_as(session::Column::UserId, "person");
    let row = primary::one(services.database.reader(), &query);
    let row = services.checker.lookup_limiter.of(caller, row).await?;
    let named = |row: QueryResult| {
        Ok(SessionOwner { session: row.try_get("", "id")?, person: row.try_get("", "person")? })
    };
    row.map(named).transpose()
}

async fn renew(
    services: &Services,
    token: &str,
    device: &Device,
    named: SessionOwner,
) -> Result<SessionTokens, Error> {
    services.renewals.count(named.session, services.clock.monotonic())?;
    let who = OnBehalfOf::Person(named.person);
    retried(services, || renew_once(services, token, device, who)).await
}

async fn renew_once(
    services: &Services,
    token: &str,
    device: &Device,
    who: OnBehalfOf,
) -> Result<SessionTokens, Error> {
    let now = services.clock.now();
    let digest = sha256(token);
    let transaction = services.database.begin_for(who).await?;
    // Of several concurrent requests, exactly one finds the token unused.
    let claimed = refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::UsedAt, Expr::value(now))
        .filter(refresh_token::Column::Digest.eq(digest.clone()))
        .filter(refresh_token::Column::UsedAt.is_null())
        .exec(&transaction)
        .await?
        .rows_affected
        == 1;
    let row = refresh_token::Entity::find_by_id(digest)
        .one(&transaction)
        .await?
        .ok_or(Error::Unauthenticated)?;
    if now >= row.expires_at {
        return Err(Error::Unauthenticated);
    }
    if !claimed && is_reuse(&row, now) {
        let reason = SessionEndReason::TokenReused;
        end(services, &transaction, row.session_id, reason).await?;
        transaction.commit().await?;
        tracing::warn!(
            session = %row.session_id,
            "Refresh token was reused; ended its session"
        );
        return Err(Error::Unauthenticated);
    }
    let session = touch(services, &transaction, row.session_id, device).await?;
    let (id, began) = (session.id, session.created_at);
    let refresh_token = issue_refresh_token(services, &transaction, id, began).await?;
    transaction.commit().await?;
    let unique = data_encoding::HEXLOWER.encode(&services.random.bytes::<16>());
    Ok(SessionTokens {
        token: services.signer.sign(session.user_id, id, now, unique)?,
        refresh_token,
        expires_in: services.signer.ttl(),
    })
}

fn is_reuse(row: &refresh_token::Model, now: Timestamp) -> bool {
    row.used_at.is_none_or(|used| now.since(used) > REUSE_GRACE)
}

/// Expiry of a session that started at `began` and is renewed at `now`: one refresh-token lifetime
/// later, capped by the maximum lifetime of a session.
pub(super) fn expiry(services: &Services, began: Timestamp, now: Timestamp) -> Timestamp {
    Ord::min(now + services.settings.refresh_token_ttl, began + services.settings.session_ttl)
}

/// Whether the operator's settings let this person sign in. The local developer can't where people
/// use GitHub.
async fn may_sign_in(
    services: &Services,
    database: &impl ConnectionTrait,
    user: UserId,
) -> Result<bool, Error> {
    let user = user::Entity::find_by_id(user).filter(is_allowed(services));
    Ok(user.one(database).await?.is_some())
}

/// Records time and device of a session's latest use and extends its expiry, if it has not ended.
async fn touch(
    services: &Services,
    database: &impl ConnectionTrait,
    id: SessionId,
    device: &Device,
) -> Result<session::Model, Error> {
    let now = services.clock.now();
    let row = session::Entity::find_by_id(id).one(database).await?.ok_or(Error::Unauthenticated)?;
    if !may_sign_in(services, database, row.user_id).await? {
        return Err(Error::Unauthenticated);
    }
    let expires = expiry(services, row.created_at, now);
    if expires <= now {
        return Err(Error::Unauthenticated);
    }
    let update = session::Entity::update_many()
        .col_expr(session::Column::LastSeenAt, Expr::value(now))
        .col_expr(session::Column::ExpiresAt, Expr::value(expires))
        .col_expr(session::Column::Ip, Expr::value(device.ip.map(|ip| ip.to_string())))
        .col_expr(session::Column::UserAgent, Expr::value(device.user_agent()))
        .filter(session::Column::Id.eq(id))
        .filter(session::Column::EndedAt.is_null())
        .exec(database)
        .await?;
    if update.rows_affected != 1 {
        return Err(Error::Unauthenticated);
    }
    session::Entity::find_by_id(id).one(database).await?.ok_or(Error::Unauthenticated)
}

/// Stores a new refresh token for a session that started at `began`, and returns its plaintext.
/// Only the digest is stored.
pub(super) async fn issue_refresh_token(
    services: &Services,
    database: &impl ConnectionTrait,
    session: SessionId,
    began: Timestamp,
) -> Result<String, Error> {
    let now = services.clock.now();
    let token = services.random.token();
    let row = refresh_token::ActiveModel {
        digest: Set(sha256(&token)),
        session_id: Set(session),
        created_at: Set(now),
        expires_at: Set(expiry(services, began, now)),
        used_at: Set(None),
    };
    refresh_token::Entity::insert(row).exec_without_returning(database).await?;
    Ok(token)
}

/// Ends the session that a token names, together with all its tokens. An unknown token is no error:
/// the caller is signed out either way.
///
/// # Errors
/// The database fails.
pub async fn end_session(services: &Services, named_by: SessionEnd<'_>) -> Result<(), Error> {
    retried(services, || end_session_once(services, named_by)).await
}

async fn end_session_once(services: &Services, named_by: SessionEnd<'_>) -> Result<(), Error> {
    let query = session::Entity::find().filter(session::Column::EndedAt.is_null());
    let (query, caller) = match named_by {
        SessionEnd::AccessToken(token) => {
            let Some(bearer) = services.signer.verify_signature(token) else { return Ok(()) };
            let own = session::Column::Id.eq(bearer.session);
            (query.filter(own), LookupCaller::Session(bearer.session))
        }
        SessionEnd::RefreshToken(token) => {
            let query = query
                .join(JoinType::InnerJoin, session::Relation::RefreshToken.def())
                .filter(refresh_token::Column::Digest.eq(sha256(token)));
            // The owner is not known yet, so all of these share one place in the lookup limiter.
            (query, LookupCaller::Address(Address::of(None)))
        }
    };
    // Tokens are accepted here after their expiry, so a token of an ended session could be replayed
    // forever. It must not occupy the single writer.
    let Some(SessionOwner { session, person }) = named(services, query, caller).await? else {
        return Ok(());
    };
    let transaction = services.database.begin_for(OnBehalfOf::Person(person)).await?;
    end(services, &transaction, session, SessionEndReason::SignedOut).await?;
    Ok(transaction.commit().await?)
}

/// The actor's active sessions, most recently seen first.
///
/// # Errors
/// `Forbidden` for a service key.
pub async fn list_sessions(services: &Services, actor: &Actor) -> Result<Vec<Session>, Error> {
    let person = actor.person()?;
    let rows = session::Entity::find()
        .filter(session::Column::UserId.eq(person.user()))
        .filter(session::Column::EndedAt.is_null())
        .filter(session::Column::ExpiresAt.gt(services.clock.now()))
        .order_by_desc(session::Column::LastSeenAt)
        .order_by_desc(session::Column::Id)
        .limit(MAX_SESSIONS as u64)
        .all(services.database.reader())
        .await?;
    let sessions = rows.into_iter().map(|row| Session {
        id: row.id,
        current: row.id == person.session(),
        created_at: row.created_at,
        last_seen_at: row.last_seen_at,
        expires_at: row.expires_at,
        ip: row.ip,
        user_agent: row.user_agent,
    });
    Ok(sessions.collect())
}

/// Ends one of the actor's sessions, which also invalidates its access token at once. Idempotent.
///
/// # Errors
/// `NotFound` for another person's session, `Forbidden` for a service key.
pub async fn end_own_session(
    services: &Services,
    actor: &Actor,
    id: SessionId,
) -> Result<(), Error> {
    retried(services, || end_own_session_once(services, actor, id)).await
}

async fn end_own_session_once(
    services: &Services,
    actor: &Actor,
    id: SessionId,
) -> Result<(), Error> {
    let person = actor.person()?;
    let AuthorizedWrite { transaction, .. } = scope::begin_on_sessions(services, actor).await?;
    session::Entity::find_by_id(id)
        .filter(session::Column::UserId.eq(person.user()))
        .one(&transaction)
        .await?
        .ok_or(Error::NotFound)?;
    end(services, &transaction, id, SessionEndReason::SignedOut).await?;
    Ok(transaction.commit().await?)
}

/// Ends all of the actor's sessions except the current one.
///
/// # Errors
/// `Forbidden` for a service key.
pub async fn end_other_sessions(services: &Services, actor: &Actor) -> Result<(), Error> {
    retried(services, || end_other_sessions_once(services, actor)).await
}

async fn end_other_sessions_once(services: &Services, actor: &Actor) -> Result<(), Error> {
    let person = actor.person()?;
    let AuthorizedWrite { transaction, .. } = scope::begin_on_sessions(services, actor).await?;
    let others =
        session::Column::UserId.eq(person.user()).and(session::Column::Id.ne(person.session()));
    // One statement for any number of sessions: everyone shares the single writer.
    end_all(services, &transaction, others, SessionEndReason::SignedOut).await?;
    Ok(transaction.commit().await?)
}

/// Ends a session. Idempotent.
async fn end(
    services: &Services,
    transaction: &DatabaseTransaction,
    id: SessionId,
    reason: SessionEndReason,
) -> Result<(), Error> {
    end_all(services, transaction, session::Column::Id.eq(id), reason).await
}

/// Ends the matching sessions that have not ended yet. The rows stay in the person's sign-in log
/// until they expire.
pub(super) async fn end_all(
    services: &Services,
    transaction: &DatabaseTransaction,
    which: Expr,
    reason: SessionEndReason,
) -> Result<(), Error> {
    session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(services.clock.now()))
        .col_expr(session::Column::EndReason, Expr::value(reason))
        .filter(which)
        .filter(session::Column::EndedAt.is_null())
        .exec(transaction)
        .await?;
    Ok(())
}

/// The actor's own sign-in log, newest first, ended sessions included. No organization sees it.
///
/// # Errors
/// `Forbidden` for a service key.
pub async fn list_sign_ins(services: &Services, actor: &Actor) -> Result<Vec<SignInEntry>, Error> {
    let rows = session::Entity::find()
        .filter(session::Column::UserId.eq(actor.person()?.user()))
        .order_by_desc(session::Column::CreatedAt)
        .order_by_desc(session::Column::Id)
        .limit(MAX_SESSIONS as u64)
        .all(services.database.reader())
        .await?;
    let entries = rows.into_iter().map(|row| SignInEntry {
        id: row.id,
        created_at: row.created_at,
        ip: row.ip,
        user_agent: row.user_agent,
        ended_at: row.ended_at,
        end_reason: row.end_reason,
    });
    Ok(entries.collect())
}

/// Deletes expired sign-in states, refresh tokens and sessions.
///
/// # Errors
/// The database fails.
pub async fn purge_expired(services: &Services) -> Result<(), Error> {
    let expired = || Expr::col("expires_at").lte(services.clock.now());
    let database = &services.database;
    database.delete_all::<sign_in_state::Entity>(expired()).await?;
    database.delete_all::<refresh_token::Entity>(expired()).await?;
    database.delete_all::<session::Entity>(expired()).await?;
    Ok(())
}
