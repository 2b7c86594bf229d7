//! Accepts connections, limits their number and their request bodies, closes slow ones, and
//! finishes requests in progress before it stops.
//!
//! It serves HTTP/1.1 and HTTP/2 without TLS, which a proxy in front terminates. What it serves is
//! up to a [`Service`] of [`AcceptedRequest`].

mod body_budget;
mod detect;
mod drain_body;
mod progress;
mod response_body;
#[cfg(test)]
mod tests;
mod timeouts;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::Request;
use axum::response::Response;
use futures::future::Either;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower::{Service, ServiceExt};

pub use body_budget::{BodyBudgetExceeded, BodyPermit, BufferPermit, assign_to_caller};
pub use drain_body::DrainedBody;
pub use timeouts::Timeouts;

use body_budget::Allowance;
use detect::DetectedStream;
use progress::{Progress, Protocol};
use response_body::TrackedBody;
use timeouts::{Action, Watchdog};

/// Maximum size of an HTTP/2 request head, in bytes.
const HEAD: u32 = 64 * 1024;
/// Maximum size of an HTTP/1.1 request head, in bytes. It also limits a single read of a body.
const BUFFER: usize = 64 * 1024;
/// Maximum concurrent requests on an HTTP/2 connection.
const STREAMS: u32 = 100;
/// Bytes of an HTTP/2 body that are buffered before a handler reads it.
const STREAM_WINDOW: u32 = 64 * 1024;
/// As `STREAM_WINDOW`, for all bodies of a connection together.
const WINDOW: u32 = 256 * 1024;
/// Interval at which idle connections are closed while new ones wait for a place.
const PRESSURE_INTERVAL: Duration = Duration::from_secs(1);
/// Pause after a failed accept: the system is out of a resource that other connections will
/// release.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A request as the service of a listener gets it.
pub struct AcceptedRequest {
    /// The request. A short body is read to its end even if the service does not read it.
    pub request: Request<DrainedBody>,
    /// The other end of the connection: the client, or a proxy in front.
    pub peer: SocketAddr,
    /// Accounts for the body in the shared budget; `None` if it fits into the free allowance.
    pub permit: Option<Arc<BodyPermit>>,
}

/// How many connections a listener has, and may have.
#[derive(Debug)]
pub struct Connections {
    /// Maximum number of open connections. Further ones wait to be accepted.
    pub max: usize,
    /// Number of open connections.
    pub open: Arc<AtomicU64>,
}

impl Connections {
    /// At most `max` connections, which nobody else counts.
    pub fn up_to(max: usize) -> Self {
        Self { max, open: Arc::default() }
    }
}

/// Accepts connections and serves their requests until `stop`, then finishes the requests in
/// progress.
///
/// `make_service` makes the service of a connection, which is cloned for each of its requests: a
/// clone has to be cheap. What clones count should be the connection's own. Processors that count
/// references to the same value for every request wait for each other.
pub async fn accept<M, S>(
    listener: TcpListener,
    make_service: M,
    connections: Connections,
    timeouts: Timeouts,
    stop: impl Future<Output = ()>,
) where
    M: Fn() -> S + Send + Sync + 'static,
    S: Service<AcceptedRequest, Response = Response, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let server = Arc::new(Server { make_service, builder: builder(timeouts), timeouts });
    let (stopping, _) = watch::channel(());
    let (pressure, _) = watch::channel(());
    let places = Arc::new(Semaphore::new(connections.max));
    let mut stop = pin!(stop);
    loop {
        let (stream, peer, place) = tokio::select! {
            next = next(&listener, &places, &pressure) => next,
            () = &mut stop => break,
        };
        let server = Arc::clone(&server);
        let counted = OpenConnection::new(Arc::clone(&connections.open));
        let (stopping, pressure) = (stopping.subscribe(), pressure.subscribe());
        tokio::spawn(async move {
            let _counted = counted;
            serve_connection(&server, stream, peer, stopping, pressure).await;
            drop(place);
        });
    }
    drop(listener);
    // Each connection gets this message, and drops its receiver when it closes. Sending fails only
    // if no connection is open.
    let _ = stopping.send(());
    stopping.closed().await;
}

