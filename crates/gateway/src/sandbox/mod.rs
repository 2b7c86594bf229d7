//! The built-in upstream: it answers deterministically and without a network, and counts its tokens
//! by the gateway's own estimate. It serves test keys, and newcomers who have configured no
//! upstream.
//!
//! Anybody may call it, so a call costs no more than its size and what is documented: the request
//! is read once, only as far as the answer depends on it, and a long answer is written piece by
//! piece while the client takes it.

mod digest;
mod embeddings;
mod pieces;
mod schema;
mod structure;
mod text;

use axum::response::Response;
use latchkey_services::check::{Reservation, UsedTokens};

use super::body::CallBody;
use super::endpoint::Endpoint;
use super::error::Refused;

/// The most tokens of an answer that has no cap.
pub(super) const MAX_OUTPUT_TOKENS: u64 = 1_024;
/// An answer that can be given. It holds nothing of the request's body.
pub(super) enum Plan {
    Text(text::Plan),
    Embeddings(embeddings::Plan),
}

/// Reads what the answer depends on, before anything is reserved for it.
///
/// # Errors
/// 400: a field is wrong, or the answer would be too large.
pub(super) async fn plan(body: &CallBody) -> Result<Plan, Refused> {
    Ok(match body.endpoint {
        Endpoint::Embeddings => Plan::Embeddings(embeddings::Plan::of(body).await?),
        Endpoint::Chat | Endpoint::Completions => Plan::Text(text::Plan::of(body).await?),
    })
}

pub(super) async fn answer(plan: Plan, body: CallBody, reservation: Reservation) -> Response {
    let prompt = body.prompt.estimate;
    match plan {
        Plan::Text(plan) => {
            let answer = plan.generate(&body, reservation.granted().answer);
            drop(body);
            let used = UsedTokens { prompt, completion: answer.tokens(), estimated: 0 };
            let slot = reservation.settle(used).await;
            answer.respond(slot)
        }
        Plan::Embeddings(plan) => {
            let model = body.model.clone();
            drop(body);
            let used = UsedTokens { prompt, completion: 0, estimated: 0 };
            let slot = reservation.settle(used).await;
            plan.respond(&model, prompt, slot)
        }
    }
}
