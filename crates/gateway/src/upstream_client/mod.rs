//! The HTTP client for upstreams.
//!
//! A connection is polled by the task that serves the client, not by a task of its own as in
//! `reqwest` and `hyper-util`. There each event of a stream woke two more tasks, mostly on other
//! threads, which took longer than all other work on it. Here everything that has arrived is read
//! at once and forwarded in one write. What remains to do is a pool of idle connections
//! ([`Origin`]).
//!
//! It speaks HTTP/1.1, over TLS with the system's root certificates, and uses the proxies in
//! `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`. It follows no redirects, because those
//! could leak a credential.

mod connection;
mod connector;
mod origin;
mod response;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Request;
use http_body_util::Full;
use latchkey_checker::clock::Clock;
use reqwest::Url;
use tokio::time::timeout;

use connection::Connection;
use connector::Connector;
pub(super) use origin::Origin;
pub(super) use response::{ResponseStream, UpstreamResponse};

/// How long it may take to establish a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// If the upstream has closed an idle connection, a request on it fails at once and is sent again.
/// After this time the upstream may have started to process it.
const RETRY_WINDOW: Duration = Duration::from_secs(1);

/// Sends requests over pooled connections.
pub(super) struct UpstreamClient {
    connector: Connector,
    clock: Arc<dyn Clock>,
    /// Maximum number of idle connections per upstream.
    max_idle: Arc<AtomicUsize>,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("no connection in time")]
    ConnectTimeout,
    #[error("no connection")]
    Connect(#[source] Box<dyn Error + Send + Sync>),
    #[error("no answer")]
    Failed(#[source] hyper::Error),
}

impl UpstreamClient {
    /// A client with the system's root certificates and the proxies from the environment.
    ///
    /// # Errors
    /// The system's root certificates cannot be read.
    pub(super) fn new(clock: Arc<dyn Clock>, max_idle: usize) -> anyhow::Result<Self> {
        let max_idle = Arc::new(AtomicUsize::new(max_idle));
        Ok(Self { connector: Connector::of_system()?, clock, max_idle })
    }

    /// Changes the maximum number of idle connections per upstream.
    pub(super) fn set_max_idle(&self, max_idle: usize) {
        self.max_idle.store(max_idle, Ordering::Relaxed);
    }

    /// The origin of a URL.
    ///
    /// # Errors
    /// The URL has no host.
    pub(super) fn origin(&self, url: &Url) -> anyhow::Result<Arc<Origin>> {
        let clock = Arc::clone(&self.clock);
        Origin::new(url, &self.connector, clock, Arc::clone(&self.max_idle)).map(Arc::new)
    }

    /// Sends a request and waits for the head of the response. If an idle connection turns out to
    /// be closed, the request is sent again on a new one.
    ///
    /// # Errors
    /// No connection could be established, or it broke before the response.
    pub(super) async fn send(
        &self,
        origin: &Arc<Origin>,
        request: impl Fn() -> Request<Full<Bytes>>,
    ) -> Result<UpstreamResponse, CallError> {
        if let Some(connection) = origin.take_idle() {
            let began = self.clock.monotonic();
            match exchange(connection, request(), origin).await {
                Err(error)
                    if error.is_closed()
                        && self.clock.monotonic().saturating_sub(began) < RETRY_WINDOW => {}
                result => return result,
            }
        }
        // Boxed: most calls find an idle connection.
        Box::pin(connect_and_exchange(request(), origin)).await
    }
}

async fn connect_and_exchange(
    request: Request<Full<Bytes>>,
    origin: &Arc<Origin>,
) -> Result<UpstreamResponse, CallError> {
    let connecting = async {
        let transport = origin.route().connect().await.map_err(CallError::Connect)?;
        Connection::over(transport).await.map_err(CallError::Failed)
    };
    let connection = timeout(CONNECT_TIMEOUT, connecting).await;
    exchange(connection.map_err(|_| CallError::ConnectTimeout)??, request, origin).await
}

async fn exchange(
    mut connection: Connection,
    request: Request<Full<Bytes>>,
    origin: &Arc<Origin>,
) -> Result<UpstreamResponse, CallError> {
    let mut pending = pin!(connection.send(request));
    let response = poll_fn(|context| {
        // Only driving the connection makes the response progress, so no waker is needed here.
        let mut no_waker = Context::from_waker(Waker::noop());
        connection.drive_now();
        if let Poll::Ready(response) = pending.as_mut().poll(&mut no_waker) {
            return Poll::Ready(response);
        }
        connection.drive(context);
        pending.as_mut().poll(&mut no_waker)
    });
    let (head, body) = response.await.map_err(CallError::Failed)?.into_parts();
    let body = ResponseStream::new(body, connection, Arc::clone(origin));
    Ok(UpstreamResponse { status: head.status, headers: head.headers, body })
}

impl CallError {
    /// The operating system reported a time-out.
    pub(super) fn is_timeout(&self) -> bool {
        self.io_kinds().any(|kind| kind == std::io::ErrorKind::TimedOut)
    }

    /// The connection was closed before the first byte of a response.
    fn is_closed(&self) -> bool {
        use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        let Self::Failed(error) = self else { return false };
        error.is_incomplete_message()
            || error.is_closed()
            || error.is_canceled()
            || self
                .io_kinds()
                .any(|kind| matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset))
    }

    fn io_kinds(&self) -> impl Iterator<Item = std::io::ErrorKind> {
        std::iter::successors(self.source(), |error| (*error).source())
            .filter_map(|error| error.downcast_ref::<std::io::Error>())
            .map(std::io::Error::kind)
    }
}
