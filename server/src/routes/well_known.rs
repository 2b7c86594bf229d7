//! Files that programs ask every site for: crawlers, browsers, and people who found a weakness.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::state::AppState;

/// Nothing here is for search: what is public is the sign-in page.
const ROBOTS: &str = "User-agent: *\nDisallow: /\n";
const ICON: &[u8] = include_bytes!("favicon.ico");
const TEXT: &str = "text/plain; charset=utf-8";
const A_DAY: &str = "public, max-age=86400";
/// A contact is good for this long (RFC 9116 recommends less than a year).
const GOOD_FOR: Duration = Duration::from_hours(180 * 24);

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route(
            "/robots.txt",
            get(async || ([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, A_DAY)], ROBOTS)),
        )
        .route(
            "/favicon.ico",
            get(async || ([(CONTENT_TYPE, "image/x-icon"), (CACHE_CONTROL, A_DAY)], ICON)),
        )
        .route("/.well-known/security.txt", get(security))
}

/// `security.txt` (RFC 9116). Without a contact there is no such file.
async fn security(State(state): State<AppState>) -> Response {
    let Some(contact) = &state.config.security_contact else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let expires = state.services.now() + GOOD_FOR;
    let own = &state.config.public_url;
    let text = format!(
        "Contact: {contact}\nExpires: {expires}\nCanonical: {own}/.well-known/security.txt\n"
    );
    ([(CONTENT_TYPE, TEXT)], text).into_response()
}
