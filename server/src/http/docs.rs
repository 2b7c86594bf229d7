//! `/openapi.json` and `/docs`: the API as machines and as people read it, made from the handlers'
//! own descriptions.

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::middleware::map_response;
use axum::routing::get;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Content, PathItem, Ref, RefOr, Response};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::state::AppState;

/// The document that the handlers' descriptions are added to.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Latchkey",
        description = "Issues API keys, shows each once, masks, limits, meters, rotates and revokes them, \
                       and checks them at memory speed.",
        license(name = "Apache-2.0 OR MIT"),
    ),
    tags(
        (name = "Keys", description = "The whole life of a key, and checking one"),
        (name = "API keys", description = "Keys of an application, as Upblit’s clients know them"),
        (name = "Ingest", description = "What applications send in with their keys"),
        (name = "Gateway", description = "OpenAI’s protocol, with inference keys and their limits"),
        (name = "Telemetry", description = "What they sent, read back"),
        (name = "Usage", description = "What keys are used for, and why calls were refused"),
        (name = "Workspace", description = "Organizations, projects and applications"),
        (name = "Members", description = "Who is in an organization, in which role"),
        (name = "Audit", description = "Who did what, when and from where"),
        (name = "Sessions", description = "Signing in, staying signed in, signing out"),
        (name = "Dashboard", description = "What the pages call: the arguments as JSON. A list takes the \
                                            `next_cursor` of the page before as `cursor`"),
        (name = "Operation", description = "For whoever runs the server"),
    ),
    modifiers(&Security),
)]
pub(crate) struct ApiDoc;

/// Swagger UI at `/docs`, over the description at `/openapi.json`. That is written once and shared
/// by all who get it: anyone may ask for it, and it is large.
pub(crate) fn pages(document: &utoipa::openapi::OpenApi) -> Router<AppState> {
    const PATH: &str = "/openapi.json";
    let written = serde_json::to_vec(document).expect("a description is texts, lists and maps");
    let written = Bytes::from(written);
    let serve = async move || ([(CONTENT_TYPE, "application/json")], written.clone());
    let pages: Router<AppState> = SwaggerUi::new("/docs").config(Config::new([PATH])).into();
    pages.route(PATH, get(serve)).layer(map_response(
        async |mut response: axum::response::Response| {
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
            response
        },
    ))
}

/// Swagger UI writes style attributes; its scripts are files of this server.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_with(Default::default);
        let mut user = Http::new(HttpAuthScheme::Bearer);
        user.bearer_format = Some("JWT".to_owned());
        components.add_security_scheme("user", SecurityScheme::Http(user));
        let service = Http::new(HttpAuthScheme::Bearer);
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

/// Completes a description that was put together from the handlers': refusals have their own media
/// type, where a caller must say who they are a limit may be met, and every operation may meet a
/// refusal that it does not name, such as 413, 415 or 503.
pub(crate) fn complete(document: &mut utoipa::openapi::OpenApi) {
    for item in document.paths.paths.values_mut() {
        operations(item).for_each(complete_operation);
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().filter_map(Option::as_mut)
}

fn complete_operation(operation: &mut Operation) {
    const PROBLEM: &str = "application/problem+json";
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(Response { content, .. }) = response else { continue };
        if content.get("application/json").is_some_and(is_problem)
            && let Some(problem) = content.shift_remove("application/json")
        {
            content.insert(PROBLEM.to_owned(), problem);
        }
    }
    let refusal = |description: &str| {
        let mut response = Response::new(description);
        let problem = Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem"))));
        response.content.insert(PROBLEM.to_owned(), RefOr::T(problem));
        RefOr::T(response)
    };
    let named = needs_credentials(operation);
    let responses = &mut operation.responses.responses;
    if named {
        responses.entry("429".to_owned()).or_insert_with(|| refusal(LIMITED));
    }
    let other = refusal("Any other refusal, e.g. `too_large` or `unavailable`");
    responses.insert("default".to_owned(), other);
}

/// What every call that may come with a service key can be answered.
const LIMITED: &str = "`too_many_failures`, instead of `unknown_key`, after 60 unknown or malformed keys from this \
                       address in a minute; or `rate_limited`, by the service key’s own limit or the changes that a caller may make in a \
                       minute. With `Retry-After`";

/// Whether a caller must say who they are. An empty requirement means that they need not.
fn needs_credentials(operation: &Operation) -> bool {
    let accepted = operation.security.as_deref().unwrap_or_default();
    !accepted.is_empty() && accepted.iter().all(|one| *one != SecurityRequirement::default())
}

fn is_problem(content: &RefOr<Content>) -> bool {
    let RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. }) = content else { return false };
    schema.ref_location.ends_with("/Problem")
}
