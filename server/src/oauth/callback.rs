//! `GET /login/oauth2/code/github`: GitHub sends the browser back.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use latchkey_domain::path::LocalPath;
use latchkey_domain::problem::ErrorCode;
use latchkey_services::{Error, accounts};
use serde::Deserialize;
use subtle::ConstantTimeEq;
use utoipa::IntoParams;

use super::responses::NoGithubSignIn;
use super::{completion, cookies, found, login, sign_in_error};
use crate::http::client::ClientDevice;
use crate::http::extract::Params;
use crate::http::problem::Refusal;
use crate::http::responses::refusals;
use crate::pages::wants_page;
use crate::state::AppState;

refusals! {
    /// The sign-in was begun elsewhere, or too long ago.
    StateRefused {
        403: "`forbidden`: the state belongs to another browser, was already used or has expired",
    }
}

/// Query parameters that GitHub adds to the callback.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallbackParams {
    /// Authorization code to exchange for a token.
    code: Option<String>,
    /// State of the sign-in.
    state: Option<String>,
    /// OAuth error code, e.g. `access_denied`.
    error: Option<String>,
}

/// Complete GitHub sign-in
#[utoipa::path(
    get,
    path = "/login/oauth2/code/github",
    operation_id = "finish_github_sign_in",
    tag = "Sessions",
    params(CallbackParams),
    responses(
        (status = 302, description = "Redirect to `/auth/complete` with the refresh token as a cookie, or to `/login` with a reason if GitHub did not sign the user in"),
        StateRefused,
        NoGithubSignIn,
    ),
)]
pub(crate) async fn callback(
    State(state): State<AppState>,
    Params(params): Params<CallbackParams>,
    ClientDevice(device): ClientDevice,
    headers: HeaderMap,
    jar: CookieJar,
) -> Result<Response, Refusal> {
    let github = state.github.as_ref().ok_or(Error::NotFound)?;
    let returned = params.state.as_deref();
    let attempt = match accounts::resume_sign_in(&state.services, returned, device.ip) {
        Ok(attempt) => attempt,
        Err(error) => return Ok(sign_in_error(error, &headers, &LocalPath::or_root(None))),
    };
    let Some((verifier, next)) = claim_state(&state, &jar, returned).await? else {
        return Ok(foreign_state(&headers));
    };
    let jar = cookies::end_sign_in(&state.config, jar, returned.unwrap_or_default());
    let code = match (params.code, params.error.as_deref()) {
        (Some(code), None) => code,
        (_, Some("access_denied")) => return Ok(refused(jar, "access_denied", &next)),
        _ => return Ok(refused(jar, "sign_in_failed", &next)),
    };
    let identity = match github.identity(code, verifier).await {
        Ok(identity) => identity,
        Err(error) => {
            tracing::warn!(%error, "GitHub sign-in failed");
            if error.is_fault() {
                attempt.release();
            }
            return Ok(refused(jar, "sign_in_failed", &next));
        }
    };
    match accounts::sign_in_with_github(&state.services, identity, &device).await {
        Ok(token) => {
            attempt.release();
            let cookie = cookies::refresh(&state.config, token);
            Ok((jar.add(cookie), found(&completion(&next))).into_response())
        }
        Err(Error::NotInvited) => Ok(refused(jar, "not_invited", &next)),
        Err(error) => {
            attempt.release();
            Err(error.into())
        }
    }
}

fn refused(jar: CookieJar, reason: &str, next: &LocalPath) -> Response {
    (jar, found(&login(reason, next))).into_response()
}

/// The PKCE verifier and the destination of the sign-in that this browser started, if `returned` is
/// its state and was not used yet.
async fn claim_state(
    state: &AppState,
    jar: &CookieJar,
    returned: Option<&str>,
) -> Result<Option<(String, LocalPath)>, Refusal> {
    let Some(returned) = returned else { return Ok(None) };
    let Some((own, verifier)) = cookies::pending_sign_in(&state.config, jar, returned) else {
        return Ok(None);
    };
    if !bool::from(own.as_bytes().ct_eq(returned.as_bytes())) {
        return Ok(None);
    }
    let next = accounts::consume_state(&state.services, returned).await?;
    Ok(next.map(|next| (verifier, next)))
}

/// A person sees a page that leads back to the login; a program sees the problem.
fn foreign_state(headers: &HeaderMap) -> Response {
    if !wants_page(headers) {
        return Refusal::new(
            ErrorCode::Forbidden,
            "This sign-in was started in another browser, was already completed, or has expired. \
             Sign in again.",
        )
        .into_response();
    }
    let page = include_str!("foreign_state.html");
    (StatusCode::FORBIDDEN, [(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}
