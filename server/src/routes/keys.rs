//! `/v1/projects/{id}/keys` and `/v1/keys/{id}`: the whole life of a key.

use axum::extract::State;
use axum::http::StatusCode;
use latchkey_domain::api::{
    ApiKey, CreatedKey, KeyFilter, KeyPatch, KeyRequest, KeySort, Page, RotateRequest,
};
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::key::{Environment, KeyKind, KeyStatus};
use latchkey_domain::problem::Problem;
use latchkey_domain::query::QueryText;
use latchkey_services::{KeyRef, Services, keys};
use serde::Deserialize;
use serde::de::value::{Error as ValueError, StrDeserializer};
use utoipa::IntoParams;

use crate::http::auth::Caller;
use crate::http::extract::{ListPage, PageParams, Params, PathId, given, no_such_id, sought};
use crate::http::idempotency::IdempotencyKey;
use crate::http::json::Json;
use crate::http::problem::Refusal;

/// Filters and order for a list of keys.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct KeyParams {
    /// Only keys of this kind: `api`, `inference` or `service`.
    #[param(value_type = Option<KeyKind>)]
    kind: Option<String>,
    /// Only keys of this environment: `live` or `test`.
    #[param(value_type = Option<Environment>)]
    environment: Option<String>,
    /// Only keys with this status: `active`, `expired` or `revoked`.
    #[param(value_type = Option<KeyStatus>)]
    status: Option<String>,
    /// Only keys of this application.
    #[param(value_type = Option<latchkey_domain::id::ApplicationId>)]
    application_id: Option<String>,
    /// Whether to include archived keys. Defaults to `false`.
    #[param(value_type = Option<bool>)]
    archived: Option<String>,
    /// Only keys whose name, ID or masked form contains this text.
    #[param(value_type = Option<QueryText>)]
    q: Option<String>,
    /// Sort order: `created` (default) or `last_used`.
    #[param(value_type = Option<KeySort>)]
    sort: Option<String>,
}

impl KeyParams {
    pub(crate) fn filter(self) -> Result<KeyFilter, Refusal> {
        let archived = match self.archived.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Problem::invalid("archived", "Use true or false.").into()),
        };
        let application = given(self.application_id);
        Ok(KeyFilter {
            kind: one_of("kind", self.kind, "Use api, inference or service.")?,
            environment: one_of("environment", self.environment, "Use live or test.")?,
            status: one_of("status", self.status, "Use active, expired or revoked.")?,
            application_id: application
                .map(|text| text.parse().map_err(|_| no_such_id()))
                .transpose()?,
            archived,
            q: sought("q", self.q)?,
            sort: one_of("sort", self.sort, "Use created or last_used.")?.unwrap_or_default(),
        })
    }
}

/// A word of the query as the enum that JSON has it as.
fn one_of<T: for<'de> Deserialize<'de>>(
    field: &str,
    text: Option<String>,
    message: &str,
) -> Result<Option<T>, Refusal> {
    let Some(text) = given(text) else { return Ok(None) };
    T::deserialize(StrDeserializer::<ValueError>::new(&text))
        .map(Some)
        .map_err(|_| Problem::invalid(field, message).into())
}

/// List the keys of a project
#[utoipa::path(
    get,
    path = "/v1/projects/{projectId}/keys",
    operation_id = "list_keys",
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
    let filter = params.filter()?;
    let keys = keys::list(&services, &actor, project, &filter, page).await?;
    Ok(axum::Json(keys.map(|listed| listed.key)))
}

/// Create a key
///
/// The response contains the secret. It is returned only once.
#[utoipa::path(
    post,
    path = "/v1/projects/{projectId}/keys",
    operation_id = "create_key",
    tag = "Keys",
    params(("projectId" = ProjectId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = KeyRequest),
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
    Json(request): Json<KeyRequest>,
) -> Result<(StatusCode, axum::Json<CreatedKey>), Refusal> {
    let idempotency = idempotency.of(&request);
    let created = keys::create(&services, &actor, project, request, idempotency.as_ref()).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// Get a key
#[utoipa::path(
    get,
    path = "/v1/keys/{keyId}",
    operation_id = "get_key",
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
    let listed = keys::get(&services, &actor, KeyRef::from(id)).await?;
    Ok(axum::Json(listed.key))
}

/// Update a key
///
/// Omitted fields are left unchanged; null clears a field. Changes take effect immediately.
#[utoipa::path(
    patch,
    path = "/v1/keys/{keyId}",
    operation_id = "change_key",
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
    Ok(axum::Json(keys::change(&services, &actor, KeyRef::from(id), patch).await?))
}

/// Revoke a key
///
/// The key stops working before this request returns. Revocation is final; revoking a revoked key
/// has no effect.
#[utoipa::path(
    delete,
    path = "/v1/keys/{keyId}",
    operation_id = "revoke_key",
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
    keys::revoke(&services, &actor, KeyRef::from(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rotate a key
///
/// Replaces the secret; the key keeps its ID. The old secret stays valid for the grace period, but
/// never past the key’s expiry.
#[utoipa::path(
    post,
    path = "/v1/keys/{keyId}/rotate",
    operation_id = "rotate_key",
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
        keys::rotate(&services, &actor, KeyRef::from(id), request, idempotency.as_ref()).await?;
    Ok(axum::Json(created))
}

/// Archive a revoked or expired key
///
/// Archived keys are hidden from lists by default.
#[utoipa::path(
    post,
    path = "/v1/keys/{keyId}/archive",
    operation_id = "archive_key",
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
    Ok(axum::Json(keys::archive(&services, &actor, KeyRef::from(id)).await?))
}

/// Unarchive a key
#[utoipa::path(
    post,
    path = "/v1/keys/{keyId}/unarchive",
    operation_id = "unarchive_key",
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
    Ok(axum::Json(keys::unarchive(&services, &actor, KeyRef::from(id)).await?))
}
