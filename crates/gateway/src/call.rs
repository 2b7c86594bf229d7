//! Handlers of the endpoints that call a model: authenticate, read the body, reserve, forward.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use latchkey_checker::Error;
use latchkey_checker::{
    CheckRequest, Denial, ExactTokenCount, IdentifiedKey, LimitStates, PendingCall, Reservation,
    ReservationRequest,
};
use latchkey_domain::key::KeyKind;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::price::Price;

use super::api_format::ApiFormat;
use super::body::CallBody;
use super::candidates::Candidates;
use super::client_ip::ClientIp;
use super::conversation::Conversation;
use super::endpoint::Endpoint;
use super::error::GatewayError;
use super::in_flight::InFlightCall;
use super::openapi::CallResponses;
use super::registry::{ModelBackend, Unserved};
use super::request_headers::PassedHeaders;
use super::state::Gateway;
use super::{credentials, forward, previous_response, restricted_fields, sandbox};

/// How long the body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Create a chat completion
///
/// Compatible with OpenAI's API, including streaming. The key’s limits apply: the estimated cost
/// of the call is reserved before the upstream is called.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    operation_id = "chat_completions",
    tag = "Gateway",
    request_body(content = serde_json::Value),
    responses(CallResponses),
    security(("bearer_key" = [])),
)]
pub(crate) async fn chat_completions(state: State<Gateway>, request: Request) -> Response {
    handle(state, Endpoint::Chat, request).await
}

/// Create a completion
///
/// Compatible with OpenAI's API, including streaming.
#[utoipa::path(
    post,
    path = "/v1/completions",
    operation_id = "completions",
    tag = "Gateway",
    request_body(content = serde_json::Value),
    responses(CallResponses),
    security(("bearer_key" = [])),
)]
pub(crate) async fn completions(state: State<Gateway>, request: Request) -> Response {
    handle(state, Endpoint::Completions, request).await
}

/// Create embeddings
///
/// Compatible with OpenAI's API. The sandbox accepts at most 2,048 inputs and returns at most
/// 1,048,576 numbers (inputs × dimensions).
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    operation_id = "embeddings",
    tag = "Gateway",
    request_body(content = serde_json::Value),
    responses(CallResponses),
    security(("bearer_key" = [])),
)]
pub(crate) async fn embeddings(state: State<Gateway>, request: Request) -> Response {
    handle(state, Endpoint::Embeddings, request).await
}

/// Answers a call of a model.
pub(super) async fn handle(
    State(state): State<Gateway>,
    endpoint: Endpoint,
    request: Request,
) -> Response {
    respond(&state, endpoint, request).await
}

/// Answers a call of a model, without an extractor.
pub(super) async fn respond(state: &Gateway, endpoint: Endpoint, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut response = match call(state, endpoint, &mut parts, body).await {
        Ok(response) => response,
        Err(refused) => refused.into_response_in(endpoint.format()),
    };
    attach_limits(&parts, &mut response);
    response
}

/// Passes the state of the key's limits on to the server, which writes the headers.
pub(super) fn attach_limits(parts: &Parts, response: &mut Response) {
    if let Some(limits) = parts.extensions.get::<LimitStates>() {
        response.extensions_mut().insert(*limits);
    }
}

/// The authenticated key of a request.
pub(super) struct Caller {
    identity: IdentifiedKey,
    ip: Option<std::net::IpAddr>,
}

impl Caller {
    /// Authenticates the request. This comes first: without a valid key nothing else is read.
    pub(super) async fn authenticate(state: &Gateway, parts: &Parts) -> Result<Self, GatewayError> {
        let ip = ClientIp::of(parts);
        let format = ApiFormat::of_request(parts.uri.path(), &parts.headers);
        let is_imported = |text: &str| state.checker.has_foreign_shape(text);
        let key = credentials::presented_key(&parts.headers, format, is_imported)?;
        let identity = state.checker.authenticate(key, ip).await?;
        latchkey_listener::assign_to_caller(&parts.extensions, identity.key().organization.into());
        Ok(Self { identity, ip })
    }

    /// Authenticates the request again, as its key may have changed since.
    async fn confirmed(self, state: &Gateway, parts: &Parts) -> Result<Self, GatewayError> {
        if state.checker.is_unchanged(&self.identity) {
            return Ok(self);
        }
        // Boxed: few keys change while a body arrives.
        Box::pin(Self::authenticate(state, parts)).await
    }

    pub(super) const fn identity(&self) -> &IdentifiedKey {
        &self.identity
    }

