//! `GET /oauth2/authorization/github`: begins a sign-in.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use latchkey_domain::path::LocalPath;
use latchkey_domain::problem::Problem;
use latchkey_services::accounts;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{cookies, found};
use crate::http::extract::Params;
use crate::http::problem::Refusal;
use crate::state::AppState;

/// Where to go on after signing in.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Next {
    /// A local path; anything else becomes `/`.
    pub(super) next: Option<String>,
}

/// Begin to sign in with GitHub
#[utoipa::path(
    get,
    path = "/oauth2/authorization/github",
    operation_id = "begin_github_sign_in",
    tag = "Sessions",
    params(Next),
    responses(
        (status = 302, description = "To GitHub, with `state` and a PKCE challenge; a cookie binds the state to \
                                      this browser"),
        (status = 404, description = "`not_found`: this server has no GitHub credentials", body = Problem),
    ),
)]
pub(crate) async fn authorize(
    State(state): State<AppState>,
    Params(params): Params<Next>,
    jar: CookieJar,
) -> Result<Response, Refusal> {
    let github = state.github.as_ref().ok_or(latchkey_services::Error::NotFound)?;
    let next = LocalPath::or_root(params.next.as_deref());
    let begun = accounts::begin_sign_in(&state.services, &next).await?;
    let authorization = github.authorization(&begun.state);
    let cookie = cookies::sign_in(&state.config, &begun.state, &authorization.verifier);
    Ok((jar.add(cookie), found(&authorization.url)).into_response())
}
