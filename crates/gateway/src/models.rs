//! `GET /v1/models`: the models that a key may use, in OpenAI's format, or in Anthropic's for its
//! clients.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::anthropic_models::{AnthropicModel, AnthropicModelList, ModelPage};
use super::api_format::ApiFormat;
use super::call::{Caller, attach_limits};
use super::error::GatewayError;
use super::openapi::{AnyErrorBody, KeyErrors};
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

/// The models in the format that the client reads.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ListedModels {
    /// Without `anthropic-version`
    OpenAi(ModelList),
    /// With `anthropic-version`
    Anthropic(AnthropicModelList),
}

/// A model in the format that the client reads.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ShownModel {
    /// Without `anthropic-version`
    OpenAi(ModelObject),
    /// With `anthropic-version`
    Anthropic(AnthropicModel),
}

/// List models
///
/// Returns the models that the key may use: all of them in OpenAI’s format, a page in
/// Anthropic’s. Counts as one request.
#[utoipa::path(
    get,
    path = "/v1/models",
    operation_id = "list_models",
    tag = "Gateway",
    params(
        (
            "anthropic-version" = Option<String>, Header,
            description = "Asks for Anthropic’s format. The key may then be in `x-api-key`"
        ),
        (
            "limit" = Option<u64>, Query, minimum = 1, maximum = 1000,
            description = "Models in a page, by default 20. Only for Anthropic’s format"
        ),
        (
            "after_id" = Option<String>, Query,
            description = "The model before the page. Only for Anthropic’s format"
        ),
        (
            "before_id" = Option<String>, Query,
            description = "The model after the page. Only for Anthropic’s format"
        ),
    ),
    responses(
        (status = 200, description = "Models that the key may use", body = ListedModels),
        (
            status = 400,
            description = "`invalid`: a parameter; or `malformed`: two different keys",
            body = AnyErrorBody
        ),
        KeyErrors,
    ),
    security(("bearer_key" = []), ("key" = [])),
)]
pub(crate) async fn list_models(State(state): State<Gateway>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let format = ApiFormat::of_request(parts.uri.path(), &parts.headers);
    let mut response = match listed(&state, format, &mut parts).await {
        Ok(models) => Json(models).into_response(),
        Err(refused) => refused.into_response_in(format),
    };
    attach_limits(&parts, &mut response);
    response
}

async fn listed(
    state: &Gateway,
    format: ApiFormat,
    parts: &mut Parts,
) -> Result<ListedModels, GatewayError> {
    let models = usable_models(state, parts).await?;
    Ok(match format {
        ApiFormat::OpenAi => ListedModels::OpenAi(ModelList { object: "list", data: models }),
        ApiFormat::Anthropic => {
            let page = ModelPage::read(&parts.uri)?;
            let ids = models.into_iter().map(|model| model.id).collect();
            ListedModels::Anthropic(page.of(ids)?)
        }
    })
}

/// Get a model
///
/// Counts as one request. A `/` in the ID need not be encoded.
#[utoipa::path(
    get,
    path = "/v1/models/{id}",
    operation_id = "get_model",
    tag = "Gateway",
    params(
        ("id" = String, Path),
        (
            "anthropic-version" = Option<String>, Header,
            description = "Asks for Anthropic’s format. The key may then be in `x-api-key`"
        ),
    ),
    responses(
        (status = 200, description = "The model", body = ShownModel),
        (status = 400, description = "`malformed`: two different keys", body = AnyErrorBody),
        (status = 404, description = "`model_not_found`", body = AnyErrorBody),
        KeyErrors,
    ),
    security(("bearer_key" = []), ("key" = [])),
)]
pub(crate) async fn get_model(
    State(state): State<Gateway>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (mut parts, _) = request.into_parts();
    let format = ApiFormat::of_request(parts.uri.path(), &parts.headers);
    let model = usable_models(&state, &mut parts).await.and_then(|models| {
        let found = models.into_iter().find(|model| model.id == id);
        found.ok_or_else(|| GatewayError::no_such_model(&id))
    });
    let mut response = match (model, format) {
        (Ok(model), ApiFormat::OpenAi) => Json(ShownModel::OpenAi(model)).into_response(),
        (Ok(model), ApiFormat::Anthropic) => {
            Json(ShownModel::Anthropic(AnthropicModel::of(model.id))).into_response()
        }
        (Err(refused), format) => refused.into_response_in(format),
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