    /// The properties that the key is checked against.
    pub(super) fn call<'a>(&self, model: Option<&'a str>) -> CheckRequest<'a> {
        CheckRequest {
            kind: Some(KeyKind::Inference),
            ip: self.ip,
            model,
            ..CheckRequest::default()
        }
    }

    /// Acquires what does not depend on the body: one request of the rate limit and a slot of the
    /// parallel limit.
    async fn begin(&self, state: &Gateway, parts: &mut Parts) -> Result<PendingCall, GatewayError> {
        match state.checker.begin(&self.identity, self.call(None)).await {
            Ok(pending) => {
                parts.extensions.insert(pending.limits());
                Ok(pending)
            }
            Err(denial) => Err(denied(parts, denial)),
        }
    }

    /// Reserves what the call may cost.
    async fn reserve(
        &self,
        state: &Gateway,
        parts: &mut Parts,
        body: &CallBody,
        tokens: ReservationRequest<'_>,
        pending: PendingCall,
    ) -> Result<Reservation, GatewayError> {
        let call = self.call(Some(&body.model));
        match state.checker.reserve(&self.identity, call, tokens, pending).await {
            Ok(reservation) => {
                parts.extensions.insert(reservation.limits);
                Ok(reservation)
            }
            Err(denial) if lacks_only_thinking(&denial, body) => {
                parts.extensions.insert(denial.limits);
                Err(GatewayError::invalid("thinking", TOO_LITTLE_THINKING))
            }
            Err(denial) => Err(denied(parts, denial)),
        }
    }

    /// Checks a call that reads or ends what an earlier call was charged for. It counts as one
    /// request.
    pub(super) async fn admit_reading(
        &self,
        state: &Gateway,
        parts: &mut Parts,
    ) -> Result<(), GatewayError> {
        match state.checker.admit_reading(&self.identity, self.call(None)).await {
            Ok(limits) => {
                parts.extensions.insert(limits);
                Ok(())
            }
            Err(denial) => Err(denied(parts, denial)),
        }
    }

    /// Checks a call that uses no tokens. It counts as one request.
    pub(super) async fn admit(
        &self,
        state: &Gateway,
        parts: &mut Parts,
        model: Option<&str>,
        pending: Option<&PendingCall>,
    ) -> Result<(), GatewayError> {
        let call = self.call(model);
        match state.checker.admit_pending(&self.identity, call, pending).await {
            Ok(limits) => {
                parts.extensions.insert(limits);
                Ok(())
            }
            Err(denial) => Err(denied(parts, denial)),
        }
    }
}

/// The server has as many calls in progress as it has connections for.
pub(super) const TOO_MANY_CALLS: &str =
    "This server has its maximum number of calls in progress. Try again in a moment.";

const TOO_LITTLE_THINKING: &str = "Fewer than 1,024 tokens to think with are left of this key’s \
                                   tokens per minute. Turn thinking off, or try again in a minute.";

/// A validated call and the backend that will serve it.
enum PreparedCall {
    Sandbox(Box<sandbox::SandboxCall>, Price),
    Upstreams(Candidates),
}

async fn call(
    state: &Gateway,
    endpoint: Endpoint,
    parts: &mut Parts,
    body: Body,
) -> Result<Response, GatewayError> {
    // The request is counted before the body is read, so that bodies arrive no faster than the rate
    // limit of the key allows.
    let caller = Caller::authenticate(state, parts).await?;
    let pending = caller.begin(state, parts).await?;
    let body = read(endpoint, body)
        .await
        .and_then(|bytes| CallBody::read(endpoint, &parts.headers, bytes));
    // Look the key up again: it may have been revoked or changed while the body arrived.
    let caller = caller.confirmed(state, parts).await?;
    let body = body.and_then(|body| with_model(state, &caller, body));
    let checked = match body {
        Ok(mut body) => match prepare(state, &caller, &body).await {
            Ok(prepared) => {
                body.headers = PassedHeaders::of(&parts.headers);
                Ok((body, prepared))
            }
            Err(refused) => Err((refused, Some(body.model))),
        },
        Err(refused) => Err((refused, None)),
    };
    let (body, prepared) = match checked {
        Ok(checked) => checked,
        Err((refused, model)) => {
            // A denial of the key takes precedence over errors of the body. The request counts in
            // any case.
            let admitted = caller.admit(state, parts, model.as_deref(), Some(&pending));
            // Boxed, as what follows for the sandbox: calls of upstreams do not carry it.
            Box::pin(admitted).await?;
            return Err(refused);
        }
    };
    match prepared {
        PreparedCall::Sandbox(plan, price) => {
            let estimate = body.exact_estimate(sandbox::MAX_OUTPUT_TOKENS);
            let request = ReservationRequest { estimate, exact_count: None, price: Some(price) };
            let reservation = caller.reserve(state, parts, &body, request, pending).await?;
            Ok(Box::pin(sandbox::respond(&state.checker, *plan, body, reservation)).await)
        }
        PreparedCall::Upstreams(mut candidates) => {
            let Some(permit) = state.upstreams.acquire_call() else {
                let call = caller.call(Some(&body.model));
                let outcome = Outcome::Unavailable;
                let denial = state.checker.refuse(&caller.identity, call, outcome, TOO_MANY_CALLS);
                return Err(denied(parts, denial));
            };
            if !candidates.is_sole() {
                let project = caller.identity.key().project;
                let field = |name: &str| body.field(name);
                let memory = &state.upstreams.conversations;
                candidates.keep_together(Conversation::of(project, &parts.headers, field, memory));
            }
            let estimate = body.estimate(candidates.max_output_tokens());
            let tokenizer_count =
                candidates.tokenizer().map(|tokenizer| -> ExactTokenCount<'_> {
                    Box::pin(body.tokenizer_count_when_permitted(
                        tokenizer,
                        &state.upstreams.tokenizer_permits,
                    ))
                });
            let price = candidates.price();
            let tokens = ReservationRequest { estimate, exact_count: tokenizer_count, price };
            let reservation = caller.reserve(state, parts, &body, tokens, pending).await?;
            let is_limited = reservation.key().limits_tokens();
            let reserved = is_limited.then_some(reservation.granted().answer);
            // A client that disconnects before a plain response pays for the whole reservation,
            // unless the upstream stops generating then. A client of a stream pays for what it has
            // received, unless the upstream goes on in the background.
            let goes_on = body.background || !body.stream;
            let charged = reserved.filter(|_| goes_on).unwrap_or_default();
            let costs = (body.prompt.estimate, body.total_output_tokens(charged));
            let key = state.checker.watch_key(&caller.identity);
            let mut call = InFlightCall::new(reservation, key, costs, permit);
            if body.endpoint == Endpoint::Responses {
                let project = caller.identity.key().project;
                call = call.making_response(&state.checker, project, body.stores_response());
                if body.background {
                    call = call.in_background();
                }
            }
            forward::forward(state, candidates, body, reserved, call).await
        }
    }
}

