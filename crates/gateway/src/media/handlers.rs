//! Handlers of these endpoints, with their descriptions. The server completes the bodies.

use axum::extract::{Request, State};
use axum::response::Response;

use crate::call::handle;
use crate::endpoint::Endpoint;
use crate::openapi::CallResponses;
use crate::state::Gateway;

/// Create a ranking of documents
///
/// Passed on as it is: the fields and the response are those of the upstream. The tokens of the
/// response are prompt tokens. The sandbox accepts at most 2,048 documents.
#[utoipa::path(
    post,
    path = "/v1/rerank",
    operation_id = "rerank",
    tag = "Gateway",
    request_body(content = serde_json::Value),
    responses(CallResponses),
    security(("bearer_key" = [])),
)]
pub(crate) async fn rerank(state: State<Gateway>, request: Request) -> Response {
    handle(state, Endpoint::Rerank, request).await
}

/// Create a moderation
///
/// Compatible with OpenAI's API. Without `model`, the first configured model is used whose upstream
/// serves moderations. The sandbox accepts at most 2,048 inputs and flags none.
#[utoipa::path(
    post,
    path = "/v1/moderations",
    operation_id = "moderations",
    tag = "Gateway",
    request_body(content = serde_json::Value),
    responses(CallResponses),
    security(("bearer_key" = [])),
)]
pub(crate) async fn moderations(state: State<Gateway>, request: Request) -> Response {
    handle(state, Endpoint::Moderations, request).await
}

/// Create images
///
/// Compatible with OpenAI's API, including streaming. Without `model`, the first configured model
/// is used whose upstream generates images. The sandbox draws one pixel.
#[utoipa::path(
    post,
    path = "/v1/images/generations",
    operation_id = "image_generations",
    tag = "Gateway",
    request_body(content = serde_json::Value),
    responses(CallResponses),
    security(("bearer_key" = [])),
)]
pub(crate) async fn image_generations(state: State<Gateway>, request: Request) -> Response {
    handle(state, Endpoint::Images, request).await
}

/// Create speech
///
/// Compatible with OpenAI's API. Audio is forwarded while it arrives. The sandbox speaks `mp3`,
/// `wav` and `pcm`.
#[utoipa::path(
    post,
    path = "/v1/audio/speech",
    operation_id = "speech",
    tag = "Gateway",
    request_body(content = serde_json::Value),
    responses(CallResponses),
    security(("bearer_key" = [])),
)]
pub(crate) async fn speech(state: State<Gateway>, request: Request) -> Response {
    handle(state, Endpoint::Speech, request).await
}

/// Create a transcription
///
/// Compatible with OpenAI's API, including streaming. The form is forwarded byte for byte; only the
/// name of the model is replaced where the upstream has another one.
#[utoipa::path(
    post,
    path = "/v1/audio/transcriptions",
    operation_id = "transcriptions",
    tag = "Gateway",
    request_body(content = serde_json::Value, content_type = "multipart/form-data"),
    responses(CallResponses),
    security(("bearer_key" = [])),
)]
pub(crate) async fn transcriptions(state: State<Gateway>, request: Request) -> Response {
    handle(state, Endpoint::Transcriptions, request).await
}

/// Create a translation
///
/// Compatible with OpenAI's API: the transcription of a recording in English.
#[utoipa::path(
    post,
    path = "/v1/audio/translations",
    operation_id = "translations",
    tag = "Gateway",
    request_body(content = serde_json::Value, content_type = "multipart/form-data"),
    responses(CallResponses),
    security(("bearer_key" = [])),
)]
pub(crate) async fn translations(state: State<Gateway>, request: Request) -> Response {
    handle(state, Endpoint::Translations, request).await
}
