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

use super::auth::Caller;
use super::extract::{ListPage, PageParams, Params, PathId};
use super::idempotency::IdempotencyKey;
use super::json::Json;
use super::keys::KeyParams;
use super::problem::Refusal;

/// List inference keys of a project, masked
#[utoipa::path(
    get,
    path = "/v1/projects/{projectId}/inference/keys",
    operation_id = "list_inference_keys",
    tag = "Keys",
    params(("projectId" = ProjectId, Path), KeyParams, PageParams),
    responses(
        (status = 200, description = "Newest first unless sorted otherwise", body = Page<ApiKey>),
        (status = 401, description = "`unauthenticated`, or why the service key was refused", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: no such thing, or another tenant’s", body = Problem),
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

/// Make an inference key
///
/// The answer holds the secret, this once.
#[utoipa::path(
    post,
    path = "/v1/projects/{projectId}/inference/keys",
    operation_id = "create_inference_key",
    tag = "Keys",
    params(("projectId" = ProjectId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = InferenceKeyRequest),
    responses(
        (status = 201, description = "The key and, this once, its secret", body = CreatedKey),
        (status = 401, description = "`unauthenticated`, or why the service key was refused", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: no such thing, or another tenant’s", body = Problem),
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

/// One inference key, masked
#[utoipa::path(
    get,
    path = "/v1/inference/keys/{keyId}",
    operation_id = "get_inference_key",
    tag = "Keys",
    params(("keyId" = KeyId, Path)),
    responses(
        (status = 200, description = "The key", body = ApiKey),
        (status = 401, description = "`unauthenticated`, or why the service key was refused", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: no such thing, or another tenant’s", body = Problem),
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

/// Change an inference key’s name, limits or expiry
///
/// What is absent stays, null clears. Effective at once.
#[utoipa::path(
    patch,
    path = "/v1/inference/keys/{keyId}",
    operation_id = "change_inference_key",
    tag = "Keys",
    params(("keyId" = KeyId, Path)),
    request_body(content = KeyPatch),
    responses(
        (status = 200, description = "The key as it is now", body = ApiKey),
        (status = 401, description = "`unauthenticated`, or why the service key was refused", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: no such thing, or another tenant’s", body = Problem),
        (status = 409, description = "`conflict`: it is revoked; `name_taken`, `tier_limit_reached`", body = Problem),
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
/// Final. Once this has answered, no check admits the key. Revoking it again changes nothing.
#[utoipa::path(
    delete,
    path = "/v1/inference/keys/{keyId}",
    operation_id = "revoke_inference_key",
    tag = "Keys",
    params(("keyId" = KeyId, Path)),
    responses(
        (status = 204, description = "Revoked, now or before"),
        (status = 401, description = "`unauthenticated`, or why the service key was refused", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: no such thing, or another tenant’s", body = Problem),
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

/// Give an inference key a new secret
///
/// The key keeps its id. The old secret works for the grace, never past the key’s expiry.
#[utoipa::path(
    post,
    path = "/v1/inference/keys/{keyId}/rotate",
    operation_id = "rotate_inference_key",
    tag = "Keys",
    params(("keyId" = KeyId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = Option<RotateRequest>),
    responses(
        (status = 200, description = "The key and, this once, its new secret", body = CreatedKey),
        (status = 401, description = "`unauthenticated`, or why the service key was refused", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: no such thing, or another tenant’s", body = Problem),
        (status = 409, description = "`conflict`: it is revoked or expired; `idempotency_replay`", body = Problem),
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

/// Hide an inference key that is revoked or expired from lists
#[utoipa::path(
    post,
    path = "/v1/inference/keys/{keyId}/archive",
    operation_id = "archive_inference_key",
    tag = "Keys",
    params(("keyId" = KeyId, Path)),
    responses(
        (status = 200, description = "The key", body = ApiKey),
        (status = 401, description = "`unauthenticated`, or why the service key was refused", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: no such thing, or another tenant’s", body = Problem),
        (status = 409, description = "`conflict`: it is active", body = Problem),
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

/// Show an archived inference key in lists again
#[utoipa::path(
    post,
    path = "/v1/inference/keys/{keyId}/unarchive",
    operation_id = "unarchive_inference_key",
    tag = "Keys",
    params(("keyId" = KeyId, Path)),
    responses(
        (status = 200, description = "The key", body = ApiKey),
        (status = 401, description = "`unauthenticated`, or why the service key was refused", body = Problem),
        (status = 403, description = "`forbidden`", body = Problem),
        (status = 404, description = "`not_found`: no such thing, or another tenant’s", body = Problem),
        (status = 409, description = "`conflict`: it is active", body = Problem),
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