/// Chooses the model of a body that names none.
fn with_model(
    state: &Gateway,
    caller: &Caller,
    mut body: CallBody,
) -> Result<CallBody, GatewayError> {
    if body.model.is_empty() {
        let group = body.endpoint.group();
        let model = state.upstreams.default_model(group, caller.identity().key());
        let message = "Specify a model. None is configured for this endpoint.";
        body.model = model.ok_or_else(|| GatewayError::invalid("model", message))?;
    }
    Ok(body)
}

/// Finds the backend of the model, and validates what depends on the key.
async fn prepare(
    state: &Gateway,
    caller: &Caller,
    body: &CallBody,
) -> Result<PreparedCall, GatewayError> {
    let key = caller.identity().key();
    let found = state.upstreams.find(&body.model, body.endpoint.group(), key);
    let route = found.map_err(|unserved| not_served(unserved, &body.model))?;
    let passes = |field: &str| state.upstreams.passes(&body.model, field);
    let limits = key.extended();
    restricted_fields::check(body, limits.models.as_ref(), key.has_budget(), passes)?;
    if key.limits_tokens() {
        body.check_caps()?;
    }
    Ok(match previous_response::confine(state, key, body, route).await? {
        ModelBackend::Upstreams(candidates) => PreparedCall::Upstreams(candidates),
        ModelBackend::Sandbox(price) => {
            PreparedCall::Sandbox(Box::new(Box::pin(sandbox::plan(body)).await?), price)
        }
    })
}

/// Whether the tokens per minute that are left are enough for everything but thinking. Such a call
/// may be made without it, so it is no matter of waiting.
fn lacks_only_thinking(denial: &Denial, body: &CallBody) -> bool {
    denial.outcome == Outcome::TokenRateLimited
        && !denial.is_by_reservation()
        && denial.limits.tokens.is_some_and(|tokens| body.lacks_only_thinking(tokens.remaining))
}

/// The error of a call that nothing serves.
pub(super) fn not_served(unserved: Unserved, model: &str) -> GatewayError {
    match unserved {
        Unserved::Model => GatewayError::no_such_model(model),
        Unserved::Endpoint => GatewayError::endpoint_not_supported(model),
    }
}

pub(super) fn denied(parts: &mut Parts, denial: Denial) -> GatewayError {
    parts.extensions.insert(denial.limits);
    Error::from(Box::new(denial)).into()
}

/// Reads the whole body, at most [`Endpoint::max_body_bytes`].
pub(super) async fn read(
    endpoint: Endpoint,
    body: Body,
) -> Result<axum::body::Bytes, GatewayError> {
    let most = endpoint.max_body_bytes();
    let too_large = || {
        let message = format!("The body exceeds {} MiB.", most / (1024 * 1024));
        GatewayError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    };
    match tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => {
            let message = "The body did not arrive in time.";
            Err(GatewayError::new(StatusCode::REQUEST_TIMEOUT, "timeout", message))
        }
    }
}
