//! `/v1/projects/{id}/key-shapes`: what the imported keys of a project look like.

use axum::extract::State;
use axum::http::StatusCode;
use latchkey_domain::id::ProjectId;
use latchkey_domain::import::{InvalidShape, KeyShapeList, KeyShapeRequest, ListedKeyShape};
use latchkey_domain::problem::Problem;
use latchkey_services::{Services, import};

use crate::http::auth::Caller;
use crate::http::extract::PathId;
use crate::http::idempotency::IdempotencyKey;
use crate::http::json::Json;
use crate::http::problem::Refusal;
use crate::http::responses::{InvalidOrMismatched, NoKeyAccess, refusals};

refusals! {
    /// The project has this shape, or as many as it may have.
    ShapeNotCreated {
        409: "`conflict`: the project has this shape; `limit_reached`, `idempotency_replay`",
    }
}

/// List the key shapes of a project
#[utoipa::path(
    get,
    path = "/v1/projects/{projectId}/key-shapes",
    operation_id = "list_key_shapes",
    tag = "Keys",
    params(("projectId" = ProjectId, Path)),
    responses(
        (status = 200, description = "All shapes, oldest first", body = KeyShapeList),
        NoKeyAccess,
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn list(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(project): PathId<ProjectId>,
) -> Result<axum::Json<KeyShapeList>, Refusal> {
    Ok(axum::Json(import::list_shapes(&services, &actor, project).await?))
}

/// Create a key shape
///
/// Text is looked up as a key of another system only if it has a shape. A shape has a prefix of at
/// least two characters or a `min_length` of at least 20, and not the prefix of Latchkey’s own
/// keys. A project has at most 32.
#[utoipa::path(
    post,
    path = "/v1/projects/{projectId}/key-shapes",
    operation_id = "create_key_shape",
    tag = "Keys",
    params(("projectId" = ProjectId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = KeyShapeRequest),
    responses(
        (status = 201, description = "The shape", body = ListedKeyShape),
        NoKeyAccess,
        ShapeNotCreated,
        InvalidOrMismatched,
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn create(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(project): PathId<ProjectId>,
    idempotency: IdempotencyKey,
    Json(request): Json<KeyShapeRequest>,
) -> Result<(StatusCode, axum::Json<ListedKeyShape>), Refusal> {
    let refused = |invalid: InvalidShape| Problem::invalid(invalid.field(), invalid.to_string());
    let shape = request.shape().map_err(refused)?;
    let idempotency = idempotency.of(&request);
    let created =
        import::create_shape(&services, &actor, project, shape, idempotency.as_ref()).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}
