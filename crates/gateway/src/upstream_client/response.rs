//! Responses of upstreams.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use futures::Stream;
use hyper::body::{Body, Incoming};

use super::connection::Connection;
use super::origin::Origin;

/// A response whose head has been received.
pub(crate) struct UpstreamResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: ResponseStream,
}

/// The body of a response. Dropping it before its end closes the connection.
pub(crate) struct ResponseStream {
    body: Incoming,
    /// None once the body is complete.
    connection: Option<Connection>,
    origin: Arc<Origin>,
    /// Whether everything that had arrived was taken a moment ago.
    is_drained: bool,
}

type PolledChunk = Option<hyper::Result<Bytes>>;

impl ResponseStream {
    pub(super) const fn new(body: Incoming, connection: Connection, origin: Arc<Origin>) -> Self {
        Self { body, connection: Some(connection), origin, is_drained: false }
    }

    /// Returns what has already arrived. If pending, no waker was registered.
    pub(crate) fn poll_now(&mut self) -> Poll<PolledChunk> {
        // Only driving the connection makes the body progress, so no waker is needed here.
        self.is_drained = false;
        if let Poll::Ready(chunk) = self.poll_body() {
            return Poll::Ready(chunk);
        }
        if let Some(connection) = &mut self.connection {
            connection.drive_now();
        }
        let polled = self.poll_body();
        self.is_drained = polled.is_pending();
        polled
    }

    fn poll_body(&mut self) -> Poll<PolledChunk> {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(&mut context));
            let Some(frame) = frame else {
                if let Some(connection) = self.connection.take() {
                    self.origin.keep(connection);
                }
                return Poll::Ready(None);
            };
            match frame.map(hyper::body::Frame::into_data) {
                Ok(Ok(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                // Trailers are ignored.
                Ok(Err(_)) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

impl Stream for ResponseStream {
    type Item = hyper::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<PolledChunk> {
        if !self.is_drained
            && let Poll::Ready(chunk) = self.poll_now()
        {
            return Poll::Ready(chunk);
        }
        self.is_drained = false;
        // Polls again, now with a waker. If the waker were registered from the start, the
        // connection would wake its own task for each chunk.
        if let Some(connection) = &mut self.connection {
            connection.drive(context);
        }
        self.poll_body()
    }
}
