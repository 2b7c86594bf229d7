//! The client against servers and proxies that follow a script.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::Method;
use futures::StreamExt;
use hyper_util::client::proxy::matcher::Matcher;
use latchkey_checker::clock::ManualClock;
use latchkey_domain::time::Timestamp;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const HOST: &str = "localhost";

/// What a server received: the heads of the requests on each connection.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Vec<String>>>>);

impl Log {
    fn begin(&self) -> usize {
        let mut connections = self.0.lock().unwrap();
        connections.push(Vec::new());
        connections.len() - 1
    }

    fn add(&self, connection: usize, head: String) {
        self.0.lock().unwrap()[connection].push(head);
    }

    fn heads(&self) -> Vec<Vec<String>> {
        self.0.lock().unwrap().clone()
    }

    /// Number of requests on each connection.
    fn requests(&self) -> Vec<usize> {
        self.heads().iter().map(Vec::len).collect()
    }
}

/// A server that sends these responses: by connection, then by request. None closes the connection.
type Script = fn(usize, usize) -> Option<&'static str>;

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn serve(script: Script) -> (SocketAddr, Log) {
    let (listener, address) = listen().await;
    let log = Log::default();
    let seen = log.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(play_script(stream, script, seen.clone()));
        }
    });
    (address, log)
}

async fn play_script(mut stream: impl AsyncRead + AsyncWrite + Unpin, script: Script, log: Log) {
    let connection = log.begin();
    for request in 0.. {
        let Some(head) = read_head(&mut stream).await else { return };
        log.add(connection, head);
        let Some(response) = script(connection, request) else { return };
        stream.write_all(response.as_bytes()).await.unwrap();
        if response.contains("connection: close") {
            return;
        }
    }
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

/// A client that trusts one certificate, or none, with its clock.
fn client(
    certificate: Option<&rcgen::Certificate>,
    proxies: Matcher,
) -> (UpstreamClient, Arc<ManualClock>) {
    let mut roots = RootCertStore::empty();
    if let Some(certificate) = certificate {
        roots.add(certificate.der().clone()).unwrap();
    }
    let tls = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(0)));
    let connector = Connector::new(tls, proxies);
    (
        UpstreamClient {
            connector,
            clock: Arc::clone(&clock) as _,
            max_idle: Arc::new(2_usize.into()),
        },
        clock,
    )
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn direct() -> (UpstreamClient, Arc<ManualClock>) {
    client(None, Matcher::builder().build())
}

fn origin(client: &UpstreamClient, url: &str) -> Arc<Origin> {
    client.origin(&url.parse().unwrap()).unwrap()
}

async fn get(client: &UpstreamClient, origin: &Arc<Origin>) -> Result<UpstreamResponse, CallError> {
    let target = origin.target("/v1/models?a=b".parse().unwrap()).unwrap();
    let request = || origin.request(Method::GET, target.clone(), Bytes::new());
    client.send(origin, request).await
}

