//! Accepts connections, limits their number and their request bodies, closes slow ones, and
//! finishes requests in progress before it stops.
//!
//! It speaks HTTP/1.1 and HTTP/2 without TLS, which a proxy in front provides. It knows nothing of
//! what is served: that is a [`Handler`].

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

pub use body_budget::{BodyBudgetExceeded, BodyPermit, BufferPermit, assign_to_caller};
pub use drain_body::DrainedBody;
pub use timeouts::Timeouts;

use body_budget::Allowance;
use detect::DetectedStream;
use progress::{Progress, Protocol};
use response_body::TrackedBody;
use timeouts::{Action, Watchdog};

/// The largest head of a request over HTTP/2, in bytes.
const HEAD: u32 = 64 * 1024;
/// The same over HTTP/1.1, where it is also what is read of a body at once.
const BUFFER: usize = 64 * 1024;
/// Requests at once on one connection of HTTP/2.
const STREAMS: u32 = 100;
/// What is read ahead of a body over HTTP/2, in bytes, before somebody wants it.
const STREAM_WINDOW: u32 = 64 * 1024;
/// The same for all bodies of a connection.
const WINDOW: u32 = 256 * 1024;
/// How often idle connections are closed while new ones wait for a place.
const PRESSURE: Duration = Duration::from_secs(1);
/// After a failure to accept: the system is out of something that others will give back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers the requests of a listener.
pub trait Handler: Send + Sync + 'static {
    /// Answers a request that came from `peer`. `permit` is what its body takes of the budget for
    /// all bodies, if it may take any.
    fn handle(
        &self,
        request: Request<DrainedBody>,
        peer: SocketAddr,
        permit: Option<Arc<BodyPermit>>,
    ) -> impl Future<Output = Response> + Send;

    /// The counter of open connections, if they are counted.
    fn open_connections(&self) -> Option<&AtomicU64> {
        None
    }
}

/// Accepts connections and answers their requests until `stop`; then finishes the requests in
/// progress. At most `places` connections are open at once.
pub async fn accept(
    listener: TcpListener,
    handler: impl Handler,
    places: usize,
    timeouts: Timeouts,
    stop: impl Future<Output = ()>,
) {
    let server = Arc::new(Server { handler, builder: builder(timeouts), timeouts });
    let (told, _) = watch::channel(());
    let (wanted, _) = watch::channel(());
    let places = Arc::new(Semaphore::new(places));
    let mut stop = pin!(stop);
    loop {
        let (stream, peer, place) = tokio::select! {
            next = next(&listener, &places, &wanted) => next,
            () = &mut stop => break,
        };
        let (server, told, wanted) = (Arc::clone(&server), told.subscribe(), wanted.subscribe());
        tokio::spawn(async move {
            let _counted = OpenConnection::new(&server);
            serve_connection(&server, stream, peer, told, wanted).await;
            drop(place);
        });
    }
    drop(listener);
    // Each connection receives this, and drops its receiver when it is closed. It is an error only
    // if there are no connections.
    let _ = told.send(());
    told.closed().await;
}

