//! Which connections are cut off, which shut down gracefully, and which stay open.
#![expect(clippy::disallowed_methods, reason = "sockets go by a real clock")]

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use futures::StreamExt;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

const TIMEOUTS: Timeouts = Timeouts::of(Duration::from_millis(50));
/// Longer than any time-out in these tests.
const LONG: Duration = Duration::from_secs(1);
/// Time limit of a test's wait on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// Responds to `/slow` like a slow upstream, and to `/N` with N bytes.
async fn sized_response(accepted: AcceptedRequest) -> Result<Response<Body>, Infallible> {
    let part = |bytes: &'static str| async move { Ok::<_, Infallible>(Bytes::from(bytes)) };
    let delayed = async {
        tokio::time::sleep(LONG).await;
        Ok(Bytes::from("last"))
    };
    Ok(Response::new(match accepted.request.uri().path().trim_start_matches('/').parse() {
        Ok(size) => Body::from(vec![0; size]),
        Err(_) => Body::from_stream(
            futures::stream::once(part("first")).chain(futures::stream::once(delayed)),
        ),
    }))
}

/// A server with few places. It runs as long as the test.
async fn start(places: usize) -> SocketAddr {
    start_with(places, TIMEOUTS).await
}

async fn start_with(places: usize, timeouts: Timeouts) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Connections::up_to(places);
    let service = || tower::service_fn(sized_response);
    tokio::spawn(accept(listener, service, connections, timeouts, std::future::pending()));
    address
}

struct Client {
    send: SendRequest<Empty<Bytes>>,
    ended: JoinHandle<Result<(), hyper::Error>>,
}

impl Client {
    /// Connects over HTTP/2. The client accepts `window` bytes of each response before it reads.
    async fn connect(address: SocketAddr, window: u32) -> Self {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(window);
        let (send, connection) = builder.handshake(stream).await.unwrap();
        Self { send, ended: tokio::spawn(connection) }
    }

    async fn get(&mut self, path: &str) -> Response<Incoming> {
        let request = Request::get(format!("http://x/{path}")).body(Empty::new()).unwrap();
        self.send.ready().await.unwrap();
        self.send.send_request(request).await.unwrap()
    }

    /// Waits until the server closes the connection. Returns whether it was a graceful shutdown.
    async fn ends_gracefully(self) -> bool {
        tokio::time::timeout(SOON, self.ended).await.expect("it ends").unwrap().is_ok()
    }
}

/// Waits for the end of the stream and returns what came before.
async fn end(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    let ended = tokio::time::timeout(SOON, stream.read_to_end(&mut read));
    // A reset is an end too.
    let _ = ended.await.expect("it is cut off");
    read
}

