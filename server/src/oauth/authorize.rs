//! `GET /oauth2/authorization/github`: begins a sign-in.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use latchkey_domain::path::LocalPath;
use latchkey_services::accounts;
use serde::Deserialize;
use utoipa::IntoParams;

use super::responses::NoGithubSignIn;
use super::{cookies, found, sign_in_error};
use crate::http::client::ClientIp;
use crate::http::extract::Params;
use crate::http::problem::Refusal;
use crate::state::AppState;

/// Where to redirect after signing in.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NextParams {
    /// Local path to redirect to after signing in. Any other value becomes `/`.
    pub(super) next: Option<String>,
}

/// Start GitHub sign-in
#[utoipa::path(
    get,
    path = "/oauth2/authorization/github",
    operation_id = "begin_github_sign_in",
    tag = "Sessions",
    params(NextParams),
    responses(
        (status = 302, description = "Redirect to GitHub with `state` and a PKCE challenge. A cookie binds the state to this browser"),
        NoGithubSignIn,
    ),
)]
pub(crate) async fn authorize(
    State(state): State<AppState>,
    Params(params): Params<NextParams>,
    ClientIp(ip): ClientIp,
    headers: HeaderMap,
    jar: CookieJar,
) -> Result<Response, Refusal> {
    let github = state.github.as_ref().ok_or(latchkey_services::Error::NotFound)?;
    let next = LocalPath::or_root(params.next.as_deref());
    let attempt = match accounts::begin_sign_in(&state.services, &next, ip).await {
        Ok(attempt) => attempt,
        Err(error) => return Ok(sign_in_error(error, &headers, &next)),
    };
    let authorization = github.authorization(&attempt.state);
    let (config, verifier) = (&state.config, &authorization.verifier);
    let jar = cookies::begin_sign_in(config, &headers, jar, &attempt.state, verifier);
    Ok((jar, found(&authorization.url)).into_response())
}
