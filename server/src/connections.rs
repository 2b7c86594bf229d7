//! The connections: accepted, bounded in number, cut off when they are too slow, and finished before the server stops.
//!
//! HTTP/1.1 and HTTP/2 in clear text; TLS is the business of the proxy in front.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

use crate::front::Front;
use crate::let_go::LetGo;
use crate::open_files;
use crate::room::Share;

/// How many connections may be open, if the system lets the process have as many; more wait to be accepted.
const CONNECTIONS: usize = 20_000;
/// How long the head of a request may take, the wait for the next one on an open connection included.
const HEAD_PATIENCE: Duration = Duration::from_mins(1);
/// How long a client may take nothing of what is sent to it.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// The largest head of a request over HTTP/2, in bytes.
const HEAD: u32 = 64 * 1024;
/// The same over HTTP/1.1, where it is also what is read of a body at once.
const BUFFER: usize = 64 * 1024;
/// Requests at once on one connection of HTTP/2.
const STREAMS: u32 = 250;
/// After a failure to accept: the system is out of something that others will give back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections and answers what comes on them until `stop`; then finishes the requests under way.
pub async fn serve(listener: TcpListener, front: Front, stop: impl Future<Output = ()>) {
    let front = Arc::new(front);
    let builder = Arc::new(builder());
    let open = GracefulShutdown::new();
    let room = open_files::room_for_connections();
    if room < CONNECTIONS {
        tracing::info!(
            room,
            "fewer connections fit than {CONNECTIONS}: the limit of open files is low"
        );
    }
    let places = Arc::new(Semaphore::new(room.min(CONNECTIONS)));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (front, builder, watcher) = (Arc::clone(&front), Arc::clone(&builder), open.watcher());
        tokio::spawn(async move {
            let _counted = Counted::new(Arc::clone(&front));
            let answer = service_fn(move |request: Request<Incoming>| {
                let front = Arc::clone(&front);
                async move {
                    let share = Share::of(request.body());
                    let body = |body| Body::new(LetGo::new(body, share.clone()));
                    let mut request = request.map(body);
                    request.extensions_mut().insert(ConnectInfo(peer));
                    Ok::<_, std::convert::Infallible>(front.answer(request, share).await)
                }
            });
            let connection = builder.serve_connection(prepared(stream), answer).into_owned();
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    open.shutdown().await;
}

/// Counts a connection while it is open.
struct Counted(Arc<Front>);

impl Counted {
    fn new(front: Arc<Front>) -> Self {
        front.metrics().connections.fetch_add(1, Ordering::Relaxed);
        Self(front)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics().connections.fetch_sub(1, Ordering::Relaxed);
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD)
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(HEAD_PATIENCE);
    builder
}

fn prepared(stream: TcpStream) -> TokioIo<std::pin::Pin<Box<TimeoutStream<TcpStream>>>> {
    // Without it a small answer waits for the client's delayed acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_PATIENCE));
    TokioIo::new(Box::pin(stream))
}