#[tokio::test]
async fn silent_connection_is_closed_before_protocol_is_known() {
    let address = start(1).await;
    for beginning in ["", "PRI", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r", "G", "GET / HTTP/1.1\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        assert_eq!(end(&mut stream).await, b"", "{beginning}");
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /3 HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(end(&mut stream).await.starts_with(b"HTTP/1.1 200 "), "and is idle then");
}

#[tokio::test]
async fn silent_connections_make_room_for_others() {
    // No connection times out in this test.
    let address = start_with(5, Timeouts::of(Duration::from_mins(10))).await;
    let mut silent = Vec::new();
    for beginning in ["", "GET / HTT", "GET /3 HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    let mut working = TcpStream::connect(address).await.unwrap();
    // More than the system buffers for a client that does not read yet.
    let large = b"GET /30000000 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    working.write_all(large).await.unwrap();
    let mut idle = Client::connect(address, 1_000).await;
    idle.get("3").await.collect().await.unwrap();
    let mut other = TcpStream::connect(address).await.unwrap();
    other.write_all(b"GET /3 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(end(&mut other).await.starts_with(b"HTTP/1.1 200 "));
    for stream in &mut silent {
        end(stream).await;
    }
    assert!(idle.ends_gracefully().await, "it is shut down gracefully, not cut off");
    assert!(end(&mut working).await.len() > 30_000_000, "what is under way goes on");
}

#[tokio::test]
async fn http2_connection_closes_when_silent_after_preface() {
    let address = start(1).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    end(&mut stream).await;
}

#[tokio::test]
async fn http2_connection_closes_when_response_is_unread() {
    let address = start(1).await;
    // With a window of 1, hyper has passed the whole response on and waits for nothing.
    for window in [0, 1] {
        let mut client = Client::connect(address, window).await;
        let answer = client.get("1000").await;
        assert!(!client.ends_gracefully().await, "a window of {window}");
        assert!(answer.into_body().collect().await.is_err());
    }
}

#[tokio::test]
async fn connection_closes_when_too_many_responses_are_unread() {
    let address = start(2).await;
    let mut slow = Client::connect(address, 10).await;
    let mut greedy = Client::connect(address, 10).await;
    let _lying = slow.get("1000").await;
    let _lying_more = (greedy.get("200000").await, greedy.get("200000").await);
    let began = tokio::time::sleep(TIMEOUTS.detection() + TIMEOUTS.head());
    tokio::pin!(began);
    loop {
        let whole = slow.get("10").await.into_body().collect().await;
        assert_eq!(whole.expect("it is spared").to_bytes().len(), 10);
        if !greedy.ended.is_finished() {
            // The client reads these.
            let request = Request::get("http://x/10").body(Empty::new()).unwrap();
            let _ = greedy.send.send_request(request).await;
        }
        tokio::select! {
            () = &mut began => break,
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
    assert!(!greedy.ends_gracefully().await);
}

#[tokio::test]
async fn idle_http2_connection_is_shut_down_gracefully() {
    let mut client = Client::connect(start(1).await, 1000).await;
    let answer = client.get("10").await;
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().len(), 10);
    assert!(client.ends_gracefully().await);
}

#[tokio::test]
async fn response_stays_open_while_upstream_is_slow() {
    let address = start(2).await;
    let mut client = Client::connect(address, 1000).await;
    let answer = client.get("slow").await;
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "firstlast");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let answer = end(&mut stream).await;
    assert!(answer.ends_with(b"4\r\nlast\r\n0\r\n\r\n"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn http1_connection_closes_when_response_is_unread() {
    let mut stream = TcpStream::connect(start(1).await).await.unwrap();
    // More than the buffers of both ends hold.
    stream.write_all(b"GET /64000000 HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(LONG).await;
    assert!(end(&mut stream).await.len() < 64_000_000);
}

#[tokio::test]
async fn slow_http1_reader_gets_whole_response() {
    const SIZE: usize = 24_000_000;
    let mut stream = TcpStream::connect(start(1).await).await.unwrap();
    let head = format!("GET /{SIZE} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let (clock, mut received, mut buffer) = (Instant::now(), 0, vec![0; SIZE / 100]);
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            read => received += read,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(received > SIZE, "{received}");
    assert!(clock.elapsed() > 2 * TIMEOUTS.head());
}

#[tokio::test]
async fn connection_closes_when_head_comes_byte_by_byte() {
    let mut stream = TcpStream::connect(start(1).await).await.unwrap();
    let send = async {
        for byte in b"GET /3 HTTP/1.1\r\nhost: ".iter().chain(std::iter::repeat(&b'x')) {
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, send).await.expect("it is cut off");
}

#[tokio::test]
async fn stop_finishes_requests_in_progress() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = tokio::sync::oneshot::channel::<()>();
    let stopped = async move { stopping.await.unwrap() };
    let server = tokio::spawn(accept(
        listener,
        || tower::service_fn(sized_response),
        Connections::up_to(3),
        TIMEOUTS,
        stopped,
    ));
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut client = Client::connect(address, 1000).await;
    let answer = client.get("slow").await;
    stop.send(()).unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "firstlast");
    end(&mut idle).await;
    tokio::time::timeout(SOON, server).await.unwrap().unwrap();
    assert!(client.ends_gracefully().await);
    assert!(TcpStream::connect(address).await.is_err());
}
