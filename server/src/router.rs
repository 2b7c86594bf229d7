//! The router: which handler serves which path.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use tower_http::timeout::TimeoutLayer;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::routes;

use crate::config::CorsOrigins;
use crate::http::described::DescribedRouter;
use crate::http::request_limits::{ANYBODYS_BODY, MANAGEMENT_BODY, REQUEST_TIMEOUT};
use crate::http::{compress, cors, describe, limits};
use crate::routes::{
    api_keys, applications, audit, budget_events, check, docs, export, health, import,
    inference_keys, invitations, key_shapes, key_view, keys, me, members, organizations, projects,
    server_functions, sessions, telemetry, upstreams, usage, verify, well_known,
};
use crate::state::AppState;
use crate::{ingest, oauth, otel, pages};

/// The API with its description. Pages of the given origins may call ingest, the gateway
/// and the key's own view.
fn api(cors: Option<&CorsOrigins>) -> DescribedRouter {
    let across_origins = |routes: DescribedRouter| match cors {
        Some(origins) => routes.layer(cors::layer(origins)),
        None => routes,
    };
    let management = DescribedRouter::with_openapi(docs::ApiDoc::openapi())
        .routes(routes!(api_keys::generate, api_keys::list))
        .routes(routes!(api_keys::revoke))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::get, keys::change, keys::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(keys::archive))
        .routes(routes!(keys::unarchive))
        .routes(routes!(export::export))
        .routes(routes!(key_shapes::list, key_shapes::create))
        .routes(routes!(verify::verify_key))
        .routes(routes!(inference_keys::list, inference_keys::create))
        .routes(routes!(inference_keys::get, inference_keys::change, inference_keys::revoke))
        .routes(routes!(inference_keys::rotate))
        .routes(routes!(inference_keys::archive))
        .routes(routes!(inference_keys::unarchive))
        .routes(routes!(organizations::list, organizations::create))
        .routes(routes!(organizations::get, organizations::change, organizations::delete))
        .routes(routes!(members::list, members::invite))
        .routes(routes!(members::change, members::remove))
        .routes(routes!(invitations::withdraw))
        .routes(routes!(invitations::waiting))
        .routes(routes!(invitations::accept))
        .routes(routes!(invitations::decline))
        .routes(routes!(audit::list))
        .routes(routes!(audit::export))
        .routes(routes!(projects::list, projects::create))
        .routes(routes!(projects::get, projects::change, projects::delete))
        .routes(routes!(applications::list, applications::create))
        .routes(routes!(applications::get, applications::change, applications::delete))
        .routes(routes!(telemetry::list_traces))
        .routes(routes!(telemetry::list_logs))
        .routes(routes!(usage::of_key))
        .routes(routes!(usage::of_inference_key))
        .routes(routes!(usage::of_project))
        .routes(routes!(budget_events::list))
        .routes(routes!(me::get))
        .routes(routes!(upstreams::list))
        .layer(from_fn(compress::tag))
        .layer(compress::layer())
        .layer(DefaultBodyLimit::max(MANAGEMENT_BODY));
    let imports = DescribedRouter::default()
        .routes(routes!(import::import))
        .layer(DefaultBodyLimit::max(import::LARGEST_BODY))
        .layer(slow());
    let anybody = DescribedRouter::default()
        .routes(routes!(sessions::refresh))
        .routes(routes!(sessions::logout))
        .routes(routes!(oauth::authorize))
        .routes(routes!(oauth::callback))
        .routes(routes!(oauth::local))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .layer(DefaultBodyLimit::max(ANYBODYS_BODY));
    // Described here and answered by `service`, without these layers and for every method.
    let proxies = DescribedRouter::default().routes(routes!(check::get, check::post));
    let holders = DescribedRouter::default()
        .routes(routes!(key_view::get))
        .layer(DefaultBodyLimit::max(ANYBODYS_BODY));
    let sdks = DescribedRouter::default()
        .routes(routes!(ingest::traces))
        .routes(routes!(ingest::logs))
        .layer(DefaultBodyLimit::max(ingest::sdk::LARGEST_BODY));
    let ingest = DescribedRouter::default()
        .routes(routes!(ingest::otlp::otlp_traces))
        .routes(routes!(ingest::otlp::otlp_logs))
        .routes(routes!(ingest::otlp::otlp_metrics))
        .routes(routes!(ingest::otlp::langfuse_traces))
        .layer(DefaultBodyLimit::max(ingest::otlp::LARGEST_BODY))
        .merge(sdks);
    let gateway = latchkey_gateway::routes()
        .into_iter()
        .fold(DescribedRouter::default(), DescribedRouter::routes);
    management
        .merge(anybody)
        .merge(proxies)
        .merge(across_origins(ingest.merge(holders)))
        .layer(brief())
        .merge(imports)
        .merge(across_origins(gateway))
        .layer(from_fn(limits::announce))
}

/// Aborts slow requests. The gateway has its own time-outs.
fn brief() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT)
}

/// Aborts requests that are slow even for a large file.
fn slow() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, import::TIMEOUT)
}

fn describe(cors: Option<&CorsOrigins>) -> (Router<AppState>, Document) {
    let (router, mut document, _) = api(cors).split();
    describe::complete(&mut document);
    (router, document)
}

/// The API's description, as `/openapi.json` serves it.
pub fn openapi() -> Document {
    describe(None).1
}

/// The description of what the pages call, as `/openapi/dashboard.json` serves it.
pub fn dashboard_openapi() -> Document {
    let mut document = docs::DashboardDoc::openapi();
    server_functions::describe(&mut document);
    describe::complete(&mut document);
    document
}

/// All routes of the server. [`crate::service`] wraps them.
pub(crate) fn router(state: AppState) -> Router {
    let (api, document) = describe(state.config.cors_origins.as_ref());
    let mut pages = Router::new();
    for (path, _) in leptos::server_fn::axum::server_fn_paths() {
        pages = pages.route(path, post(pages::server_function));
    }
    for listing in leptos_axum::generate_route_list(latchkey_app::App) {
        pages = pages.route(listing.path(), get(pages::page));
    }
    let pages = pages.layer(DefaultBodyLimit::max(MANAGEMENT_BODY)).layer(brief());
    let docs = docs::pages(&document, &dashboard_openapi());
    let router: Router = api
        .merge(docs)
        .merge(well_known::routes())
        .merge(pages)
        .fallback(pages::fallback)
        .with_state(state);
    if otel::is_on() { router.layer(from_fn(otel::name_route)) } else { router }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_schema_name_has_one_owner() {
        let (.., of_api) = api(None).split();
        let of_pages = server_functions::describe(&mut docs::DashboardDoc::openapi());
        assert!(of_api.len() > 100 && of_pages.len() > 50);
        let mut owners = BTreeMap::new();
        for (name, schema) in of_api.into_iter().chain(of_pages) {
            let schema = serde_json::to_value(schema).unwrap();
            let first = owners.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(*first, schema, "two types are called {name}");
        }
    }
}
