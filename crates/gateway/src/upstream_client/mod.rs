//! The HTTP client that calls upstreams.
//!
//! A call's connection is polled by the task that answers the client, not by a task of its own as
//! in `reqwest` and `hyper-util`: there each event of a stream woke two more tasks, mostly on
//! another thread, which took more time than all else that was done with it. So whatever has come
//! of a stream is read at once, and goes on in one write. What is left to do here is to keep the
//! connections that wait for their next call ([`Origin`]).
//!
//! It speaks HTTP/1.1, over TLS by the system's roots, and through the proxies that `HTTPS_PROXY`,
//! `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` name. It follows no redirect: that could carry a
//! credential to somebody else.

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
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Request;
use http_body_util::Full;
use latchkey_services::clock::Clock;
use reqwest::Url;
use tokio::time::timeout;

use connection::Connection;
use connector::Connector;
pub(super) use origin::Origin;
pub(super) use response::{ResponseStream, UpstreamResponse};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that was kept and that the upstream closed meanwhile fails at once. Later, the
/// upstream may have begun to work.
const RETRY_WINDOW: Duration = Duration::from_secs(1);

/// Calls upstreams.
pub(super) struct UpstreamClient {
    connector: Connector,
    clock: Arc<dyn Clock>,
    /// The most connections to one upstream that wait for a call.
    max_idle: usize,
}

/// Why there is no answer.
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
    /// A client with the system's roots of trust and the environment's proxies.
    ///
    /// # Errors
    /// The system's roots can't be read.
    pub(super) fn new(clock: Arc<dyn Clock>, max_idle: usize) -> anyhow::Result<Self> {
        Ok(Self { connector: Connector::of_system()?, clock, max_idle })
    }

    /// Where a URL is.
    ///
    /// # Errors
    /// It has no host.
    pub(super) fn origin(&self, url: &Url) -> anyhow::Result<Arc<Origin>> {
        let clock = Arc::clone(&self.clock);
        Origin::new(url, &self.connector, clock, self.max_idle).map(Arc::new)
    }

    /// Sends a request and waits for the head of its answer. A connection that was kept is replaced
    /// if it turns out that the upstream has closed it.
    ///
    /// # Errors
    /// There is no connection, or it broke before an answer.
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
                answered => return answered,
            }
        }
        let connecting = async {
            let transport = origin.route().connect().await.map_err(CallError::Connect)?;
            Connection::over(transport).await.map_err(CallError::Failed)
        };
        let connection = timeout(CONNECT_TIMEOUT, connecting).await;
        exchange(connection.map_err(|_| CallError::ConnectTimeout)??, request(), origin).await
    }
}

async fn exchange(
    mut connection: Connection,
    request: Request<Full<Bytes>>,
    origin: &Arc<Origin>,
) -> Result<UpstreamResponse, CallError> {
    let mut answered = pin!(connection.send(request));
    let answer = poll_fn(|context| {
        // Only driving the connection brings an answer, so nobody needs to be woken by that.
        let mut nobody = Context::from_waker(Waker::noop());
        connection.drive_now();
        if let Poll::Ready(answer) = answered.as_mut().poll(&mut nobody) {
            return Poll::Ready(answer);
        }
        connection.drive(context);
        answered.as_mut().poll(&mut nobody)
    });
    let (head, body) = answer.await.map_err(CallError::Failed)?.into_parts();
    let body = ResponseStream::new(body, connection, Arc::clone(origin));
    Ok(UpstreamResponse { status: head.status, headers: head.headers, body })
}

impl CallError {
    /// The system gave up waiting for the other side.
    pub(super) fn is_timeout(&self) -> bool {
        self.io_kinds().any(|kind| kind == std::io::ErrorKind::TimedOut)
    }

    /// The connection was closed before the first byte of an answer.
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
