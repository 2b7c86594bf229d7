//! `/openapi.json` and `/docs`: the API as machines and as people read it, made from the handlers'
//! own descriptions.

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::middleware::{from_fn, map_response};
use axum::routing::get;
use latchkey_domain::api::KeySort;
use latchkey_domain::attribute::Tag;
use latchkey_domain::import::Preset;
use latchkey_domain::problem::Problem;
use latchkey_domain::query::QueryText;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::http::compress;
use crate::state::AppState;

/// The document that the handlers' descriptions are added to.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Latchkey",
        description = "Issue, limit, meter, rotate and revoke API keys, and check them at memory \
                       speed.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT"),
    ),
    tags(
        (name = "Keys", description = "Create, verify, limit, rotate, revoke and archive keys"),
        (name = "API keys", description = "Keys of an application, compatible with clients of the \
                                           Upblit observability service"),
        (name = "Ingest", description = "Endpoints that receive traces and logs from applications"),
        (name = "Gateway", description = "OpenAI-compatible API for models, authenticated and \
                                          limited by inference keys"),
        (name = "Telemetry", description = "Query the traces and logs of an application"),
        (name = "Usage", description = "Requests, tokens and recent denials of keys and projects"),
        (name = "Workspace", description = "Organizations, projects and applications"),
        (name = "Members", description = "Members of an organization, their roles and invitations"),
        (name = "Audit", description = "Audit log of an organization"),
        (name = "Sessions", description = "Sign-in, session refresh and sign-out"),
        (name = "Operation", description = "Health checks and upstreams"),
    ),
    // Those that are in parameters or sets of responses alone: their derives do not bring them.
    components(schemas(KeySort, Preset, Problem, QueryText, Tag)),
    modifiers(&Security),
)]
pub(crate) struct ApiDoc;

/// What the pages call, in a document of its own: it changes with them, and no client but theirs is
/// meant to call it.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Latchkey dashboard",
        description = "Internal API of the dashboard. It can change at any time; use \
                       `/openapi.json` instead.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT"),
    ),
    tags((name = "Dashboard", description = "Arguments are sent as JSON. Lists take the \
                                             `next_cursor` of the previous page as `cursor`")),
    components(schemas(Problem)),
    modifiers(&Security),
)]
pub(crate) struct DashboardDoc;

const PATH: &str = "/openapi.json";
const DASHBOARD_PATH: &str = "/openapi/dashboard.json";

/// Swagger UI at `/docs`, over the descriptions, which are written once and shared by all who get
/// them: anyone may ask, and they are large.
pub(crate) fn pages(api: &Document, dashboard: &Document) -> Router<AppState> {
    let config = Config::new([PATH, DASHBOARD_PATH]);
    let pages: Router<AppState> = SwaggerUi::new("/docs").config(config).into();
    let headers = map_response(async |mut response: axum::response::Response| {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
        response
    });
    pages
        .merge(document(PATH, api))
        .merge(document(DASHBOARD_PATH, dashboard))
        .layer(from_fn(compress::tag))
        .layer(compress::layer())
        .layer(headers)
}

fn document(path: &str, document: &Document) -> Router<AppState> {
    let written = serde_json::to_vec(document).expect("a description is texts, lists and maps");
    let written = Bytes::from(written);
    let serve = async move || ([(CONTENT_TYPE, "application/json")], written.clone());
    Router::new().route(path, get(serve))
}

/// Swagger UI writes style attributes; its scripts are files of this server.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// How to get an access token.
const USER: &str = "Access token of a person who is signed in. Sign in on the site: its pages get \
                    a token from `POST /refresh` and store it in the browser’s local storage, as \
                    `token`. It is short-lived; `POST /refresh` gives the next one. Scripts use a \
                    service key instead.";
/// How to get a service key.
const SERVICE_KEY: &str = "Service key, for scripts and backends. Create one under Settings → \
                           Service keys, or with `POST /v1/projects/{projectId}/keys` and `kind` \
                           `service`.";

struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut Document) {
        let components = openapi.components.get_or_insert_with(Default::default);
        let mut user = Http::new(HttpAuthScheme::Bearer);
        user.bearer_format = Some("JWT".to_owned());
        user.description = Some(USER.to_owned());
        components.add_security_scheme("user", SecurityScheme::Http(user));
        let mut service = Http::new(HttpAuthScheme::Bearer);
        service.description = Some(SERVICE_KEY.to_owned());
        components.add_security_scheme("service_key", SecurityScheme::Http(service));
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.bearer_format = Some("API key".to_owned());
        components.add_security_scheme("bearer_key", SecurityScheme::Http(bearer));
        let basic = Http::new(HttpAuthScheme::Basic);
        components.add_security_scheme("basic_key", SecurityScheme::Http(basic));
        let key = ApiKey::Header(ApiKeyValue::new("x-api-key"));
        components.add_security_scheme("key", SecurityScheme::ApiKey(key));
    }
}
