//! `/v1/projects/{id}/inference/keys` and `/v1/inference/keys/{id}`: the same life, for the
//! gateway's keys.

use axum::extract::State;
use axum::http::StatusCode;
use latchkey_domain::api::{
    ApiKey, CreatedKey, InferenceKeyRequest, KeyFilter, KeyPatch, Page, RotateRequest,
};
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::Problem;
use latchkey_services::{KeyRef, Services, keys};

use super::keys::KeyParams;
use crate::http::auth::Caller;
use crate::http::extract::{ListPage, PageParams, Params, PathId};
use crate::http::idempotency::IdempotencyKey;
use crate::http::json::Json;
use crate::http::problem::Refusal;

/// List the inference keys of a project
#[utoipa::path(
    get,
    path = "/v1/projects/{projectId}/inference/keys",
    operation_id = "list_inference_keys",
    tag = "Keys",
    params(("projectId" = ProjectId, Path), KeyParams, PageParams),
    responses(
        (status = 200, description = "Keys, newest first by default", body = Page<ApiKey>),
        (status = 401, description = "`unauthenticated`, or the reason why the service key was denied", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: the resource does not exist or belongs to another tenant", body = Problem),
        (status = 422, description = "`invalid`", body = Problem),
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
/// The response contains the secret. It is returned only once.
#[utoipa::path(
    post,
    path = "/v1/projects/{projectId}/inference/keys",
    operation_id = "create_inference_key",
    tag = "Keys",
    params(("projectId" = ProjectId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = InferenceKeyRequest),
    responses(
        (status = 201, description = "The key and its secret. The secret is returned only once", body = CreatedKey),
        (status = 401, description = "`unauthenticated`, or the reason why the service key was denied", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: the resource does not exist or belongs to another tenant", body = Problem),
        (status = 409, description = "`name_taken`, `tier_limit_reached`, `idempotency_replay`", body = Problem),
        (status = 422, description = "`invalid`, `idempotency_mismatch`", body = Problem),
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

/// Get an inference key
#[utoipa::path(
    get,
    path = "/v1/inference/keys/{keyId}",
    operation_id = "get_inference_key",
    tag = "Keys",
    params(("keyId" = KeyId, Path)),
    responses(
        (status = 200, description = "The key", body = ApiKey),
        (status = 401, description = "`unauthenticated`, or the reason why the service key was denied", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: the resource does not exist or belongs to another tenant", body = Problem),
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn get(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<KeyId>,
) -> Result<axum::Json<ApiKey>, Refusal> {
    let listed = keys::get(&services, &actor, KeyRef::inference(id)).await?;
    Ok(axum::Json(listed.key))
}

/// Update an inference key
///
/// Omitted fields are left unchanged; null clears a field. Changes take effect immediately.
#[utoipa::path(
    patch,
    path = "/v1/inference/keys/{keyId}",
    operation_id = "change_inference_key",
    tag = "Keys",
    params(("keyId" = KeyId, Path)),
    request_body(content = KeyPatch),
    responses(
        (status = 200, description = "The updated key", body = ApiKey),
        (status = 401, description = "`unauthenticated`, or the reason why the service key was denied", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: the resource does not exist or belongs to another tenant", body = Problem),
        (status = 409, description = "`conflict`: the key is revoked; `name_taken`; `tier_limit_reached`", body = Problem),
        (status = 422, description = "`invalid`", body = Problem),
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn change(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<KeyId>,
    Json(patch): Json<KeyPatch>,
) -> Result<axum::Json<ApiKey>, Refusal> {
    Ok(axum::Json(keys::change(&services, &actor, KeyRef::inference(id), patch).await?))
}

/// Revoke an inference key
///
/// The key stops working before this request returns. Revocation is final; revoking a revoked key
/// has no effect.
#[utoipa::path(
    delete,
    path = "/v1/inference/keys/{keyId}",
    operation_id = "revoke_inference_key",
    tag = "Keys",
    params(("keyId" = KeyId, Path)),
    responses(
        (status = 204, description = "The key is revoked"),
        (status = 401, description = "`unauthenticated`, or the reason why the service key was denied", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: the resource does not exist or belongs to another tenant", body = Problem),
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn revoke(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<KeyId>,
) -> Result<StatusCode, Refusal> {
    keys::revoke(&services, &actor, KeyRef::inference(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rotate an inference key
///
/// Replaces the secret; the key keeps its ID. The old secret stays valid for the grace period, but
/// never past the key’s expiry.
#[utoipa::path(
    post,
    path = "/v1/inference/keys/{keyId}/rotate",
    operation_id = "rotate_inference_key",
    tag = "Keys",
    params(("keyId" = KeyId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = Option<RotateRequest>),
    responses(
        (status = 200, description = "The key and its new secret. The secret is returned only once", body = CreatedKey),
        (status = 401, description = "`unauthenticated`, or the reason why the service key was denied", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: the resource does not exist or belongs to another tenant", body = Problem),
        (status = 409, description = "`conflict`: the key is revoked or expired; `idempotency_replay`", body = Problem),
        (status = 422, description = "`invalid`, `idempotency_mismatch`", body = Problem),
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn rotate(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<KeyId>,
    idempotency: IdempotencyKey,
    body: Option<Json<RotateRequest>>,
) -> Result<axum::Json<CreatedKey>, Refusal> {
    let request = body.map(|Json(request)| request).unwrap_or_default();
    let idempotency = idempotency.of(&request);
    let created =
        keys::rotate(&services, &actor, KeyRef::inference(id), request, idempotency.as_ref())
            .await?;
    Ok(axum::Json(created))
}

/// Archive a revoked or expired inference key
///
/// Archived keys are hidden from lists by default.
#[utoipa::path(
    post,
    path = "/v1/inference/keys/{keyId}/archive",
    operation_id = "archive_inference_key",
    tag = "Keys",
    params(("keyId" = KeyId, Path)),
    responses(
        (status = 200, description = "The key", body = ApiKey),
        (status = 401, description = "`unauthenticated`, or the reason why the service key was denied", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: the resource does not exist or belongs to another tenant", body = Problem),
        (status = 409, description = "`conflict`: the key is active", body = Problem),
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn archive(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<KeyId>,
) -> Result<axum::Json<ApiKey>, Refusal> {
    Ok(axum::Json(keys::archive(&services, &actor, KeyRef::inference(id)).await?))
}

/// Unarchive an inference key
#[utoipa::path(
    post,
    path = "/v1/inference/keys/{keyId}/unarchive",
    operation_id = "unarchive_inference_key",
    tag = "Keys",
    params(("keyId" = KeyId, Path)),
    responses(
        (status = 200, description = "The key", body = ApiKey),
        (status = 401, description = "`unauthenticated`, or the reason why the service key was denied", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: the resource does not exist or belongs to another tenant", body = Problem),
        (status = 409, description = "`conflict`: the key is active", body = Problem),
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn unarchive(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<KeyId>,
) -> Result<axum::Json<ApiKey>, Refusal> {
    Ok(axum::Json(keys::unarchive(&services, &actor, KeyRef::inference(id)).await?))
}
