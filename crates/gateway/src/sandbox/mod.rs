//! The built-in upstream: it answers deterministically and without a network, and counts its tokens
//! by the gateway's own estimate. It serves test keys, and newcomers who have configured no
//! upstream.
//!
//! Anybody may call it, so a call costs no more than its size and what is documented: the request
//! is read once, only as far as the answer depends on it, and a long answer is written piece by
//! piece while the client takes it.

mod body_writer;
mod completion;
mod digest;
mod embeddings;
mod schema;
mod structured_output;

use axum::response::Response;
use latchkey_services::check::{Reservation, UsedTokens};

use super::body::CallBody;
use super::endpoint::Endpoint;
use super::error::GatewayError;

/// The most tokens of an answer that has no cap.
pub(super) const MAX_OUTPUT_TOKENS: u64 = 1_024;
/// An answer that can be given. It holds nothing of the request's body.
pub(super) enum SandboxCall {
    Text(completion::CompletionCall),
    Embeddings(embeddings::EmbeddingsCall),
}

/// Reads what the answer depends on, before anything is reserved for it.
///
/// # Errors
/// 400: a field is wrong, or the answer would be too large.
pub(super) async fn plan(body: &CallBody) -> Result<SandboxCall, GatewayError> {
    Ok(match body.endpoint {
        Endpoint::Embeddings => {
            SandboxCall::Embeddings(embeddings::EmbeddingsCall::of(body).await?)
        }
        Endpoint::Chat | Endpoint::Completions => {
            SandboxCall::Text(completion::CompletionCall::of(body).await?)
        }
    })
}

pub(super) async fn answer(
    plan: SandboxCall,
    body: CallBody,
    reservation: Reservation,
) -> Response {
    let prompt = body.prompt.estimate;
    match plan {
        SandboxCall::Text(plan) => {
            let answer = plan.generate(&body, reservation.granted().answer);
            drop(body);
            let used = UsedTokens { prompt, completion: answer.tokens(), estimated: 0 };
            let slot = reservation.settle(used).await;
            answer.respond(slot)
        }
        SandboxCall::Embeddings(plan) => {
            let model = body.model.clone();
            drop(body);
            let used = UsedTokens { prompt, completion: 0, estimated: 0 };
            let slot = reservation.settle(used).await;
            plan.respond(&model, prompt, slot)
        }
    }
}
