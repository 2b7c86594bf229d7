//! `/v1/projects/{id}/inference/keys` and `/v1/inference/keys/{id}`: the same life, for the
//! gateway's keys.

use axum::extract::State;
use axum::http::StatusCode;
use latchkey_domain::api::{
    ApiKey, CreatedKey, InferenceKeyRequest, KeyFilter, KeyPatch, Page, RotateRequest,
};
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::key::KeyKind;
use latchkey_services::{KeyRef, Services, keys};

use super::key_actions::{KeyIsActive, KeyNotChanged, KeyNotRotated, key_actions};
use super::keys::KeyParams;
use crate::http::auth::Caller;
use crate::http::extract::{ListPage, PageParams, Params, PathId};
use crate::http::idempotency::IdempotencyKey;
use crate::http::json::Json;
use crate::http::problem::Refusal;
use crate::http::responses::{Invalid, InvalidOrMismatched, KeyNotCreated, NoKeyAccess};

/// List the inference keys of a project
#[utoipa::path(
    get,
    path = "/v1/projects/{projectId}/inference/keys",
    operation_id = "list_inference_keys",
    tag = "Keys",
    params(("projectId" = ProjectId, Path), KeyParams, PageParams),
    responses(
        (status = 200, description = "Keys, newest first by default", body = Page<ApiKey>),
        NoKeyAccess,
        Invalid,
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn list(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(project): PathId<ProjectId>,
    Params(params): Params<KeyParams>,
    ListPage(page): ListPage,
) -> Result<axum::Json<Page<ApiKey>>, Refusal> {
    let filter = KeyFilter { kind: Some(KeyKind::Inference), ..params.filter()? };
    let keys = keys::list(&services, &actor, project, &filter, page).await?;
    Ok(axum::Json(keys.map(|listed| listed.key)))
}

/// Create an inference key
///
/// The response contains the secret. It is returned only once. Limits that the request does not
/// mention are the project’s `key_defaults`. `token_limit` and `spend_limit` are short forms of
/// budgets, and stand before those in `budgets`.
#[utoipa::path(
    post,
    path = "/v1/projects/{projectId}/inference/keys",
    operation_id = "create_inference_key",
    tag = "Keys",
    params(("projectId" = ProjectId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = InferenceKeyRequest),
    responses(
        (status = 201, description = "The key and its secret. The secret is returned only once", body = CreatedKey),
        NoKeyAccess,
        KeyNotCreated,
        InvalidOrMismatched,
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn create(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(project): PathId<ProjectId>,
    idempotency: IdempotencyKey,
    Json(request): Json<InferenceKeyRequest>,
) -> Result<(StatusCode, axum::Json<CreatedKey>), Refusal> {
    let idempotency = idempotency.of(&request);
    let created =
        keys::create(&services, &actor, project, request.into(), idempotency.as_ref()).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

key_actions!(
    "/v1/inference/keys/{keyId}",
    "inference_key",
    "inference key",
    "an inference key",
    KeyRef::inference
);
