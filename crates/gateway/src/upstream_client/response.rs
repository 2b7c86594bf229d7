//! The answer of an upstream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use futures::Stream;
use hyper::body::{Body, Incoming};

use super::connection::Connection;
use super::origin::Origin;

/// An answer whose head has come.
pub(crate) struct UpstreamResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: ResponseStream,
}

/// The bytes of an answer. Who drops it before its end closes the connection.
pub(crate) struct ResponseStream {
    body: Incoming,
    /// None: the answer is whole.
    connection: Option<Connection>,
    origin: Arc<Origin>,
}

type PolledChunk = Option<hyper::Result<Bytes>>;

impl ResponseStream {
    pub(super) const fn new(body: Incoming, connection: Connection, origin: Arc<Origin>) -> Self {
        Self { body, connection: Some(connection), origin }
    }

    /// What has come already; pending: the rest has to be waited for, and nobody is woken.
    pub(crate) fn poll_now(&mut self) -> Poll<PolledChunk> {
        // Only driving the connection brings more, so nobody needs to be woken by the body.
        if let Poll::Ready(chunk) = self.poll_body() {
            return Poll::Ready(chunk);
        }
        if let Some(connection) = &mut self.connection {
            connection.drive_now();
        }
        self.poll_body()
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
                // Trailers say nothing.
                Ok(Err(_)) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

impl Stream for ResponseStream {
    type Item = hyper::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<PolledChunk> {
        if let Poll::Ready(chunk) = self.poll_now() {
            return Poll::Ready(chunk);
        }
        // Again, now that it is clear that somebody has to be woken. With a waker from the start
        // the connection would wake its own task for each piece that is taken.
        if let Some(connection) = &mut self.connection {
            connection.drive(context);
        }
        self.poll_body()
    }
}