/// Waits for a place, then for a connection. While none is free, idle connections are notified
/// through `pressure`: a silent client must not keep others out.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    pressure: &watch::Sender<()>,
) -> (TcpStream, SocketAddr, ConnectionPermit) {
    let mut free = pin!(Arc::clone(places).acquire_owned());
    // `None` only if the semaphore is closed, which never happens.
    let place = loop {
        match tokio::time::timeout(PRESSURE_INTERVAL, free.as_mut()).await {
            Ok(place) => break place.ok(),
            Err(_) => pressure.send_replace(()),
        }
    };
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) => {
                tracing::warn!(%error, "Failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

type ConnectionPermit = Option<OwnedSemaphorePermit>;

/// State shared by all connections of a listener.
struct Server<M> {
    make_service: M,
    builder: auto::Builder<TokioExecutor>,
    timeouts: Timeouts,
}

/// Serves one connection until it closes, its client times out, or `stopping` was sent and no
/// request is in progress.
async fn serve_connection<M, S>(
    server: &Server<M>,
    stream: TcpStream,
    peer: SocketAddr,
    mut stopping: watch::Receiver<()>,
    pressure: watch::Receiver<()>,
) where
    M: Fn() -> S,
    S: Service<AcceptedRequest, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let progress = Arc::new(Progress::default());
    let stream = prepared(stream, &progress, server.timeouts);
    let context = ConnectionContext {
        service: (server.make_service)(),
        peer,
        progress: Arc::clone(&progress),
        allowance: Arc::default(),
    };
    let answer = service_fn(move |request| respond(&context, request));
    let mut connection = pin!(server.builder.serve_connection(stream, answer));
    let mut watchdog = Watchdog::new(Arc::clone(&progress));
    // In one set, which is polled only when one of them wakes. The connection itself is polled with
    // every request.
    let mut events = FuturesUnordered::new();
    events.push(Either::Left(stopping.changed().map(|_| ConnectionEvent::Stop)));
    events.push(Either::Right(Either::Left(tick(server.timeouts))));
    events.push(Either::Right(Either::Right(under_pressure(pressure))));
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error, "Connection ended early");
                }
                return;
            }
            Some(event) = events.next() => match event {
                ConnectionEvent::Stop => connection.as_mut().graceful_shutdown(),
                ConnectionEvent::Tick => {
                    match watchdog.tick() {
                        Action::Continue => {}
                        Action::ShutDown => connection.as_mut().graceful_shutdown(),
                        Action::Close(why) => {
                            return tracing::debug!(why, "Closed a connection that timed out");
                        }
                    }
                    events.push(Either::Right(Either::Left(tick(server.timeouts))));
                }
                ConnectionEvent::Pressure(pressure) => {
                    match progress.protocol() {
                        _ if !progress.is_idle() => {}
                        Protocol::Http2 => connection.as_mut().graceful_shutdown(),
                        Protocol::Unknown | Protocol::Http1 => {
                            return tracing::debug!("Closed an idle connection to make room for \
                                                    another");
                        }
                    }
                    events.push(Either::Right(Either::Right(under_pressure(pressure))));
                }
            },
        }
    }
}

/// Events of a connection beside its requests.
enum ConnectionEvent {
    /// The server stops.
    Stop,
    /// The watchdog is due. The next tick starts now, not at the end of the last one: a process
    /// that was suspended would otherwise run many ticks at once.
    Tick,
    /// New connections wait for a place.
    Pressure(watch::Receiver<()>),
}

async fn under_pressure(mut pressure: watch::Receiver<()>) -> ConnectionEvent {
    if pressure.changed().await.is_err() {
        // The listener no longer accepts connections.
        std::future::pending::<()>().await;
    }
    ConnectionEvent::Pressure(pressure)
}

async fn tick(timeouts: Timeouts) -> ConnectionEvent {
    timeouts.tick().await;
    ConnectionEvent::Tick
}

/// State shared by the requests of one connection.
struct ConnectionContext<S> {
    service: S,
    peer: SocketAddr,
    progress: Arc<Progress>,
    allowance: Arc<Allowance>,
}

/// Handles a request. A permit is created only for bodies that need one, so not for short HTTP/1.1
/// bodies.
fn respond<S>(
    context: &ConnectionContext<S>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<TrackedBody>, Infallible>> + use<S>
where
    S: Service<AcceptedRequest, Response = Response, Error = Infallible> + Clone,
{
    let stream = context.progress.begin();
    let permit = BodyPermit::of(&request, &context.allowance);
    let request = request.map(|body| DrainedBody::new(body, permit.clone()));
    let accepted = AcceptedRequest { request, peer: context.peer, permit };
    let response = context.service.clone().oneshot(accepted);
    async move { Ok(response.await?.map(|body| TrackedBody::new(body, stream))) }
}

/// Counts a connection while it is open.
struct OpenConnection(Arc<AtomicU64>);

impl OpenConnection {
    fn new(open: Arc<AtomicU64>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn builder(timeouts: Timeouts) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // The watchdog handles the time-outs of HTTP/1.1, since hyper creates a timer per request.
    builder.http1().header_read_timeout(None).max_buf_size(BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(WINDOW)
        .keep_alive_interval(timeouts.head());
    builder
}

type ClientStream = TokioIo<DetectedStream<Pin<Box<TimeoutStream<TcpStream>>>>>;

fn prepared(stream: TcpStream, progress: &Arc<Progress>, timeouts: Timeouts) -> ClientStream {
    // Without it, a small response waits for the client's delayed ACK of the previous one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "Failed to set TCP_NODELAY");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(timeouts.write()));
    TokioIo::new(DetectedStream::new(Box::pin(stream), Arc::clone(progress)))
}
