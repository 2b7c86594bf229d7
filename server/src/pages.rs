//! The pages, rendered by Leptos. What they need from the server is provided as context.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, COOKIE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use latchkey_app::{ClientAddress, PublicUrl, SignIn, SiteAssets, ThemeChoice, UpstreamReports};
use leptos::prelude::provide_context;

use crate::assets;
use crate::config;
use crate::http::client::ClientIp;
use crate::http::problem::Refusal;
use crate::http::request_id::RequestId;
use crate::http::{auth, json, limits};
use crate::state::AppState;

pub(crate) async fn page(State(state): State<AppState>, request: Request) -> Response {
    // The semaphore is never closed.
    let _permit = state.rendering.acquire().await;
    let contexts = contexts(&state, &request);
    leptos_axum::render_app_to_stream_with_context(contexts, latchkey_app::shell)(request)
        .await
        .into_response()
}

/// Runs a server function. The caller is authenticated before the body is parsed, so that anonymous
/// callers learn nothing about it.
pub(crate) async fn server_function(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = json::read(Request::from_parts(parts.clone(), body), &state).await;
    let actor = match auth::caller(&parts.headers, ip, &state).await {
        Ok(actor) => actor,
        Err(error) => {
            let mut rate_headers = HeaderMap::new();
            limits::write_refused(&mut rate_headers, &error);
            return (rate_headers, Refusal::from(error)).into_response();
        }
    };
    let body = match body {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response(),
    };
    parts.extensions.insert(actor);
    let request = Request::from_parts(parts, Body::from(body));
    let site = contexts(&state, &request);
    let contexts = move || {
        site();
        provide_context(ClientAddress(ip));
    };
    leptos_axum::handle_server_fns_with_context(contexts, request).await.into_response()
}

/// The fallback of the router: a file of the site, or 404 as a page for browsers and as a problem
/// for programs.
pub(crate) async fn fallback(state: State<AppState>, request: Request) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads && let Some(file) = assets::serve(request.uri(), request.headers()) {
        return file;
    }
    if reads && wants_page(request.headers()) {
        return page(state, request).await;
    }
    StatusCode::NOT_FOUND.into_response()
}

/// Whether the client accepts HTML, as browsers do.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn contexts(state: &AppState, request: &Request) -> impl Fn() + Clone + Send + Sync + 'static {
    let services = state.services.clone();
    let gateway = state.gateway.clone();
    let upstreams = UpstreamReports(Arc::new(move || gateway.upstream_reports()));
    let site = SiteAssets {
        js: state.site.js.clone(),
        modules: state.site.modules.clone(),
        wasm: state.site.wasm.clone(),
        pieces: state.site.pieces.clone(),
        css: state.site.css.clone(),
        preload: state.site.preload.clone(),
        reload_port: state.site.reload_port,
    };
    let sign_in = match state.config.sign_in {
        config::SignIn::Github(_) => SignIn { github: true, local: false },
        config::SignIn::Local => SignIn { github: false, local: true },
    };
    let public_url = PublicUrl(state.config.public_url.to_string());
    let cookies = request.headers().get(COOKIE).and_then(|value| value.to_str().ok());
    let theme = cookies.map(ThemeChoice::from_cookies).unwrap_or_default();
    let request_id = request.extensions().get::<RequestId>().map(ToString::to_string);
    move || {
        provide_context(services.clone());
        provide_context(upstreams.clone());
        provide_context(site.clone());
        provide_context(sign_in);
        provide_context(public_url.clone());
        provide_context(theme);
        provide_context(latchkey_app::RequestId(request_id.clone().unwrap_or_default()));
    }
}
