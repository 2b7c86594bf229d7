//! What HTTP/2 lets one connection do, and what the room for bodies means to everybody else.
#![cfg(target_os = "linux")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::StreamExt;
use http_body_util::BodyExt;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::edge::free_address;
use crate::process::{Process, client};
use crate::test_app::{Backend, TestApp};

/// What a connection may have under way at once.
const STREAMS: usize = 100;
/// Such connections: what they send is half as much again as there is room for.
const CONNECTIONS: usize = 70;
/// Short enough to be free on a connection of its own.
const SHORT: usize = 60_000;
/// The room, what buffers that grow take beside, and what each request itself takes.
const ROOM_KB: u64 = (256 + 512) * 1024;
/// On a busy machine.
const MOMENT: Duration = Duration::from_secs(10);

async fn connect(address: &str) -> SendRequest<Body> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (send, connection) =
        http2::Builder::new(TokioExecutor::new()).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    send
}

/// A body that says how long it is, and stops before its end.
fn stops() -> Request<Body> {
    let almost = futures::stream::once(async { Ok(Bytes::from(vec![b' '; SHORT])) });
    let body = Body::from_stream(almost.chain(futures::stream::pending::<Result<_, Infallible>>()));
    Request::post("http://x/refresh")
        .header("content-type", "application/json")
        .header("content-length", SHORT + 1)
        .body(body)
        .unwrap()
}

type Answering = Result<Response<Incoming>, hyper::Error>;

async fn status(answer: impl Future<Output = Answering>) -> u16 {
    let answer = tokio::time::timeout(MOMENT, answer).await.expect("it is answered");
    answer.unwrap().status().as_u16()
}

/// Opens connections that together send more than there is room for, and stops all bodies before
/// their end. Returned when so many were refused.
async fn crowd(address: &str, wanted: usize) -> Vec<SendRequest<Body>> {
    let refused = Arc::new(AtomicUsize::new(0));
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut send = connect(address).await;
        for _ in 0..STREAMS {
            send.ready().await.unwrap();
            let (answer, refused) = (send.send_request(stops()), Arc::clone(&refused));
            tokio::spawn(async move {
                if answer.await.is_ok_and(|answer| answer.status() == 503) {
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        connections.push(send);
    }
    for _ in 0..200 {
        if refused.load(Ordering::Relaxed) >= wanted {
            return connections;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{refused:?} were refused, not {wanted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn short_bodies_of_many_streams_share_the_body_budget() {
    let (folder, client) = (TempDir::new().unwrap(), client());
    let process = Process::start(&folder, &client).await;
    let address = process.base.trim_start_matches("http://");
    let before = process.peak_memory();
    let connections = crowd(address, CONNECTIONS * STREAMS / 5).await;
    // While all of it waits: a short body without a length, on a connection of its own. What is
    // left of the room is less than one part of the others' bodies.
    let body = format!("{:>24000}", "{}");
    let chunked = format!(
        "POST /refresh HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(chunked.as_bytes()).await.unwrap();
    let mut answer = [0; 4_096];
    let length = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(answer.starts_with("HTTP/1.1 422 "), "it is read, however full the room is: {answer}");
    let mut send = connect(address).await;
    send.ready().await.unwrap();
    let request = Request::post("http://x/refresh").header("content-type", "application/json");
    let short = send.send_request(request.body(Body::from(body)).unwrap());
    assert_eq!(status(short).await, 422, "over HTTP/2 too");
    let more = process.peak_memory() - before;
    println!("{more} kB for {} streams", CONNECTIONS * STREAMS);
    assert!(more < ROOM_KB, "{} MiB more", more / 1024);
    drop(connections);
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_openapi_response_is_buffered_once() {
    let (folder, client) = (TempDir::new().unwrap(), client());
    let process = Process::start(&folder, &client).await;
    let address = process.base.trim_start_matches("http://");
    let before = process.peak_memory();
    let mut answers = Vec::new();
    for _ in 0..20 {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(0);
        let (mut send, connection) = builder.handshake::<_, Body>(stream).await.unwrap();
        tokio::spawn(connection);
        for _ in 0..STREAMS {
            send.ready().await.unwrap();
            let request = Request::get("http://x/openapi.json").body(Body::empty()).unwrap();
            answers.push(send.send_request(request).await.unwrap());
        }
    }
    let length = answers[0].headers()["content-length"].to_str().unwrap().parse::<u64>().unwrap();
    let all = length * answers.len() as u64 / 1024;
    let more = process.peak_memory() - before;
    println!("{more} kB for {} answers of {length} bytes", answers.len());
    assert!(more < all / 4, "{more} kB of {all}");
    process.signal("-TERM");
    process.wait();
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_bounded_and_speak_both_versions() {
    let (folder, client, metrics) = (TempDir::new().unwrap(), client(), free_address());
    let arguments = [format!("--latchkey-metrics-listen={metrics}")];
    let process = Process::start_with(&folder, &client, &arguments).await;
    let mut send = connect(&metrics).await;
    send.ready().await.unwrap();
    let request = Request::get("http://x/metrics").header("accept", "application/openmetrics-text");
    let request = request.body(Body::empty()).unwrap();
    let answer = send.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(text.ends_with(b"# EOF\n"));
    // All the others' places; nobody is answered any more until one of them goes.
    let mut others = Vec::new();
    for _ in 0..31 {
        others.push(TcpStream::connect(&metrics).await.unwrap());
    }
    let mut next = TcpStream::connect(&metrics).await.unwrap();
    next.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    let early = tokio::time::timeout(Duration::from_millis(300), next.read(&mut answer)).await;
    assert!(early.is_err(), "more than its bound are answered");
    drop(others);
    next.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_connection_survives_headers_that_are_too_long() {
    let app = TestApp::on(Backend::Sqlite).await;
    let mut send = connect(app.base.trim_start_matches("http://")).await;
    for (length, wanted) in [(10_000, 200), (80_000, 431), (10, 200)] {
        send.ready().await.unwrap();
        let request = Request::get("http://x/healthz").header("x-long", "a".repeat(length));
        let answer = send.send_request(request.body(Body::empty()).unwrap());
        assert_eq!(status(answer).await, wanted, "{length}");
    }
}
