//! `/v1/projects/{id}/keys` and `/v1/keys/{id}`: the whole life of a key.

use axum::extract::State;
use axum::http::StatusCode;
use latchkey_domain::api::{
    ApiKey, CreatedKey, KeyFilter, KeyPatch, KeyRequest, KeySort, Page, RotateRequest,
};
use latchkey_domain::attribute::{ExternalId, Tag};
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::key::{Environment, KeyKind, KeyStatus};
use latchkey_domain::query::QueryText;
use latchkey_services::{KeyRef, Services, keys};
use serde::Deserialize;
use utoipa::IntoParams;

use super::key_actions::{KeyIsActive, KeyNotChanged, KeyNotRotated, key_actions};
use crate::http::auth::Caller;
use crate::http::extract::{
    ListPage, PageParams, Params, PathId, flag, given, no_such_id, one_of, parsed,
};
use crate::http::idempotency::IdempotencyKey;
use crate::http::json::Json;
use crate::http::problem::Refusal;
use crate::http::responses::{Invalid, InvalidOrMismatched, KeyNotCreated, NoKeyAccess};

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
    /// Only keys with this status: `active`, `disabled`, `expired` or `revoked`.
    #[param(value_type = Option<KeyStatus>)]
    status: Option<String>,
    /// Only keys of this application.
    #[param(value_type = Option<latchkey_domain::id::ApplicationId>)]
    application_id: Option<String>,
    /// Only keys with this external ID.
    #[param(value_type = Option<ExternalId>)]
    external_id: Option<String>,
    /// Only keys with this tag.
    #[param(value_type = Option<Tag>)]
    tag: Option<String>,
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
        let archived = flag("archived", self.archived.as_deref())?;
        let application = given(self.application_id);
        Ok(KeyFilter {
            kind: one_of("kind", self.kind, "Use api, inference or service.")?,
            environment: one_of("environment", self.environment, "Use live or test.")?,
            status: one_of("status", self.status, "Use active, disabled, expired or revoked.")?,
            application_id: application
                .map(|text| text.parse().map_err(|_| no_such_id()))
                .transpose()?,
            external_id: parsed("external_id", self.external_id)?,
            tag: parsed("tag", self.tag)?,
            archived,
            q: parsed("q", self.q)?,
            sort: one_of("sort", self.sort, "Use created or last_used.")?.unwrap_or_default(),
        })
    }
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
    let filter = params.filter()?;
    let keys = keys::list(&services, &actor, project, &filter, page).await?;
    Ok(axum::Json(keys.map(|listed| listed.key)))
}

/// Create a key
///
/// The response contains the secret. It is returned only once. Limits that the request does not
/// mention are the project’s `key_defaults`. `token_limit` and `spend_limit` are short forms of
/// budgets, and stand before those in `budgets`.
#[utoipa::path(
    post,
    path = "/v1/projects/{projectId}/keys",
    operation_id = "create_key",
    tag = "Keys",
    params(("projectId" = ProjectId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = KeyRequest),
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
    Json(request): Json<KeyRequest>,
) -> Result<(StatusCode, axum::Json<CreatedKey>), Refusal> {
    let idempotency = idempotency.of(&request);
    let created = keys::create(&services, &actor, project, request, idempotency.as_ref()).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

key_actions!("/v1/keys/{keyId}", "key", "key", "a key", KeyRef::from);
