//! `GET /v1/models`: the models that a key may use.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::call::{Caller, attach_limits};
use super::error::{ErrorBody, GatewayError};
use super::openapi::KeyErrors;
use super::state::Gateway;

/// A model in the format of OpenAI’s API.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelObject {
    id: String,
    /// The string `model`, always.
    object: &'static str,
    /// Creation time in seconds since the Unix epoch. Always 0, because it is unknown.
    created: u64,
    /// Name of the upstream that serves the model.
    owned_by: String,
}

/// Models that the key may use.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelList {
    /// The string `list`, always.
    object: &'static str,
    data: Vec<ModelObject>,
}

/// List models
///
/// Returns the models that the key may use. Counts as one request.
#[utoipa::path(
    get,
    path = "/v1/models",
    operation_id = "list_models",
    tag = "Gateway",
    responses(
        (status = 200, description = "Models that the key may use", body = ModelList),
        KeyErrors,
    ),
    security(("bearer_key" = [])),
)]
pub(crate) async fn list_models(State(state): State<Gateway>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let mut response = match usable_models(&state, &mut parts).await {
        Ok(data) => Json(ModelList { object: "list", data }).into_response(),
        Err(refused) => refused.into_response(),
    };
    attach_limits(&parts, &mut response);
    response
}

/// Get a model
///
/// Counts as one request.
#[utoipa::path(
    get,
    path = "/v1/models/{id}",
    operation_id = "get_model",
    tag = "Gateway",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "The model", body = ModelObject),
        (status = 404, description = "`model_not_found`", body = ErrorBody),
        KeyErrors,
    ),
    security(("bearer_key" = [])),
)]
pub(crate) async fn get_model(
    State(state): State<Gateway>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (mut parts, _) = request.into_parts();
    let mut response = match usable_models(&state, &mut parts).await {
        Ok(models) => match models.into_iter().find(|model| model.id == id) {
            Some(model) => Json(model).into_response(),
            None => GatewayError::no_such_model(&id).into_response(),
        },
        Err(refused) => refused.into_response(),
    };
    attach_limits(&parts, &mut response);
    response
}

async fn usable_models(
    state: &Gateway,
    parts: &mut Parts,
) -> Result<Vec<ModelObject>, GatewayError> {
    let caller = Caller::authenticate(state, parts).await?;
    caller.admit(state, parts, None, None).await?;
    let key = caller.identity().key();
    let allowed = |id: &str| match &key.extended().models {
        Some(models) => models.as_slice().iter().any(|model| model.as_str() == id),
        None => true,
    };
    let models = state.upstreams.models(key).into_iter().filter(|(id, _)| allowed(id));
    let object = |(id, owned_by): (String, String)| ModelObject {
        id,
        object: "model",
        created: 0,
        owned_by,
    };
    Ok(models.map(object).collect())
}
