//! `GET /login/oauth/authorize`: who signs in, and back to the application.

use axum::extract::{Query, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use url::Url;

use crate::github::{Grant, Person, Visit};
use crate::shared::{CLIENT_ID, Shared};

/// What the application sends along. Parameters that GitHub doesn't know are ignored, as there.
#[derive(Debug, Deserialize)]
pub(crate) struct Authorization {
    client_id: String,
    redirect_uri: String,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    scope: String,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    /// GitHub's hint for an account. Here it also stands for the click on it.
    login: Option<String>,
    /// The click on "Cancel".
    cancel: Option<String>,
}

pub(crate) async fn authorize(
    State(shared): State<Shared>,
    Query(request): Query<Authorization>,
    RawQuery(query): RawQuery,
) -> Response {
    if request.client_id != CLIENT_ID {
        return (StatusCode::NOT_FOUND, Html("<h1>404: no such OAuth app</h1>")).into_response();
    }
    let Some(callback) = loopback(&request.redirect_uri) else {
        let page = Html("<h1>The redirect_uri is not associated with this application</h1>");
        return (StatusCode::BAD_REQUEST, page).into_response();
    };
    if request.code_challenge.is_some() && request.code_challenge_method.as_deref() != Some("S256")
    {
        let why = "The code_challenge_method must be S256.";
        return send_back(
            callback,
            &[("error", "invalid_request"), ("error_description", why)],
            &request,
        );
    }
    let mut github = shared.lock();
    let visit = match (&request.cancel, &request.login) {
        (Some(_), _) => Some(Visit::Cancel),
        (None, Some(login)) => Some(Visit::SignIn(login.clone())),
        (None, None) => github.take_visit(),
    };
    let person = match visit {
        Some(Visit::Cancel) => return cancelled(callback, &request),
        Some(Visit::SignIn(login)) => github.person_by_login(&login).map(|person| person.id),
        None => None,
    };
    let Some(person) = person else {
        return choice(github.people(), query.as_deref().unwrap_or_default()).into_response();
    };
    let code = github.issue_code(Grant {
        person,
        redirect_uri: request.redirect_uri.clone(),
        scope: request.scope.clone(),
        challenge: request.code_challenge.clone(),
        issued: Shared::now(),
    });
    send_back(callback, &[("code", &code)], &request)
}

/// The address to go back to. Only this machine's: tests never send anyone elsewhere.
fn loopback(redirect_uri: &str) -> Option<Url> {
    let url = Url::parse(redirect_uri).ok()?;
    matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")).then_some(url)
}

fn cancelled(callback: Url, request: &Authorization) -> Response {
    let why = "The user has denied your application access.";
    send_back(callback, &[("error", "access_denied"), ("error_description", why)], request)
}

fn send_back(mut callback: Url, parameters: &[(&str, &str)], request: &Authorization) -> Response {
    callback
        .query_pairs_mut()
        .extend_pairs(parameters)
        .extend_pairs(request.state.as_deref().map(|state| ("state", state)));
    (StatusCode::FOUND, [(header::LOCATION, String::from(callback))]).into_response()
}

/// The page on which a person says who they are: plain links that repeat the request.
fn choice(people: &[Person], query: &str) -> Html<String> {
    let here = escape(&format!("/login/oauth/authorize?{query}"));
    let continue_as = |person: &Person| {
        let login = escape(&person.login);
        format!("<li><a href=\"{here}&amp;login={login}\">Continue as {login}</a></li>")
    };
    let people = people.iter().map(continue_as).collect::<Vec<_>>().concat();
    Html(format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <link rel=\"icon\" href=\"data:,\"><title>Authorize Latchkey</title></head>\
         <body><main><h1>Authorize Latchkey</h1><p>This is GitHub’s stand-in for tests.</p>\
         <ul>{people}</ul><p><a href=\"{here}&amp;cancel=1\">Cancel</a></p></main></body></html>"
    ))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
