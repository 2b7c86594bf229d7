//! Answers that are no streams of events, on their way to the client.
//!
//! A short one is passed on whole, so that an upstream that breaks off midway is told as an error.
//! A longer one passes as it comes: what a client does not take stays with the upstream. Its last
//! part is held back until the call is settled, as the client's next call may depend on it.

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use latchkey_listener::BufferPermit;

use super::accounting::ResponseScanner;
use super::base64_vectors::Base64Vectors;
use super::error::GatewayError;
use super::in_flight::InFlightCall;
use super::response_body::{BodyError, ResponseBody};
use super::response_context::ResponseContext;
use super::upstream_error;

/// The longest answer that is held until it is whole.
const MAX_BUFFERED_RESPONSE_BYTES: usize = 64 * 1024;

/// An answer on its way.
pub(super) struct ResponseProxy {
    answer: ResponseBody,
    call: InFlightCall,
    context: ResponseContext,
    read: ResponseScanner,
    vectors: Option<Base64Vectors>,
    /// What has come and is not passed on yet.
    last: Bytes,
    /// What is held takes of the room for bodies.
    held: BufferPermit,
    is_over: bool,
}

/// Passes an answer on. The upstream's first part is waited for, so that what fails before is an
/// error.
pub(super) async fn respond(
    proxy: ResponseProxy,
    kind: Option<HeaderValue>,
) -> Result<Response, GatewayError> {
    let kind = kind.unwrap_or(HeaderValue::from_static("application/json"));
    let body = proxy.begin().await?;
    Ok((StatusCode::OK, [(CONTENT_TYPE, kind)], body).into_response())
}

impl ResponseProxy {
    pub(super) fn new(answer: ResponseBody, call: InFlightCall, context: ResponseContext) -> Self {
        Self {
            answer,
            call,
            vectors: context.wants_base64.then(Base64Vectors::default),
            context,
            read: ResponseScanner::default(),
            last: Bytes::new(),
            held: BufferPermit::default(),
            is_over: false,
        }
    }

    /// Reads until the answer is whole, or is longer than what is held of one.
    async fn begin(mut self) -> Result<Body, GatewayError> {
        let mut parts = Vec::new();
        let mut length = 0;
        loop {
            let Some(part) = self.part().await? else {
                let whole = joined(parts);
                if self.read.has_error() && !self.read.has_choice() {
                    return Err(self.failed_with_success(&whole));
                }
                self.settle().await;
                return Ok(whole.into());
            };
            length += part.len();
            let fits = self.held.acquire(part.len());
            parts.push(part);
            if length > MAX_BUFFERED_RESPONSE_BYTES || !fits {
                self.last = joined(parts);
                break;
            }
        }
        // From here on something of it reaches the client.
        Ok(Body::from_stream(futures::stream::unfold(self, async |mut proxy| {
            let next = proxy.next().await?;
            Some((next, proxy))
        })))
    }

    /// An error that came with a status of success: as any other, the call costs nothing.
    fn failed_with_success(&mut self, body: &[u8]) -> GatewayError {
        self.call.release();
        let upstream = &self.context.target.upstream;
        let error = upstream_error::read(body, &upstream.secrets());
        tracing::warn!(
            upstream = upstream.name,
            message = error.message,
            "Upstream returned an error with a success status"
        );
        GatewayError::upstream_answered(error)
    }

    /// The next part for the client.
    async fn next(&mut self) -> Option<Result<Bytes, std::io::Error>> {
        if self.is_over {
            return None;
        }
        match self.part().await {
            Ok(Some(part)) => {
                self.held = BufferPermit::default();
                Some(Ok(std::mem::replace(&mut self.last, part)))
            }
            Ok(None) => {
                self.settle().await;
                self.is_over = true;
                Some(Ok(std::mem::take(&mut self.last)))
            }
            // There is no way to tell, but that the answer is not whole.
            Err(refused) => {
                self.is_over = true;
                Some(Err(std::io::Error::other(refused.message().to_owned())))
            }
        }
    }

    /// The next part of the upstream's answer. An upstream that fails costs nothing, and one that
    /// falls silent the prompt.
    async fn part(&mut self) -> Result<Option<Bytes>, GatewayError> {
        let part = tokio::select! {
            // First: an upstream may always have something to say.
            biased;
            refused = self.call.key_invalidated() => return Err(refused),
            part = self.answer.next(self.context.idle_timeout) => part,
        };
        match part {
            Ok(Some(part)) => {
                self.read.read(&part);
                self.call.has_used_at_least(self.context.meter.of_whole(&self.read));
                Ok(Some(match &mut self.vectors {
                    Some(vectors) => vectors.encode(&part).into(),
                    None => part,
                }))
            }
            Ok(None) => Ok(None),
            Err(BodyError::IdleTimeout) => {
                self.call.pays_for_prompt();
                self.call.settle().await;
                Err(GatewayError::upstream_timeout())
            }
            Err(BodyError::Failed(cause)) => {
                self.call.release();
                let upstream = &self.context.target.upstream.name;
                tracing::warn!(upstream, cause, "Upstream response was interrupted");
                Err(GatewayError::upstream_error())
            }
        }
    }

    /// The answer is whole: what it says that it has used, or an estimate.
    async fn settle(&mut self) {
        self.call.has_used(self.context.meter.of_whole(&self.read));
        self.call.settle().await;
    }
}

fn joined(mut parts: Vec<Bytes>) -> Bytes {
    match parts.len() {
        0 => Bytes::new(),
        1 => parts.remove(0),
        _ => parts.concat().into(),
    }
}