/// Waits for a place, then for a connection to have it. When there is none, those on which nothing
/// is under way are told that their places are `wanted`: silence alone must not keep others out.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    wanted: &watch::Sender<()>,
) -> (TcpStream, SocketAddr, ConnectionPermit) {
    let mut free = pin!(Arc::clone(places).acquire_owned());
    // Without one only if the semaphore were closed, and nobody closes it.
    let place = loop {
        match tokio::time::timeout(PRESSURE, free.as_mut()).await {
            Ok(place) => break place.ok(),
            Err(_) => wanted.send_replace(()),
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

/// What all connections of a listener go by.
struct Server<A> {
    handler: A,
    builder: auto::Builder<TokioExecutor>,
    timeouts: Timeouts,
}

/// Answers what comes on one connection until it ends, its client is out of time, or the server was
/// `told` to stop and nothing is under way any more.
async fn serve_connection<A: Handler>(
    server: &Arc<Server<A>>,
    stream: TcpStream,
    peer: SocketAddr,
    mut told: watch::Receiver<()>,
    wanted: watch::Receiver<()>,
) {
    let progress = Arc::new(Progress::default());
    let stream = prepared(stream, &progress, server.timeouts);
    let common = Arc::new(Common {
        server: Arc::clone(server),
        peer,
        progress: Arc::clone(&progress),
        allowance: Arc::default(),
    });
    let answer = service_fn(move |request| answered(&common, request));
    let mut connection = pin!(server.builder.serve_connection(stream, answer));
    let mut watchdog = Watchdog::new(Arc::clone(&progress));
    // Together, as each is only looked at when it is woken: the connection is with every request.
    let mut events = FuturesUnordered::new();
    events.push(Either::Left(told.changed().map(|_| ConnectionEvent::Stop)));
    events.push(Either::Right(Either::Left(tick(server.timeouts))));
    events.push(Either::Right(Either::Right(wants(wanted))));
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
                ConnectionEvent::Wanted(wanted) => {
                    match progress.protocol() {
                        _ if !progress.is_idle() => {}
                        Protocol::Http2 => connection.as_mut().graceful_shutdown(),
                        Protocol::Unknown | Protocol::Http1 => {
                            return tracing::debug!("Closed an idle connection to make room for \
                                                    another");
                        }
                    }
                    events.push(Either::Right(Either::Right(wants(wanted))));
                }
            },
        }
    }
}

/// What happens on a connection beside its requests.
enum ConnectionEvent {
    /// The server is to stop.
    Stop,
    /// The watchdog's time has come. A new tick begins then, not at the old one's end: a process
    /// that was stopped meanwhile would else meet many at once.
    Tick,
    /// Others wait for a place.
    Wanted(watch::Receiver<()>),
}

async fn wants(mut wanted: watch::Receiver<()>) -> ConnectionEvent {
    if wanted.changed().await.is_err() {
        // Nobody is accepted any more.
        std::future::pending::<()>().await;
    }
    ConnectionEvent::Wanted(wanted)
}

async fn tick(timeouts: Timeouts) -> ConnectionEvent {
    timeouts.tick().await;
    ConnectionEvent::Tick
}

/// What the requests of one connection have in common. Behind one counter of its own: the server's,
/// which all connections share, would go from processor to processor with every request.
struct Common<A> {
    server: Arc<Server<A>>,
    peer: SocketAddr,
    progress: Arc<Progress>,
    allowance: Arc<Allowance>,
}

/// Answers a request. What its body needs beside is made only where it may matter: not for
/// HTTP/1.1's short ones.
///
/// Boxed, as hyper would else move all of its states to where it keeps them.
fn answered<A: Handler>(
    common: &Arc<Common<A>>,
    request: Request<Incoming>,
) -> Pin<Box<impl Future<Output = Result<Response<TrackedBody>, Infallible>> + Send + use<A>>> {
    let stream = common.progress.begin();
    let permit = BodyPermit::of(&request, &common.allowance);
    let request = request.map(|body| DrainedBody::new(body, permit.clone()));
    let common = Arc::clone(common);
    Box::pin(async move {
        let response = common.server.handler.handle(request, common.peer, permit).await;
        Ok(response.map(|body| TrackedBody::new(body, stream)))
    })
}

/// Counts a connection while it is open.
struct OpenConnection<'a>(Option<&'a AtomicU64>);

impl<'a> OpenConnection<'a> {
    fn new(server: &'a Server<impl Handler>) -> Self {
        let open = server.handler.open_connections();
        if let Some(open) = open {
            open.fetch_add(1, Ordering::Relaxed);
        }
        Self(open)
    }
}

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        if let Some(open) = self.0 {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn builder(timeouts: Timeouts) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // The watchdog has the time-outs of HTTP/1.1: hyper makes a timer for each request.
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
    // Without it a small answer waits for the client's delayed acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "Failed to set TCP_NODELAY");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(timeouts.write()));
    TokioIo::new(DetectedStream::new(Box::pin(stream), Arc::clone(progress)))
}
