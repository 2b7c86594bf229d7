//! The person who is asking, and where they are signed in.

use latchkey_domain::api::{Me, Session, SignInEntry};
use latchkey_domain::id::SessionId;
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::caller::caller;
use super::{ApiError, Body};
use crate::data::bearer::Bearer;

/// The signed-in person and their organizations.
///
/// # Errors
/// See [`ApiError`].
#[server(prefix = "/api", endpoint = "me", input = Body, output = Body, client = Bearer)]
pub async fn get_me() -> Result<Me, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::accounts::me(&services, &actor).await?)
}

/// Where the person is signed in, the latest seen first.
///
/// # Errors
/// See [`ApiError`].
#[server(prefix = "/api", endpoint = "sessions/list", input = Body, output = Body, client = Bearer)]
pub async fn list_sessions() -> Result<Vec<Session>, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::accounts::list_sessions(&services, &actor).await?)
}

/// When the person signed in, newest first: their own log.
///
/// # Errors
/// See [`ApiError`].
#[server(prefix = "/api", endpoint = "sessions/sign-ins", input = Body, output = Body, client = Bearer)]
pub async fn list_sign_ins() -> Result<Vec<SignInEntry>, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::accounts::list_sign_ins(&services, &actor).await?)
}

/// Ends a session of the person, and its access token at once.
///
/// # Errors
/// See [`ApiError`]; `not_found` for somebody else’s.
#[server(prefix = "/api", endpoint = "sessions/end", input = Body, output = Body, client = Bearer)]
pub async fn end_session(
    /// The session to end.
    session_id: SessionId,
) -> Result<(), ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::accounts::end_own_session(&services, &actor, session_id).await?)
}

/// Ends every session of the person but this one.
///
/// # Errors
/// See [`ApiError`].
#[server(prefix = "/api", endpoint = "sessions/end-others", input = Body, output = Body, client = Bearer)]
pub async fn end_other_sessions() -> Result<(), ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::accounts::end_other_sessions(&services, &actor).await?)
}
