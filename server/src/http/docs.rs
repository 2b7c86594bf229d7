//! `/openapi.json`: the API as a machine reads it, made from the handlers' own descriptions.

use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

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
        (name = "API keys", description = "Keys of an application, as Upblit’s clients know them"),
        (name = "Ingest", description = "What applications send in with their keys"),
        (name = "Telemetry", description = "What they sent, read back"),
        (name = "Workspace", description = "Organizations, projects and applications"),
        (name = "Sessions", description = "Signing in, staying signed in, signing out"),
        (name = "Operation", description = "For whoever runs the server"),
    ),
    modifiers(&Security),
)]
pub(crate) struct ApiDoc;

struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_with(Default::default);
        let mut user = Http::new(HttpAuthScheme::Bearer);
        user.bearer_format = Some("JWT".to_owned());
        components.add_security_scheme("user", SecurityScheme::Http(user));
        let key = ApiKey::Header(ApiKeyValue::new("x-api-key"));
        components.add_security_scheme("key", SecurityScheme::ApiKey(key));
    }
}
