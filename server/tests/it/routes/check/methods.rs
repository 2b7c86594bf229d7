//! Requests as proxies send them: any method, old versions, bodies that are announced and not sent.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{allowed, ask, new_key, refused};
use crate::test_app::{Backend, Session, TestApp, unknown_key};

/// Far below what the server waits for a body.
const SOON: Duration = Duration::from_secs(5);
const METHODS: [&str; 12] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "REPORT",
    "QUERY", "X-OWN",
];

/// Sends bytes and reads until the server closes the connection.
async fn exchange(app: &TestApp, request: &str) -> String {
    let address = app.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(SOON, stream.read_to_string(&mut answer)).await;
    read.unwrap_or_else(|_| panic!("{request} is not answered: {answer}")).unwrap();
    answer
}

/// Checks an answer that allows: it ends with its head.
fn is_allowed(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\ncontent-length: 0\r\n"), "{answer}");
    assert!(answer.contains("\r\nx-latchkey-code: valid\r\n"), "{answer}");
    assert!(answer.find("\r\n\r\n") == Some(answer.len() - 4), "{answer}");
}

async fn with_key(arguments: &[&str]) -> (TestApp, Session, String) {
    let app = TestApp::with(Backend::Sqlite, arguments).await;
    let ada = app.sign_in("ada").await;
    let (key, _) = new_key(&app, &ada, json!({"name": "k"})).await;
    (app, ada, key)
}

#[tokio::test]
async fn every_method_and_path_is_the_same_check() {
    let (app, ada, key) = with_key(&["--latchkey-cors-origins=*"]).await;
    let (unknown, id) = (unknown_key(), &ada.project);
    for method in METHODS {
        for rest in ["", "/", "?a=b", "/v1/chat/completions?x=%ff", "//ingest//traces", "/../a%2F"]
        {
            let head = format!(
                "{method} /v1/check/{id}{rest} HTTP/1.1\r\nhost: nowhere.example\r\norigin: \
                 https://shop.example\r\naccess-control-request-method: POST\r\nconnection: close\r\n"
            );
            let answer = exchange(&app, &format!("{head}x-api-key: {key}\r\n\r\n")).await;
            is_allowed(&answer);
            assert!(!answer.contains("access-control-"), "{answer}");
            let answer = exchange(&app, &format!("{head}x-api-key: {unknown}\r\n\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
            assert!(answer.contains("\r\nx-latchkey-code: unknown_key\r\n"), "{answer}");
            assert_eq!(answer.ends_with('}'), method != "HEAD", "{answer}");
        }
    }
}

#[tokio::test]
async fn malformed_id_alone_is_404() {
    let (app, ada, key) = with_key(&[]).await;
    let suffix = &ada.project["prj_".len()..];
    for id in ["", "/", "x", "prj_", &format!("org_{suffix}"), &format!("{}x", ada.project)] {
        refused(ask(&app, id, &key).send().await.unwrap(), 404, "not_found").await;
        let posted = app.post(&format!("/v1/check/{id}")).header("x-api-key", &key);
        refused(posted.send().await.unwrap(), 404, "not_found").await;
    }
    for prefix in ["prj", "app"] {
        let id = format!("{prefix}_01kahp5k6jfk9rj3x7gkcw0k7v");
        refused(ask(&app, &id, &key).send().await.unwrap(), 401, "unknown_key").await;
    }
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let (app, ada, key) = with_key(&[]).await;
    let request = format!("GET /v1/check/{} HTTP/1.0\r\nx-api-key: {key}\r\n\r\n", ada.project);
    let answer = exchange(&app, &request).await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\ncontent-length: 0\r\n"), "{answer}");
}

#[tokio::test]
async fn announced_body_is_not_waited_for() {
    let (app, ada, key) = with_key(&[]).await;
    for announced in [
        "content-length: 1000",
        "content-length: 100000000000",
        "transfer-encoding: chunked",
        "content-length: 1000\r\nexpect: 100-continue",
        "content-length: 100000000000\r\nexpect: 100-continue",
        "transfer-encoding: chunked\r\nexpect: 100-continue",
    ] {
        for method in ["GET", "POST"] {
            let request = format!(
                "{method} /v1/check/{} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n{announced}\r\n\
                 \r\n",
                ada.project
            );
            let answer = exchange(&app, &request).await;
            is_allowed(&answer);
            assert!(answer.contains("\r\nconnection: close\r\n"), "{announced}: {answer}");
        }
    }
}

/// A client's body must not be taken for a request of its own, nor a request for a body.
#[tokio::test]
async fn nothing_after_announced_body_is_answered() {
    let (app, ada, key) = with_key(&[]).await;
    let head = format!("/v1/check/{} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n", ada.project);
    let hidden = format!("GET {head}\r\n");
    let announced = format!("content-length: {}", hidden.len());
    for announced in [announced.as_str(), "content-length: 1000", "transfer-encoding: chunked"] {
        let answer = exchange(&app, &format!("POST {head}{announced}\r\n\r\n{hidden}")).await;
        is_allowed(&answer);
    }
}

#[tokio::test]
async fn requests_without_body_share_a_connection() {
    let (app, ada, key) = with_key(&[]).await;
    let head = format!("/v1/check/{} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n", ada.project);
    let request = format!(
        "GET {head}\r\nPOST {head}content-length: 0\r\n\r\nGET {head}connection: close\r\n\r\n"
    );
    let answer = exchange(&app, &request).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{answer}");
}

#[tokio::test]
async fn conditional_range_and_encoding_have_no_effect() {
    let (app, ada, key) = with_key(&[]).await;
    let request = ask(&app, &ada.project, &key)
        .header("if-none-match", "*")
        .header("if-match", "\"x\"")
        .header("if-modified-since", "Sat, 01 Jan 2050 00:00:00 GMT")
        .header("if-unmodified-since", "Sat, 01 Jan 2000 00:00:00 GMT")
        .header("range", "bytes=0-0")
        .header("accept", "text/html")
        .header("accept-encoding", "gzip, br")
        .header("upgrade", "websocket")
        .header("connection", "upgrade");
    let headers = allowed(&request.send().await.unwrap());
    for name in ["etag", "content-encoding", "content-range", "vary", "upgrade"] {
        assert!(!headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn api_key_counts_and_authorization_beside_it_does_not() {
    let (app, ada, key) = with_key(&[]).await;
    let url = format!("/v1/check/{}", ada.project);
    let authorized = async |scheme: &str, token: &str| {
        let request = app.get(&url).header("authorization", format!("{scheme} {token}"));
        request.send().await.unwrap()
    };
    allowed(&authorized("bearer", &key).await);
    refused(authorized("Basic", &key).await, 401, "missing_key").await;
    refused(authorized("Bearer", &ada.jwt).await, 401, "malformed_key").await;
    let both = |api_key: &str, bearer: &str| ask(&app, &ada.project, api_key).bearer_auth(bearer);
    let other = unknown_key();
    allowed(&both(&key, &other).send().await.unwrap());
    allowed(&both(&key, &ada.jwt).send().await.unwrap());
    refused(both(&other, &key).send().await.unwrap(), 401, "unknown_key").await;
    refused(both("x", &key).send().await.unwrap(), 401, "malformed_key").await;
}
