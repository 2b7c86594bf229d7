//! The connections: accepted, bounded in number, cut off when they are too slow, and finished
//! before the server stops.
//!
//! HTTP/1.1 and HTTP/2 in clear text; TLS is the business of the proxy in front.

mod answer;
mod let_go;
mod opening;
mod patience;
mod progress;
mod room;
#[cfg(test)]
mod tests;

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

pub use let_go::LetGo;
pub use patience::Patience;
pub use room::{Held, NoRoom, Share, belongs_to};

use answer::Answer;
use opening::Opening;
use patience::{Verdict, Watchdog};
use progress::{Progress, Protocol};
use room::Allowance;

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
/// How often those who say nothing are asked to go while others wait for their places.
const PRESSURE: Duration = Duration::from_secs(1);
/// After a failure to accept: the system is out of something that others will give back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who answers what comes on a listener.
pub trait Answers: Send + Sync + 'static {
    /// Answers a request that came from `peer`. `share` is what its body takes of the room for all
    /// of them, if it may take any.
    fn answer(
        &self,
        request: Request<LetGo>,
        peer: SocketAddr,
        share: Option<Arc<Share>>,
    ) -> impl Future<Output = Response> + Send;

    /// Where open connections are counted, if they are.
    fn open(&self) -> Option<&AtomicU64> {
        None
    }
}

/// Accepts connections and answers what comes on them until `stop`; then finishes the requests
/// under way. At most `places` connections are open at once, each waited for as long as `patience`
/// says.
pub async fn accept(
    listener: TcpListener,
    answers: impl Answers,
    places: usize,
    patience: Patience,
    stop: impl Future<Output = ()>,
) {
    let server = Arc::new(Server { answers, builder: builder(patience), patience });
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
            let _counted = Counted::new(&server);
            converse(&server, stream, peer, told, wanted).await;
            drop(place);
        });
    }
    drop(listener);
    // Each connection hears of it, and lets go of its end when it is over. Without connections
    // nobody hears.
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
    answers: A,
    builder: auto::Builder<TokioExecutor>,
    patience: Patience,
}

/// Answers what comes on one connection until it ends, its client is out of time, or the server was
/// `told` to stop and nothing is under way any more.
async fn converse<A: Answers>(
    server: &Arc<Server<A>>,
    stream: TcpStream,
    peer: SocketAddr,
    mut told: watch::Receiver<()>,
    wanted: watch::Receiver<()>,
) {
    let progress = Arc::new(Progress::default());
    let stream = prepared(stream, &progress, server.patience);
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
    events.push(Either::Right(Either::Left(tick(server.patience))));
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
                        Verdict::GoOn => {}
                        Verdict::Finish => connection.as_mut().graceful_shutdown(),
                        Verdict::CutOff(why) => {
                            return tracing::debug!(why, "Closed a connection that timed out");
                        }
                    }
                    events.push(Either::Right(Either::Left(tick(server.patience))));
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

async fn tick(patience: Patience) -> ConnectionEvent {
    patience.tick().await;
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
fn answered<A: Answers>(
    common: &Arc<Common<A>>,
    request: Request<Incoming>,
) -> Pin<Box<impl Future<Output = Result<Response<Answer>, Infallible>> + Send + use<A>>> {
    let stream = common.progress.begin();
    let share = Share::of(&request, &common.allowance);
    let request = request.map(|body| LetGo::new(body, share.clone()));
    let common = Arc::clone(common);
    Box::pin(async move {
        let response = common.server.answers.answer(request, common.peer, share).await;
        Ok(response.map(|body| Answer::new(body, stream)))
    })
}

/// Counts a connection while it is open.
struct Counted<'a>(Option<&'a AtomicU64>);

impl<'a> Counted<'a> {
    fn new(server: &'a Server<impl Answers>) -> Self {
        let open = server.answers.open();
        if let Some(open) = open {
            open.fetch_add(1, Ordering::Relaxed);
        }
        Self(open)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if let Some(open) = self.0 {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn builder(patience: Patience) -> auto::Builder<TokioExecutor> {
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
        .keep_alive_interval(patience.for_a_head());
    builder
}

type ClientStream = TokioIo<Opening<Pin<Box<TimeoutStream<TcpStream>>>>>;

fn prepared(stream: TcpStream, progress: &Arc<Progress>, patience: Patience) -> ClientStream {
    // Without it a small answer waits for the client's delayed acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "Failed to set TCP_NODELAY");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience.for_taking()));
    TokioIo::new(Opening::new(Box::pin(stream), Arc::clone(progress)))
}
