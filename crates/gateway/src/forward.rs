//! Forwarding a call to its upstream, with the upstream's own credentials.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::accounting::StreamMeter;
use super::answer::{AnswerBody, Broken, cause};
use super::answering::Answering;
use super::body::CallBody;
use super::error::{LONGEST_WAIT, Refused};
use super::in_flight::InFlightCall;
use super::line::Served;
use super::passage::{self, Passage};
use super::state::Gateway;
use super::stream::Relay;
use super::upstream_client::{CallError, UpstreamAnswer};
use super::upstream_error::{self, UpstreamError};

/// Makes the call and passes the answer on. A client that leaves before the answer pays for what
/// was reserved, as the upstream goes on working, or for the prompt, if it does not; so does a call
/// whose key ends before. A call that times out pays for its prompt; one that the upstream fails
/// costs nothing.
pub(super) async fn forward(
    state: &Gateway,
    served: Served,
    body: CallBody,
    reserved: Option<u64>,
    mut call: InFlightCall,
) -> Result<Response, Refused> {
    let wants_stream = body.stream;
    let answering = Answering {
        silence: state.upstreams.silence,
        meter: StreamMeter::new(body.endpoint, body.prompt.estimate),
        wants_usage: body.wants_usage,
        wants_base64: body.wants_base64(),
        choices: body.choices(),
        limit: reserved.map(|reserved| body.of_all_answers(reserved)),
        served,
    };
    let answered = tokio::select! {
        biased;
        refused = call.key_ended() => return Err(refused),
        answered = answer(state, &answering.served, body, reserved) => answered,
    };
    let answer = match answered {
        Ok(answer) => answer,
        Err(Failure::Refused(refused)) => {
            call.release();
            return Err(refused);
        }
        Err(Failure::TimedOut) => {
            call.pays_for_prompt();
            return Err(Refused::upstream_timeout());
        }
    };
    let kind = answer.headers.get(CONTENT_TYPE).cloned();
    // What it is decides, not what was asked for.
    let is_stream = match &kind {
        Some(kind) => kind.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream"),
        None => wants_stream,
    };
    let answer = AnswerBody::of(answer);
    if is_stream {
        return Ok(stream(Relay::new(answer, call, answering), kind));
    }
    passage::pass_on(Passage::new(answer, call, answering), kind).await
}

/// Why there is no answer.
enum Failure {
    /// The upstream refused the call, or could not be asked.
    Refused(Refused),
    TimedOut,
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// The head of a good answer.
async fn answer(
    state: &Gateway,
    served: &Served,
    body: CallBody,
    reserved: Option<u64>,
) -> Result<UpstreamAnswer, Failure> {
    let answer = send(state, served, body, reserved).await?;
    let status = answer.status;
    if status.is_success() {
        return Ok(answer);
    }
    let wait = retry_after(answer.headers.get(RETRY_AFTER));
    let error = error(AnswerBody::of(answer), state.upstreams.silence, served).await;
    tracing::warn!(
        upstream = served.line.name,
        status = status.as_u16(),
        message = error.message,
        "Upstream rejected a call"
    );
    Err(refusal(status, error, wait).into())
}

/// What a client is told of an upstream's refusal.
fn refusal(status: StatusCode, error: UpstreamError, wait: Option<u64>) -> Refused {
    match status.as_u16() {
        401 => Refused::upstream_unauthorized(),
        400 | 403 if error.is_unauthorized() => Refused::upstream_unauthorized(),
        429 if error.is_quota() => Refused::upstream_quota(error).with_retry_after(wait),
        429 => Refused::upstream_busy().with_retry_after(wait),
        // Its own words help whoever sent something wrong.
        400..500 => Refused::of_upstream(status, error),
        503 | 529 => Refused::upstream_overloaded(status).with_retry_after(wait),
        _ => Refused::upstream_error(),
    }
}

/// How long an upstream asks to wait, at least a second and no more than a client is asked for.
fn retry_after(value: Option<&HeaderValue>) -> Option<u64> {
    let seconds: f64 = value?.to_str().ok()?.trim().parse().ok()?;
    // Rounded up to what `Retry-After` may say; a date says nothing to most clients.
    let waits = (1..=LONGEST_WAIT).find(|wait| Duration::from_secs(*wait).as_secs_f64() >= seconds);
    (seconds >= 0.0).then(|| waits.unwrap_or(LONGEST_WAIT))
}

/// Sends the call, and waits for the head of the answer.
async fn send(
    state: &Gateway,
    served: &Served,
    body: CallBody,
    reserved: Option<u64>,
) -> Result<UpstreamAnswer, Failure> {
    let endpoint = body.endpoint;
    let body = body.for_upstream(served, reserved);
    let line = &served.line;
    let sending = state.upstreams.client.send(&line.origin, || line.call(endpoint, body.clone()));
    let Ok(sent) = tokio::time::timeout(state.upstreams.timeout, sending).await else {
        return Err(Failure::TimedOut);
    };
    let error = match sent {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    let refused = match &error {
        CallError::ConnectTimeout => Refused::upstream_timeout(),
        CallError::Connect(_) if error.is_timeout() => Refused::upstream_timeout(),
        CallError::Connect(_) => Refused::upstream_unreachable(),
        CallError::Failed(_) if error.is_timeout() => return Err(Failure::TimedOut),
        CallError::Failed(_) => Refused::upstream_error(),
    };
    let cause = cause(&error);
    tracing::warn!(upstream = line.name, cause, "Upstream call failed");
    Err(refused.into())
}

fn stream(relay: Relay, kind: Option<HeaderValue>) -> Response {
    let mut response = Body::from_stream(relay.into_stream()).into_response();
    let kind = kind.unwrap_or(HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// What an error's body says. One that does not come, or says too much, is read as far as it came.
async fn error(mut answer: AnswerBody, silence: Duration, served: &Served) -> UpstreamError {
    let mut whole = Vec::new();
    while whole.len() < upstream_error::LONGEST {
        match answer.next(silence).await {
            Ok(Some(part)) => whole.extend_from_slice(&part),
            Ok(None) | Err(Broken::Silent | Broken::Failed(_)) => break,
        }
    }
    upstream_error::read(&whole, &served.line.secrets())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_whole_seconds_within_a_minute() {
        let wait = |text: &str| retry_after(Some(&HeaderValue::from_str(text).unwrap()));
        for (text, seconds) in [
            ("7", Some(7)),
            ("0", Some(1)),
            ("0.2", Some(1)),
            ("39000", Some(60)),
            ("1.5", Some(2)),
        ] {
            assert_eq!(wait(text), seconds, "{text}");
        }
        for text in ["-1", "x", "Wed, 21 Oct 2037 07:28:00 GMT", "NaN"] {
            assert_eq!(wait(text), None, "{text}");
        }
    }
}
