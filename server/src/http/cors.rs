//! Calls of pages from other origins: what applications call with their keys, and nothing that
//! people are signed in to. Browsers ask first, without a key, and that is answered here.

use std::time::Duration;

use axum::http::Method;
use tower_http::cors::{AllowHeaders, AllowOrigin, Any, CorsLayer};

use crate::config::CorsOrigins;

/// How long a browser may remember the answer; none remembers it for longer.
const REMEMBERED: Duration = Duration::from_hours(2);

/// The layer around the routes that pages of these origins may call.
pub(crate) fn layer(origins: &CorsOrigins) -> CorsLayer {
    let origins = match origins {
        CorsOrigins::Any => AllowOrigin::any(),
        CorsOrigins::Named(origins) => AllowOrigin::list(origins.iter().cloned()),
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        // Clients send many of their own. Cookies are never taken along.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(Any)
        .max_age(REMEMBERED)
}
