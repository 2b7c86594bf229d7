//! `POST /refresh` and `POST /logout`.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum_extra::extract::CookieJar;
use latchkey_domain::api::{RefreshRequest, SessionTokens};
use latchkey_domain::problem::ErrorCode;
use latchkey_services::accounts::{self, SessionEnd};

use crate::http::auth::bearer;
use crate::http::client::ClientDevice;
use crate::http::json::Json;
use crate::http::origin;
use crate::http::problem::Refusal;
use crate::http::responses::refusals;
use crate::oauth::cookies;
use crate::state::AppState;

refusals! {
    /// Without a good refresh token.
    RefreshRefused {
        400: "`malformed`",
        401: "`unauthenticated`: the refresh token is missing, unknown, expired or already used, or its session has ended",
        403: "`forbidden`: the cookie was sent from another site",
        422: "`invalid`",
        429: "`too_many_failures` in place of `unauthenticated`: more than 60 refreshes and sign-ins from this IP address failed in the last minute. Valid tokens are never rejected. See `Retry-After`",
    }
}

/// Refresh a session
///
/// Exchanges a refresh token for an access token and a new refresh token. Each refresh token can be
/// used once. If the refresh token is sent in the body, both tokens are in the response. Without a
/// body, the cookie is used; this works only from the dashboard’s own pages, and the new refresh
/// token is only set as a cookie.
#[utoipa::path(
    post,
    path = "/refresh",
    tag = "Sessions",
    request_body(content = Option<RefreshRequest>),
    responses(
        (status = 200, description = "New tokens", body = SessionTokens),
        RefreshRefused,
    ),
)]
pub(crate) async fn refresh(
    State(state): State<AppState>,
    ClientDevice(device): ClientDevice,
    headers: HeaderMap,
    jar: CookieJar,
    body: Option<Json<RefreshRequest>>,
) -> Result<(CookieJar, axum::Json<SessionTokens>), Refusal> {
    if let Some(Json(request)) = body {
        let renewed = accounts::refresh(&state.services, &request.refresh_token, &device).await?;
        let refresh_token = Some(renewed.refresh_token);
        let expires_in = renewed.expires_in.as_secs();
        let tokens = SessionTokens { token: renewed.token, refresh_token, expires_in };
        return Ok((jar, axum::Json(tokens)));
    }
    if origin::is_foreign(&headers, &state.config.public_url) {
        return Err(Refusal::new(
            ErrorCode::Forbidden,
            "The refresh cookie is accepted only from the dashboard’s own pages. Send the refresh \
             token in the body.",
        ));
    }
    let over_https = state.config.public_url.is_https();
    let token = cookies::refresh_token(over_https, &jar)
        .ok_or(latchkey_services::Error::Unauthenticated)?;
    let renewed = accounts::refresh(&state.services, &token, &device).await?;
    let cookie = cookies::refresh(&state.config, renewed.refresh_token);
    let expires_in = renewed.expires_in.as_secs();
    let tokens = SessionTokens { token: renewed.token, refresh_token: None, expires_in };
    Ok((jar.add(cookie), axum::Json(tokens)))
}

/// Sign out
///
/// Ends the session of the access token, even if the token has expired, or of the refresh token in
/// the body. The response is the same whether or not there was a session.
#[utoipa::path(
    post,
    path = "/logout",
    tag = "Sessions",
    request_body(content = Option<RefreshRequest>),
    responses((status = 204, description = "The session has ended")),
    security((), ("user" = [])),
)]
pub(crate) async fn logout(
    State(state): State<AppState>,
    headers: HeaderMap,
    jar: CookieJar,
    body: Bytes,
) -> Result<(CookieJar, StatusCode), Refusal> {
    if let Some(token) = bearer(&headers) {
        accounts::end_session(&state.services, SessionEnd::AccessToken(token)).await?;
    }
    if let Ok(request) = serde_json::from_slice::<RefreshRequest>(&body) {
        let named = SessionEnd::RefreshToken(&request.refresh_token);
        accounts::end_session(&state.services, named).await?;
    }
    // Another site can make a browser call this; that must not sign the person out.
    let jar = if origin::is_foreign(&headers, &state.config.public_url) {
        jar
    } else {
        jar.add(cookies::no_refresh(&state.config))
    };
    Ok((jar, StatusCode::NO_CONTENT))
}
