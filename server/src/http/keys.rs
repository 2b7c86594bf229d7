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

use super::auth::Caller;
use super::extract::{ListPage, PageParams, Params, PathId, given, no_such_id, sought};
use super::idempotency::IdempotencyKey;
use super::json::Json;
use super::problem::Refusal;

/// Which keys of a project are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct KeyParams {
    /// `api`, `inference` or `service`.
    #[param(value_type = Option<KeyKind>)]
    kind: Option<String>,
    /// `live` or `test`.
    #[param(value_type = Option<Environment>)]
    environment: Option<String>,
    /// `active`, `expired` or `revoked`.
    #[param(value_type = Option<KeyStatus>)]
    status: Option<String>,
    /// For this application.
    #[param(value_type = Option<latchkey_domain::id::ApplicationId>)]
    application_id: Option<String>,
    /// `true` adds archived keys.
    #[param(value_type = Option<bool>)]
    archived: Option<String>,
    /// What stands somewhere in the name, the id or the masked form.
    #[param(value_type = Option<QueryText>)]
    q: Option<String>,
    /// `created` (the default) or `last_used`.
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

/// List keys of a project, masked
#[utoipa::path(
    get,
    path = "/v1/projects/{projectId}/keys",
    operation_id = "list_keys",
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
    let filter = params.filter()?;
    let keys = keys::list(&services, &actor, project, &filter, page).await?;
    Ok(axum::Json(keys.map(|listed| listed.key)))
}

/// Make a key
///
/// The answer holds the secret, this once.
#[utoipa::path(
    post,
    path = "/v1/projects/{projectId}/keys",
    operation_id = "create_key",
    tag = "Keys",
    params(("projectId" = ProjectId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = KeyRequest),
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
    Json(request): Json<KeyRequest>,
) -> Result<(StatusCode, axum::Json<CreatedKey>), Refusal> {
    let idempotency = idempotency.of(&request);
    let created = keys::create(&services, &actor, project, request, idempotency.as_ref()).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// One key, masked
#[utoipa::path(
    get,
    path = "/v1/keys/{keyId}",
    operation_id = "get_key",
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
    let listed = keys::get(&services, &actor, KeyRef::from(id)).await?;
    Ok(axum::Json(listed.key))
}

/// Change a key’s name, limits or expiry
///
/// What is absent stays, null clears. Effective at once.
#[utoipa::path(
    patch,
    path = "/v1/keys/{keyId}",
    operation_id = "change_key",
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
    Ok(axum::Json(keys::change(&services, &actor, KeyRef::from(id), patch).await?))
}

/// Revoke a key
///
/// Final. Once this has answered, no check admits the key. Revoking it again changes nothing.
#[utoipa::path(
    delete,
    path = "/v1/keys/{keyId}",
    operation_id = "revoke_key",
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
    keys::revoke(&services, &actor, KeyRef::from(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a key a new secret
///
/// The key keeps its id. The old secret works for the grace, never past the key’s expiry.
#[utoipa::path(
    post,
    path = "/v1/keys/{keyId}/rotate",
    operation_id = "rotate_key",
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
        keys::rotate(&services, &actor, KeyRef::from(id), request, idempotency.as_ref()).await?;
    Ok(axum::Json(created))
}

/// Hide a key that is revoked or expired from lists
#[utoipa::path(
    post,
    path = "/v1/keys/{keyId}/archive",
    operation_id = "archive_key",
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
    Ok(axum::Json(keys::archive(&services, &actor, KeyRef::from(id)).await?))
}

/// Show an archived key in lists again
#[utoipa::path(
    post,
    path = "/v1/keys/{keyId}/unarchive",
    operation_id = "unarchive_key",
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
    Ok(axum::Json(keys::unarchive(&services, &actor, KeyRef::from(id)).await?))
}
