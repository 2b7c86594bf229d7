//! Forwards responses that are not event streams.
//!
//! A short response is buffered, so that one that breaks off becomes a clean error. A longer one is
//! forwarded as it arrives, with backpressure to the upstream. Its last chunk is held back until
//! the call has settled, as the client's next call may depend on it.

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

/// Responses up to this size are buffered.
const MAX_BUFFERED_RESPONSE_BYTES: usize = 64 * 1024;

/// A response that is being forwarded.
pub(super) struct ResponseProxy {
    answer: ResponseBody,
    call: InFlightCall,
    context: ResponseContext,
    read: ResponseScanner,
    vectors: Option<Base64Vectors>,
    /// The chunk that is held back.
    last: Bytes,
    /// Share of the memory budget for bodies that buffered chunks use.
    held: BufferPermit,
    is_over: bool,
}

/// Starts the response. Waits for the first chunk, so that an early failure becomes an error
/// status.
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

    /// Buffers the response until it ends or grows beyond the limit.
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
        // From here on the client receives bytes, so errors can only break the connection.
        Ok(Body::from_stream(futures::stream::unfold(self, async |mut proxy| {
            let next = proxy.next().await?;
            Some((next, proxy))
        })))
    }

    /// An error with a success status. The call is free, as after any other error.
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

    /// The next chunk for the client.
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
            // The status is already sent. Breaking off tells the client that the response is
            // incomplete.
            Err(refused) => {
                self.is_over = true;
                Some(Err(std::io::Error::other(refused.message().to_owned())))
            }
        }
    }

    /// Reads the next chunk from the upstream. If the upstream fails, the call is free; if it is
    /// silent for too long, the prompt is charged.
    async fn part(&mut self) -> Result<Option<Bytes>, GatewayError> {
        let part = tokio::select! {
            // Checked first, as the upstream may always be ready.
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

    /// Settles with the reported usage, or with an estimate.
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
