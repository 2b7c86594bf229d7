//! The built-in model: deterministic, without a network. It counts tokens by the gateway's own
//! estimate, serves test keys, and lets newcomers try the gateway without an upstream.
//!
//! Anybody with a test key may call it, so its work is bounded by the size of the request and by
//! documented limits. A request is parsed once, and only as far as needed; a long response is
//! generated while the client reads it.

mod body_writer;
mod completion;
mod digest;
mod embeddings;
mod media;
mod media_files;
mod messages;
mod reply;
mod response_events;
mod responses;
mod schema;
mod structured_output;

use axum::response::Response;
use latchkey_checker::{Checker, Reservation, ResponseStore};
use latchkey_domain::token_usage::TokenUsage;

use super::body::CallBody;
use super::endpoint::Endpoint;
use super::error::GatewayError;
use super::model_span::ModelSpan;
pub(super) use responses::StoredAnswer;

/// Default maximum of output tokens.
pub(super) const MAX_OUTPUT_TOKENS: u64 = 1_024;
/// A validated call. It does not borrow from the request body.
pub(super) enum SandboxCall {
    Text(completion::CompletionCall),
    Message(messages::MessageCall),
    Response(responses::ResponseCall),
    Embeddings(embeddings::EmbeddingsCall),
    Media(media::MediaCall),
}

/// Validates a call before tokens are reserved for it.
///
/// # Errors
/// 400: a field is invalid, or the response would be too large.
pub(super) async fn plan(body: &CallBody) -> Result<SandboxCall, GatewayError> {
    Ok(match body.endpoint {
        Endpoint::Embeddings => {
            SandboxCall::Embeddings(embeddings::EmbeddingsCall::of(body).await?)
        }
        Endpoint::Chat
        | Endpoint::Completions
        // Counted without a plan.
        | Endpoint::CountTokens
        | Endpoint::InputTokens => {
            SandboxCall::Text(completion::CompletionCall::of(body).await?)
        }
        Endpoint::Responses | Endpoint::CompactResponse => {
            SandboxCall::Response(responses::ResponseCall::of(body).await?)
        }
        Endpoint::Messages => SandboxCall::Message(messages::MessageCall::of(body).await?),
        Endpoint::Rerank
        | Endpoint::Moderations
        | Endpoint::Images
        | Endpoint::Speech
        | Endpoint::Transcriptions
        | Endpoint::Translations => SandboxCall::Media(media::MediaCall::of(body).await?),
    })
}

pub(super) async fn respond(
    checker: &Checker,
    plan: SandboxCall,
    body: CallBody,
    reservation: Reservation,
) -> Response {
    let prompt = body.prompt.estimate;
    let mut span = ModelSpan::of_sandbox(body.endpoint, &body.model);
    match plan {
        SandboxCall::Text(plan) => {
            let completion = plan.generate(&body, reservation.granted().answer);
            drop(body);
            let completion_tokens = completion.tokens();
            let used =
                TokenUsage { prompt, completion: completion_tokens, ..TokenUsage::default() };
            span.end(Some(used));
            let slot = reservation.settle(used).await;
            completion.respond(slot)
        }
        SandboxCall::Message(plan) => {
            let message = plan.generate(&body, reservation.granted().answer);
            drop(body);
            let used = TokenUsage { prompt, completion: message.tokens(), ..TokenUsage::default() };
            span.end(Some(used));
            let slot = reservation.settle(used).await;
            message.respond(slot)
        }
        SandboxCall::Response(plan) => {
            let response = plan.generate(&body, reservation.granted().answer);
            if body.stores_response() {
                let project = reservation.key().project;
                let (id, answer) = response.to_stored();
                checker.remember_response(project, &id, ResponseStore::Sandbox(answer.into()));
                for id in response.item_ids() {
                    // Only whose it is matters.
                    checker.remember_item(project, id, ResponseStore::Sandbox("".into()));
                }
            }
            let completion = response.tokens();
            let used = TokenUsage { prompt, completion, ..TokenUsage::default() };
            span.end(Some(used));
            // A stream comes to its end at once.
            if body.background && !body.stream {
                drop(body);
                return response.respond_in_background(reservation, used).await;
            }
            drop(body);
            let slot = reservation.settle(used).await;
            response.respond(slot)
        }
        SandboxCall::Embeddings(plan) => {
            let model = body.model.clone();
            drop(body);
            let used = TokenUsage { prompt, ..TokenUsage::default() };
            span.end(Some(used));
            let slot = reservation.settle(used).await;
            plan.respond(&model, prompt, slot)
        }
        SandboxCall::Media(plan) => {
            drop(body);
            let used = TokenUsage { prompt, completion: plan.tokens(), ..TokenUsage::default() };
            span.end(Some(used));
            // The answer exists already, so nothing is left for its slot to wait for.
            drop(reservation.settle(used).await);
            plan.respond()
        }
    }
}
