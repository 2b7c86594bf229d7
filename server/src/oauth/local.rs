//! `POST /auth/local`: signs in the local developer, where there are no GitHub credentials.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use latchkey_domain::path::LocalPath;
use latchkey_domain::problem::{ErrorCode, Problem};
use latchkey_services::{Error, accounts};

use super::authorize::Next;
use super::{completion, cookies, found};
use crate::config::SignIn;
use crate::http::client::ClientDevice;
use crate::http::extract::Params;
use crate::http::origin;
use crate::http::problem::Refusal;
use crate::state::AppState;

/// Sign in as the local developer
///
/// Only on a server that is bound to loopback and has no GitHub credentials, and only from its own page.
#[utoipa::path(
    post,
    path = "/auth/local",
    operation_id = "sign_in_locally",
    tag = "Sessions",
    params(Next),
    responses(
        (status = 302, description = "To `/auth/complete`, with the refresh token as a cookie"),
        (status = 403, description = "`forbidden`: `Host` or `Origin` is not our own", body = Problem),
        (status = 404, description = "`not_found`: people sign in with GitHub here", body = Problem),
    ),
)]
pub(crate) async fn local(
    State(state): State<AppState>,
    Params(params): Params<Next>,
    ClientDevice(device): ClientDevice,
    headers: HeaderMap,
    jar: CookieJar,
) -> Result<Response, Refusal> {
    if !matches!(state.config.sign_in, SignIn::Local) {
        return Err(Error::NotFound.into());
    }
    if !origin::is_own_page(&headers, &state.config) {
        return Err(Refusal::new(
            ErrorCode::Forbidden,
            "Local sign-in is for this server’s own login page: Host and Origin must be its own.",
        ));
    }
    let token = accounts::sign_in_local(&state.services, &device).await?;
    let next = LocalPath::or_root(params.next.as_deref());
    Ok((jar.add(cookies::refresh(&state.config, token)), found(&completion(&next))).into_response())
}
