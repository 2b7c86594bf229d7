//! `POST /auth/local`: signs in the local developer, where there are no GitHub credentials.

use axum::extract::{Form, FromRequest, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use latchkey_domain::path::LocalPath;
use latchkey_domain::problem::ErrorCode;
use latchkey_services::Error;
use latchkey_services::accounts::{self, LocalCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::authorize::NextParams;
use super::{completion, cookies, found, login};
use crate::config::{PublicUrl, SignIn};
use crate::http::client::ClientDevice;
use crate::http::extract::Params;
use crate::http::json::Json;
use crate::http::origin;
use crate::http::problem::Refusal;
use crate::http::responses::refusals;
use crate::pages::wants_page;
use crate::state::AppState;

refusals! {
    /// Local sign-in is for the person at this machine alone.
    LocalSignInRefused {
        403: "`forbidden`: the code is wrong, `Host` or `Origin` is not the server’s own, or the request came through a proxy",
        404: "`not_found`: local sign-in is disabled because GitHub sign-in is configured",
        429: "`too_many_failures`: five wrong codes in the last minute. Browsers are redirected to `/login`. See `Retry-After`",
    }
}

/// Headers that proxies add. A request with one of them does not come from this machine.
const OF_PROXIES: [HeaderName; 3] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("via"),
    HeaderName::from_static("x-real-ip"),
];
const FORWARDED: &str = "x-forwarded-";

/// All but RFC 3986's unreserved characters.
const OUTSIDE_FRAGMENTS: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Credentials of local sign-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocalSignIn {
    /// Sign-in code from the server’s log.
    #[serde(default)]
    #[schema(max_length = 65_536)]
    code: String,
}

/// The sign-in link of the local developer. Browsers do not send the part after `#`.
pub(crate) fn local_link(public_url: &PublicUrl, code: &LocalCode) -> String {
    let code = utf8_percent_encode(code.expose(), &OUTSIDE_FRAGMENTS);
    format!("{public_url}/login#code={code}")
}

/// Sign in as the local developer
///
/// Only available on a server without GitHub credentials that is bound to a loopback address, and
/// only from its own login page on the same machine. Requires the code that the server logs at
/// startup.
#[utoipa::path(
    post,
    path = "/auth/local",
    operation_id = "sign_in_locally",
    tag = "Sessions",
    params(NextParams),
    request_body(content((LocalSignIn = "application/x-www-form-urlencoded"), (LocalSignIn = "application/json"))),
    responses(
        (status = 302, description = "Redirect to `/auth/complete` with the refresh token as a cookie. Browsers with a wrong code are redirected to `/login`"),
        LocalSignInRefused,
    ),
)]
pub(crate) async fn local(
    State(state): State<AppState>,
    Params(params): Params<NextParams>,
    ClientDevice(device): ClientDevice,
    headers: HeaderMap,
    jar: CookieJar,
    request: Request,
) -> Result<Response, Refusal> {
    if !matches!(state.config.sign_in, SignIn::Local) {
        return Err(Error::NotFound.into());
    }
    if !origin::is_own_page(&headers, &state.config) {
        return Err(Refusal::new(
            ErrorCode::Forbidden,
            "Local sign-in works only from this server’s own login page: Host and Origin must \
             match its public URL.",
        ));
    }
    if is_forwarded(&headers) {
        return Err(Refusal::new(
            ErrorCode::Forbidden,
            "Local sign-in works only on this machine, and this request came through a proxy. \
             Configure GitHub sign-in to let others in.",
        ));
    }
    let code = code(request, &state).await?;
    let next = LocalPath::or_root(params.next.as_deref());
    match accounts::sign_in_local(&state.services, &code, &device).await {
        Ok(token) => {
            let jar = jar.add(cookies::refresh(&state.config, token));
            Ok((jar, found(&completion(&next))).into_response())
        }
        Err(error) => Ok(refused(error, &headers, &next)),
    }
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    OF_PROXIES.iter().any(|name| headers.contains_key(name))
        || headers.keys().any(|name| name.as_str().starts_with(FORWARDED))
}

/// The code, from a form or from JSON; none is an empty one.
async fn code(request: Request, state: &AppState) -> Result<String, Refusal> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("application/json")) {
        let Json(body) = Json::<LocalSignIn>::from_request(request, state).await?;
        return Ok(body.code);
    }
    let form = Form::<LocalSignIn>::from_request(request, state).await;
    Ok(form.map(|Form(body)| body.code).unwrap_or_default())
}

/// A person comes back to the login page, which says why; a program gets the problem.
fn refused(error: Error, headers: &HeaderMap, next: &LocalPath) -> Response {
    match error {
        Error::WrongLocalCode if wants_page(headers) => found(&login("wrong_code", next)),
        Error::TooManyFailures(_) if wants_page(headers) => found(&login("too_many_codes", next)),
        error => Refusal::from(error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_holds_the_code_whatever_it_is() {
        let url: PublicUrl = "http://localhost:3000".parse().unwrap();
        let link = |code: &str| local_link(&url, &LocalCode::new(code.to_owned()));
        assert_eq!(link("a-B_9.~"), "http://localhost:3000/login#code=a-B_9.~");
        assert_eq!(link("ü &#"), "http://localhost:3000/login#code=%C3%BC%20%26%23");
    }
}