async fn text(response: UpstreamResponse) -> hyper::Result<String> {
    let mut text = Vec::new();
    let mut body = response.body;
    while let Some(chunk) = body.next().await {
        text.extend_from_slice(&chunk?);
    }
    Ok(String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn connection_is_reused_by_the_next_call() {
    let (address, log) = serve(|_, _| Some(OK)).await;
    let (client, _) = direct();
    let origin = origin(&client, &format!("http://{address}/v1"));
    for _ in 0..3 {
        assert_eq!(text(get(&client, &origin).await.unwrap()).await.unwrap(), "ok");
    }
    assert_eq!(log.requests(), [3]);
    let head = &log.heads()[0][0];
    assert!(head.starts_with("GET /v1/models?a=b HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: {address}\r\n")), "{head}");
}

#[tokio::test]
async fn idle_connection_expires() {
    let (address, log) = serve(|_, _| Some(OK)).await;
    let (client, clock) = direct();
    let origin = origin(&client, &format!("http://{address}"));
    for wait in [3_999, 4_000, 0] {
        text(get(&client, &origin).await.unwrap()).await.unwrap();
        clock.advance(Duration::from_millis(wait));
    }
    text(get(&client, &origin).await.unwrap()).await.unwrap();
    assert_eq!(log.requests(), [2, 2]);
}

#[tokio::test]
async fn idle_connections_are_limited() {
    let (address, log) = serve(|_, _| Some(OK)).await;
    let (client, _) = direct();
    let origin = origin(&client, &format!("http://{address}"));
    for _ in 0..2 {
        let responses = futures::future::join_all((0..4).map(|_| get(&client, &origin))).await;
        for response in responses {
            text(response.unwrap()).await.unwrap();
        }
    }
    let mut requests = log.requests();
    requests.sort_unstable();
    assert_eq!(requests, [1, 1, 1, 1, 2, 2]);
}

#[tokio::test]
async fn closed_idle_connection_is_replaced() {
    // The server closes on the second request, as servers do that close idle connections.
    let (address, log) = serve(|_, request| (request == 0).then_some(OK)).await;
    let (client, _) = direct();
    let origin = origin(&client, &format!("http://{address}"));
    for _ in 0..3 {
        assert_eq!(text(get(&client, &origin).await.unwrap()).await.unwrap(), "ok");
    }
    assert_eq!(log.requests(), [2, 2, 1]);
}

#[tokio::test]
async fn new_connection_that_closes_is_an_error() {
    let (address, log) = serve(|_, _| None).await;
    let (client, _) = direct();
    let origin = origin(&client, &format!("http://{address}"));
    let error = get(&client, &origin).await.err().unwrap();
    assert!(matches!(error, CallError::Failed(_)), "{error:?}");
    assert_eq!(log.requests(), [1]);
}

#[tokio::test]
async fn refused_connection_is_an_error() {
    let (listener, address) = listen().await;
    drop(listener);
    let (client, _) = direct();
    let error = get(&client, &origin(&client, &format!("http://{address}"))).await.err().unwrap();
    assert!(matches!(error, CallError::Connect(_)), "{error:?}");
}

#[tokio::test]
async fn arrived_chunks_are_ready_at_once() {
    const STREAM: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                          1\r\na\r\n1\r\nb\r\n1\r\nc\r\n";
    let (address, log) = serve(|_, _| Some(STREAM)).await;
    let (client, _) = direct();
    let origin = origin(&client, &format!("http://{address}"));
    let mut response = get(&client, &origin).await.unwrap();
    let first = response.body.next().await.unwrap().unwrap();
    let mut all = first.to_vec();
    while let Poll::Ready(Some(chunk)) = response.body.poll_now() {
        all.extend_from_slice(&chunk.unwrap());
    }
    assert_eq!(all, b"abc");
    assert!(response.body.poll_now().is_pending());
    // A connection whose response was dropped is not reused.
    drop(response);
    drop(get(&client, &origin).await.unwrap());
    assert_eq!(log.requests(), [1, 1]);
}

#[tokio::test]
async fn truncated_response_is_an_error() {
    const CUT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\ncut";
    let (address, _) = serve(|_, _| Some(CUT)).await;
    let (client, _) = direct();
    let origin = origin(&client, &format!("http://{address}"));
    let response = get(&client, &origin).await.unwrap();
    text(response).await.unwrap_err();
}

#[tokio::test]
async fn forward_proxy_receives_absolute_uri() {
    let (proxy, log) = serve(|_, _| Some(OK)).await;
    let proxies = Matcher::builder().http(format!("http://me:secret@{proxy}")).build();
    let (client, _) = client(None, proxies);
    let origin = origin(&client, "http://models.example:8000/v1");
    assert_eq!(text(get(&client, &origin).await.unwrap()).await.unwrap(), "ok");
    let head = &log.heads()[0][0];
    assert!(
        head.starts_with("GET http://models.example:8000/v1/models?a=b HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains("host: models.example:8000\r\n"), "{head}");
    assert!(head.contains("proxy-authorization: Basic bWU6c2VjcmV0\r\n"), "{head}");
}

/// A TLS server and its certificate.
async fn serve_tls() -> (SocketAddr, Log, rcgen::Certificate) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listen().await;
    let log = Log::default();
    let seen = log.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(play_script(stream, |_, _| Some(OK), seen.clone()));
            }
        }
    });
    (address, log, cert)
}

#[tokio::test]
async fn only_trusted_certificates_are_accepted() {
    let (address, log, certificate) = serve_tls().await;
    let url = format!("https://{HOST}:{}/v1", address.port());
    let (trusting, _) = client(Some(&certificate), Matcher::builder().build());
    let place = origin(&trusting, &url);
    for _ in 0..2 {
        assert_eq!(text(get(&trusting, &place).await.unwrap()).await.unwrap(), "ok");
    }
    assert_eq!(log.requests(), [2]);
    let (distrusting, _) = direct();
    let error = get(&distrusting, &origin(&distrusting, &url)).await.err().unwrap();
    assert!(matches!(error, CallError::Connect(_)), "{error:?}");
    assert_eq!(log.requests(), [2]);
}

#[tokio::test]
async fn tls_proxy_receives_only_connect() {
    let (address, log, certificate) = serve_tls().await;
    let (listener, proxy) = listen().await;
    let connects = Log::default();
    let seen = connects.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let connection = seen.begin();
            let head = read_head(&mut stream).await.unwrap();
            seen.add(connection, head);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut server = TcpStream::connect(address).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
        }
    });
    let proxies = Matcher::builder().https(format!("http://me:secret@{proxy}")).build();
    let (client, _) = client(Some(&certificate), proxies);
    let origin = origin(&client, &format!("https://{HOST}:{}/v1", address.port()));
    assert_eq!(text(get(&client, &origin).await.unwrap()).await.unwrap(), "ok");
    let head = &connects.heads()[0][0];
    assert!(head.starts_with(&format!("CONNECT {HOST}:{} HTTP/1.1\r\n", address.port())), "{head}");
    assert!(head.to_lowercase().contains("proxy-authorization: basic bwu6c2vjcmv0"), "{head}");
    let head = &log.heads()[0][0];
    assert!(head.starts_with("GET /v1/models?a=b HTTP/1.1\r\n"), "{head}");
    assert!(!head.contains("proxy"), "{head}");
}
