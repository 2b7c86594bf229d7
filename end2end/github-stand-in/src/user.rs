//! `GET /api/v3/user`: who a token belongs to; and their picture.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::github::Endpoint;
use crate::shared::Shared;

pub(crate) async fn current(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if !headers.contains_key(header::USER_AGENT) {
        let why = "Request forbidden by administrative rules: it has no User-Agent header.";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    if let Err(fault) = shared.play_fault(Endpoint::User).await {
        return fault;
    }
    let github = shared.lock();
    let Some(person) = bearer(&headers).and_then(|token| github.person_by_token(token)) else {
        let body = json!({"message": "Bad credentials", "status": "401"});
        return (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    };
    Json(json!({
        "id": person.id,
        "login": person.login,
        "name": person.name,
        "email": person.email,
        "avatar_url": format!("{}/avatars/u/{}?v=4", shared.base_url, person.id),
        "type": "User",
    }))
    .into_response()
}

/// The token, in either of the two forms that GitHub takes.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    ["bearer", "token"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
        .then_some(token.trim())
}

/// A plain square, so that a page which shows the picture has one to load.
pub(crate) async fn avatar(Path(id): Path<u64>) -> impl IntoResponse {
    let hue = id % 360;
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"64\" height=\"64\">\
         <rect width=\"64\" height=\"64\" fill=\"hsl({hue} 60% 45%)\"/></svg>"
    );
    ([(header::CONTENT_TYPE, "image/svg+xml")], svg)
}
