//! Finds out on the server who calls a server function.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use latchkey_domain::api::PageLimit;
use latchkey_domain::credentials;
use latchkey_services::{Actor, PageRequest, Services, accounts};
use leptos::prelude::*;

use super::ApiError;
use crate::context::ClientAddress;

/// The services, and who asks: as it was found when the call's body had come, or whose token the
/// request carries.
///
/// # Errors
/// `unauthenticated` without a valid token.
pub(super) async fn caller() -> Result<(Services, Actor), ApiError> {
    let services = expect_context::<Services>();
    let parts = use_context::<Parts>();
    if let Some(actor) = parts.as_ref().and_then(|parts| parts.extensions.get::<Actor>()) {
        return Ok((services, actor.clone()));
    }
    let ip = use_context::<ClientAddress>().and_then(|address| address.0);
    let token = parts.as_ref().and_then(|parts| bearer(&parts.headers));
    let actor = accounts::authenticate(&services, token, ip).await?;
    Ok((services, actor))
}

/// A page of the usual size.
pub(super) fn page(cursor: Option<String>) -> PageRequest {
    PageRequest { limit: PageLimit::default(), cursor }
}

/// The token of the `Authorization` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    credentials::bearer(headers.get(AUTHORIZATION)?.to_str().ok()?)
}
