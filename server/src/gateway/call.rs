//! A call: from the key to the answer.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use latchkey_domain::key::KeyKind;
use latchkey_services::Error;
use latchkey_services::check::{self, Call, Denial, Found, TokenNeed};

use super::body::{CallBody, Endpoint};
use super::describe::CallRefusals;
use super::error::Refused;
use super::upstream::Answerer;
use super::{LARGEST_BODY, forward, sandbox};
use crate::http::auth::bearer;
use crate::http::client::ClientIp;
use crate::http::limits;
use crate::state::AppState;

/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// Make a chat completion
///
/// As OpenAI's API has it, streaming included. The key’s limits hold: what the call may cost is reserved before it
/// is made.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    operation_id = "chat_completions",
    tag = "Gateway",
    request_body(content = serde_json::Value),
    responses(
        (status = 200, description = "As the upstream answers", body = serde_json::Value),
        CallRefusals,
    ),
    security(("bearer_key" = [])),
)]
pub(crate) async fn chat_completions(state: State<AppState>, request: Request) -> Response {
    answer(state, Endpoint::Chat, request).await
}

/// Make a completion
///
/// As OpenAI's API has it, streaming included.
#[utoipa::path(
    post,
    path = "/v1/completions",
    operation_id = "completions",
    tag = "Gateway",
    request_body(content = serde_json::Value),
    responses(
        (status = 200, description = "As the upstream answers", body = serde_json::Value),
        CallRefusals,
    ),
    security(("bearer_key" = [])),
)]
pub(crate) async fn completions(state: State<AppState>, request: Request) -> Response {
    answer(state, Endpoint::Completions, request).await
}

/// Make embeddings
///
/// As OpenAI's API has it.
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    operation_id = "embeddings",
    tag = "Gateway",
    request_body(content = serde_json::Value),
    responses(
        (status = 200, description = "As the upstream answers", body = serde_json::Value),
        CallRefusals,
    ),
    security(("bearer_key" = [])),
)]
pub(crate) async fn embeddings(state: State<AppState>, request: Request) -> Response {
    answer(state, Endpoint::Embeddings, request).await
}

async fn answer(State(state): State<AppState>, endpoint: Endpoint, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    match call(&state, endpoint, &mut parts, body).await {
        Ok(response) => response,
        Err(refused) => refused.into_response(),
    }
}

/// A key that came with a call to the gateway.
pub(super) struct Caller {
    found: Found,
    ip: Option<std::net::IpAddr>,
}

impl Caller {
    /// Finds the key. Nothing else is read before: without a good key nobody gets further.
    pub(super) async fn of(state: &AppState, parts: &mut Parts) -> Result<Self, Refused> {
        let ClientIp(ip) = match ClientIp::from_request_parts(parts, state).await {
            Ok(ip) => ip,
            Err(never) => match never {},
        };
        let found = check::identify(&state.services, bearer(&parts.headers), ip).await?;
        Ok(Self { found, ip })
    }

    /// The key.
    pub(super) const fn found(&self) -> &Found {
        &self.found
    }

    /// What the key has to admit.
    pub(super) fn call<'a>(&self, model: Option<&'a str>) -> Call<'a> {
        Call { kind: Some(KeyKind::Inference), ip: self.ip, model, ..Call::default() }
    }

    /// Lets a call through that costs no tokens, as one request.
    pub(super) async fn admit(
        &self,
        state: &AppState,
        parts: &Parts,
        model: Option<&str>,
    ) -> Result<(), Refused> {
        match check::admit(&state.services, &self.found, self.call(model)).await {
            Ok(limits) => {
                limits::admitted(parts, limits);
                Ok(())
            }
            Err(denial) => Err(denied(parts, denial)),
        }
    }
}

async fn call(
    state: &AppState,
    endpoint: Endpoint,
    parts: &mut Parts,
    body: Body,
) -> Result<Response, Refused> {
    // Nobody without a key gets further than this.
    Caller::of(state, parts).await?;
    let body = CallBody::parse(endpoint, read(body).await?)?;
    // It may have been revoked or changed while the body came.
    let caller = Caller::of(state, parts).await?;
    let environment = caller.found().key().environment;
    let Some(answerer) = state.upstreams.find(&body.model, environment) else {
        // What refuses the key itself goes before.
        caller.admit(state, parts, Some(&body.model)).await?;
        return Err(Refused::no_such_model(&body.model));
    };
    let need = TokenNeed { prompt: body.prompt_tokens, completion: body.completion_tokens() };
    let asked = caller.call(Some(&body.model));
    let reserved = check::reserve(&state.services, caller.found(), asked, need).await;
    let reservation = match reserved {
        Ok(reservation) => reservation,
        Err(denial) => return Err(denied(parts, denial)),
    };
    limits::admitted(parts, reservation.limits);
    match answerer {
        Answerer::Sandbox => Ok(sandbox::answer(body, reservation).await),
        Answerer::Upstream(served) => forward::forward(state, &served, body, reservation).await,
    }
}

fn denied(parts: &Parts, denial: Denial) -> Refused {
    let error = Error::from(Box::new(denial));
    limits::refused(parts, &error);
    error.into()
}

/// The whole body, within the gateway's size.
async fn read(body: Body) -> Result<axum::body::Bytes, Refused> {
    let too_large = || {
        let message = "The body is too large: at most 10 MiB.";
        Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    };
    match tokio::time::timeout(BODY_PATIENCE, axum::body::to_bytes(body, LARGEST_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => {
            let message = "The body did not arrive in time.";
            Err(Refused::new(StatusCode::REQUEST_TIMEOUT, "timeout", message))
        }
    }
}
