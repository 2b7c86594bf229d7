//! Forwards responses that are not event streams.
//!
//! A short response is buffered, so that one that breaks off becomes a clean error. A longer one is
//! forwarded as it arrives, with backpressure to the upstream. Its last chunk is held back until
//! the call has settled, as the client's next call may depend on it. Audio is heard while it
//! arrives, so nothing of it is buffered, and only its end is held back.

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
use super::response_kind::ResponseKind;
use super::upstream_error;

/// Responses up to this size are buffered.
const MAX_BUFFERED_RESPONSE_BYTES: usize = 64 * 1024;

/// A response that is being forwarded.
pub(super) struct ResponseProxy {
    body: ResponseBody,
    call: InFlightCall,
    context: ResponseContext,
    kind: ResponseKind,
    scanner: ResponseScanner,
    vectors: Option<Base64Vectors>,
    /// The chunk that is held back.
    pending: Bytes,
    /// Share of the memory budget for bodies that buffered chunks use.
    permit: BufferPermit,
    is_finished: bool,
}

/// Starts the response. Waits for the first chunk, so that an early failure becomes an error
/// status.
pub(super) async fn respond(
    proxy: ResponseProxy,
    content_type: Option<HeaderValue>,
) -> Result<Response, GatewayError> {
    let content_type = content_type.unwrap_or(proxy.kind.default_content_type());
    let body = proxy.start().await?;
    Ok((StatusCode::OK, [(CONTENT_TYPE, content_type)], body).into_response())
}

impl ResponseProxy {
    pub(super) fn new(
        body: ResponseBody,
        call: InFlightCall,
        context: ResponseContext,
        kind: ResponseKind,
    ) -> Self {
        Self {
            body,
            call,
            vectors: context.wants_base64.then(Base64Vectors::default),
            scanner: context.usage.response_scanner(),
            context,
            kind,
            pending: Bytes::new(),
            permit: BufferPermit::default(),
            is_finished: false,
        }
    }

    /// Buffers the response until it ends or grows beyond the limit.
    async fn start(mut self) -> Result<Body, GatewayError> {
        let mut chunks = Vec::new();
        let mut length = 0;
        loop {
            let Some(chunk) = self.chunk().await? else {
                let bytes = concat(chunks);
                if self.scanner.has_error() && !self.scanner.has_choice() {
                    return Err(self.error_with_success(&bytes).await);
                }
                self.settle().await;
                return Ok(bytes.into());
            };
            length += chunk.len();
            let fits = self.permit.acquire(chunk.len());
            chunks.push(chunk);
            let is_heard = self.kind == ResponseKind::Media;
            if length > MAX_BUFFERED_RESPONSE_BYTES || !fits || is_heard {
                self.pending = concat(chunks);
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
    async fn error_with_success(&mut self, body: &[u8]) -> GatewayError {
        self.call.release().await;
        let upstream = &self.context.target.upstream;
        let error = upstream_error::read(body, &upstream.secrets());
        upstream.count_broken_answer(&error.message);
        tracing::warn!(
            upstream = upstream.name,
            message = error.message,
            "Upstream returned an error with a success status"
        );
        GatewayError::upstream_answered(error)
    }

    /// The next chunk for the client.
    async fn next(&mut self) -> Option<Result<Bytes, std::io::Error>> {
        if self.is_finished {
            return None;
        }
        if self.kind == ResponseKind::Media && !self.pending.is_empty() {
            return Some(Ok(std::mem::take(&mut self.pending)));
        }
        match self.chunk().await {
            Ok(Some(chunk)) => {
                self.permit = BufferPermit::default();
                Some(Ok(match self.kind {
                    ResponseKind::Media => chunk,
                    _ => std::mem::replace(&mut self.pending, chunk),
                }))
            }
            Ok(None) => {
                self.settle().await;
                self.is_finished = true;
                let last = std::mem::take(&mut self.pending);
                (!last.is_empty()).then_some(Ok(last))
            }
            // The status is already sent. Breaking off tells the client that the response is
            // incomplete.
            Err(refused) => {
                self.is_finished = true;
                Some(Err(std::io::Error::other(refused.message().to_owned())))
            }
        }
    }

    /// Reads the next chunk from the upstream. If the upstream fails, the call is free; if it is
    /// silent for too long, the prompt is charged. A background response goes on in both cases.
    async fn chunk(&mut self) -> Result<Option<Bytes>, GatewayError> {
        let chunk = tokio::select! {
            // Checked first, as the upstream may always be ready.
            biased;
            refused = self.call.key_invalidated() => return Err(refused),
            chunk = self.body.next(self.context.idle_timeout) => chunk,
        };
        match chunk {
            Ok(Some(chunk)) => {
                match self.kind {
                    ResponseKind::Json => self.scanner.read(&chunk),
                    ResponseKind::Text => self.scanner.count_text(&chunk),
                    ResponseKind::Media => {}
                }
                let upstream = &self.context.target.upstream.name;
                if let Some(id) = self.scanner.response_id() {
                    self.call.remember_response(id, upstream);
                }
                self.call.keep_background().await?;
                for item in self.scanner.take_item_ids() {
                    self.call.remember_item(&item, upstream);
                }
                self.call.raise_usage(self.context.usage.usage_of_response(&self.scanner));
                Ok(Some(match &mut self.vectors {
                    Some(vectors) => vectors.encode(&chunk).into(),
                    None => chunk,
                }))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(self.interrupted(error).await),
        }
    }

    async fn interrupted(&mut self, error: BodyError) -> GatewayError {
        let upstream = &self.context.target.upstream;
        upstream.count_broken_answer(error.message());
        match error {
            BodyError::IdleTimeout if self.call.is_in_background() => {
                self.call.settle().await;
                GatewayError::upstream_timeout()
            }
            BodyError::IdleTimeout => {
                self.call.charge_prompt();
                self.call.settle().await;
                GatewayError::upstream_timeout()
            }
            BodyError::Failed(cause) => {
                tracing::warn!(
                    upstream = upstream.name,
                    cause,
                    "Upstream response was interrupted"
                );
                if self.call.is_in_background() {
                    self.call.settle().await;
                } else {
                    self.call.release().await;
                }
                GatewayError::upstream_error()
            }
        }
    }

    /// Settles with the reported usage, or with an estimate.
    async fn settle(&mut self) {
        let usage = self.context.usage.usage_of_response(&self.scanner);
        self.call.set_usage(usage);
        if self.scanner.final_status().is_some() {
            self.call.end_background(usage);
        }
        self.call.settle().await;
    }
}

fn concat(mut chunks: Vec<Bytes>) -> Bytes {
    match chunks.len() {
        0 => Bytes::new(),
        1 => chunks.remove(0),
        _ => chunks.concat().into(),
    }
}
