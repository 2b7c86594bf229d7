//! Sessions and their refresh tokens.
//!
//! A refresh token is good once; using it gives the next. One that comes back after its use has been copied:
//! by then either the thief or the person holds a newer one, and nobody can tell who is who, so the whole
//! session ends (RFC 9700 §4.14.2). Two tabs that refresh at once look the same for a moment; within
//! [`REUSE_GRACE`] the second gets a pair of its own.

use std::time::Duration;

use latchkey_domain::id::SessionId;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set};
use uuid::Uuid;

use super::{Device, Renewed};
use crate::digest::sha256;
use crate::entity::{refresh_token, session, sign_in_state};
use crate::error::Error;
use crate::services::Services;

/// How long after its use a refresh token may come back without suspicion.
const REUSE_GRACE: Duration = Duration::from_secs(10);

/// What names the session that shall end.
pub enum SessionEnd<'a> {
    /// An access token, expired or not.
    AccessToken(&'a str),
    /// A refresh token, used or not.
    RefreshToken(&'a str),
}

/// Renews a session: takes a refresh token, gives an access token and the next refresh token. A good token is
/// never held up, however many bad ones its address has sent.
///
/// # Errors
/// `Unauthenticated` if the token is unknown, expired, of an ended session, or comes back after its use; the
/// last ends the session. `TooManyFailures` instead, if the address has had too many of these.
pub async fn refresh(services: &Services, token: &str, device: &Device) -> Result<Renewed, Error> {
    let failed = &services.sign_ins.failed;
    // Over the limit, a token that does not exist gets no turn with the one writer. One that does goes its way:
    // it is good, or its coming back must end its session.
    let pointless =
        failed.is_full(device.ip, services.clock.monotonic()) && !exists(services, token).await?;
    let renewed =
        if pointless { Err(Error::Unauthenticated) } else { renew(services, token).await };
    if matches!(renewed, Err(Error::Unauthenticated)) {
        failed.count(device.ip, services.clock.monotonic())?;
    }
    renewed
}

async fn exists(services: &Services, token: &str) -> Result<bool, Error> {
    let row = refresh_token::Entity::find_by_id(sha256(token));
    Ok(row.one(services.database.reader()).await?.is_some())
}

async fn renew(services: &Services, token: &str) -> Result<Renewed, Error> {
    let now = services.clock.now();
    let digest = sha256(token);
    let transaction = services.database.begin().await?;
    // Only one of several callers at once finds it unused.
    let claimed = refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::UsedAt, Expr::value(now.as_millis()))
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
    if now.as_millis() >= row.expires_at {
        return Err(Error::Unauthenticated);
    }
    if !claimed && is_reuse(&row, now) {
        end(&transaction, row.session_id, now).await?;
        transaction.commit().await?;
        tracing::warn!(
            session = %SessionId::from(row.session_id),
            "a used refresh token came back: the session was ended"
        );
        return Err(Error::Unauthenticated);
    }
    let session = touch(services, &transaction, row.session_id, now).await?;
    let id = SessionId::from(session.id);
    let refresh_token = issue_refresh_token(services, &transaction, id).await?;
    transaction.commit().await?;
    let unique = crate::random::hex(&services.random.bytes::<16>());
    Ok(Renewed {
        token: services.signer.sign(session.user_id.into(), id, now, unique)?,
        refresh_token,
        expires_in: services.signer.ttl(),
    })
}

fn is_reuse(row: &refresh_token::Model, now: Timestamp) -> bool {
    row.used_at.is_none_or(|used| now.since(Timestamp::from_millis(used)) > REUSE_GRACE)
}

/// Marks a session as seen now and keeps it for another term, if it still stands.
async fn touch(
    services: &Services,
    database: &impl ConnectionTrait,
    id: Uuid,
    now: Timestamp,
) -> Result<session::Model, Error> {
    let expires = now + services.settings.refresh_token_ttl;
    let standing = session::Entity::update_many()
        .col_expr(session::Column::LastSeenAt, Expr::value(now.as_millis()))
        .col_expr(session::Column::ExpiresAt, Expr::value(expires.as_millis()))
        .filter(session::Column::Id.eq(id))
        .filter(session::Column::EndedAt.is_null())
        .exec(database)
        .await?;
    if standing.rows_affected != 1 {
        return Err(Error::Unauthenticated);
    }
    session::Entity::find_by_id(id).one(database).await?.ok_or(Error::Unauthenticated)
}

/// Writes a new refresh token for a session and returns it: the only place where it stands in the clear.
pub(super) async fn issue_refresh_token(
    services: &Services,
    database: &impl ConnectionTrait,
    session: SessionId,
) -> Result<String, Error> {
    let now = services.clock.now();
    let token = services.random.token();
    let row = refresh_token::ActiveModel {
        digest: Set(sha256(&token)),
        session_id: Set(session.as_uuid()),
        created_at: Set(now.as_millis()),
        expires_at: Set((now + services.settings.refresh_token_ttl).as_millis()),
        used_at: Set(None),
    };
    refresh_token::Entity::insert(row).exec_without_returning(database).await?;
    Ok(token)
}

/// Ends the session that a token names, with every token of it. An unknown token names none, and that is
/// no error: whoever asks is signed out either way.
///
/// # Errors
/// The database fails.
pub async fn end_session(services: &Services, named_by: SessionEnd<'_>) -> Result<(), Error> {
    let database = services.database.writer();
    let session = match named_by {
        SessionEnd::AccessToken(token) => {
            services.signer.verify_signature(token).map(|bearer| bearer.session.as_uuid())
        }
        SessionEnd::RefreshToken(token) => refresh_token::Entity::find_by_id(sha256(token))
            .one(database)
            .await?
            .map(|row| row.session_id),
    };
    match session {
        Some(id) => end(database, id, services.clock.now()).await,
        None => Ok(()),
    }
}

async fn end(database: &impl ConnectionTrait, id: Uuid, now: Timestamp) -> Result<(), Error> {
    session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(now.as_millis()))
        .filter(session::Column::Id.eq(id))
        .filter(session::Column::EndedAt.is_null())
        .exec(database)
        .await?;
    Ok(())
}

/// Deletes what can serve nobody any more: states, refresh tokens and sessions whose time is over.
///
/// # Errors
/// The database fails.
pub async fn purge_expired(services: &Services) -> Result<(), Error> {
    let now = services.clock.now().as_millis();
    let database = services.database.writer();
    sign_in_state::Entity::delete_many()
        .filter(sign_in_state::Column::ExpiresAt.lte(now))
        .exec(database)
        .await?;
    refresh_token::Entity::delete_many()
        .filter(refresh_token::Column::ExpiresAt.lte(now))
        .exec(database)
        .await?;
    session::Entity::delete_many()
        .filter(session::Column::ExpiresAt.lte(now))
        .exec(database)
        .await?;
    Ok(())
}
