//! `/apikey`: the keys of an application, in the form that Upblit's clients know.

use axum::extract::State;
use axum::http::StatusCode;
use latchkey_domain::api::Application;
use latchkey_domain::api::{ApiKey, ApplicationKeyRequest, Page, RevealedSecret};
use latchkey_domain::id::{ApplicationId, KeyId};
use latchkey_domain::problem::Problem;
use latchkey_services::{Services, keys};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::auth::Caller;
use crate::http::extract::{ListPage, PageParams, Params, PathId, given, no_such_id};
use crate::http::idempotency::IdempotencyKey;
use crate::http::json::Json;
use crate::http::problem::Refusal;
use crate::http::responses::{Invalid, IsViewer, KeyNotCreated, Malformed, NoAccess};

/// Query parameters of `/apikey`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfApplication {
    /// ID of the application.
    #[serde(rename = "ApplicationId")]
    #[param(value_type = ApplicationId, required = true)]
    application: Option<String>,
}

impl OfApplication {
    fn id(self) -> Result<ApplicationId, Refusal> {
        let text = given(self.application).ok_or_else(|| {
            Problem::invalid(
                "ApplicationId",
                "Add the application’s ID to the query: \
                                               ?ApplicationId=app_…",
            )
        })?;
        text.parse().map_err(|_| no_such_id())
    }
}

/// Create a key for an application
///
/// The response body is the secret as a JSON string. It is returned only once. Without a request
/// body, the key is a live key whose name is derived from the application's.
#[utoipa::path(
    post,
    path = "/apikey",
    operation_id = "generate_api_key",
    tag = "API keys",
    params(OfApplication, ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = Option<ApplicationKeyRequest>),
    responses(
        (status = 200, description = "The secret. It is returned only once", body = String,
            content_type = "application/json", example = json!("lk_live_…")),
        Malformed,
        NoAccess<Application>,
        IsViewer,
        KeyNotCreated,
        Invalid,
    ),
    security(("user" = [])),
)]
pub(crate) async fn generate(
    State(services): State<Services>,
    Caller(actor): Caller,
    Params(of): Params<OfApplication>,
    idempotency: IdempotencyKey,
    body: Option<Json<ApplicationKeyRequest>>,
) -> Result<axum::Json<RevealedSecret>, Refusal> {
    let request = body.map(|Json(request)| request).unwrap_or_default();
    let idempotency = idempotency.of(&request);
    let created =
        keys::create_for_application(&services, &actor, of.id()?, request, idempotency.as_ref())
            .await?;
    Ok(axum::Json(created.key))
}

/// List the keys of an application
#[utoipa::path(
    get,
    path = "/apikey",
    operation_id = "list_api_keys",
    tag = "API keys",
    params(
        OfApplication,
        PageParams,
    ),
    responses(
        (status = 200, description = "Keys, newest first, including revoked ones", body = Page<ApiKey>),
        NoAccess<Application>,
        Invalid,
    ),
    security(("user" = [])),
)]
pub(crate) async fn list(
    State(services): State<Services>,
    Caller(actor): Caller,
    Params(of): Params<OfApplication>,
    ListPage(page): ListPage,
) -> Result<axum::Json<Page<ApiKey>>, Refusal> {
    let keys = keys::list_of_application(&services, &actor, of.id()?, page).await?;
    Ok(axum::Json(keys.map(|listed| listed.key)))
}

/// Revoke a key
///
/// The key stops working before this request returns. Revocation is final; revoking a revoked key
/// has no effect.
#[utoipa::path(
    delete,
    path = "/apikey/{keyId}",
    operation_id = "revoke_api_key",
    tag = "API keys",
    params(("keyId" = KeyId, Path)),
    responses(
        (status = 204, description = "The key is revoked"),
        NoAccess<ApiKey>,
        IsViewer,
    ),
    security(("user" = [])),
)]
pub(crate) async fn revoke(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<KeyId>,
) -> Result<StatusCode, Refusal> {
    keys::revoke(&services, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
