//! The edge of the server: its connections and its metrics.

use std::collections::BTreeSet;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ports::free_port;
use crate::process::{Process, client, generate, sign_in};
use crate::test_app::{Backend, TestApp, traces};

pub(crate) fn free_address() -> String {
    format!("127.0.0.1:{}", free_port())
}

/// What `/metrics` says in Prometheus' older format, as rows of the table in `docs/operation.md`.
fn metric_rows(text: &str) -> BTreeSet<String> {
    let helps = text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '));
    let rows = helps.map(|(name, help)| {
        let start = format!("# TYPE {name} ");
        let kind = text.lines().find_map(|line| line.strip_prefix(start.as_str())).unwrap();
        format!("| `{name}` | {kind} | {help} |")
    });
    rows.collect()
}

fn documented_metrics() -> BTreeSet<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operation.md");
    let page = std::fs::read_to_string(page).unwrap();
    page.lines().filter(|line| line.starts_with("| `latchkey_")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_on_a_listener_of_their_own() {
    let (folder, client, metrics) = (TempDir::new().unwrap(), client(), free_address());
    let arguments = [format!("--latchkey-metrics-listen={metrics}")];
    let process = Process::start_with(&folder, &client, &arguments).await;
    let (jwt, application) = sign_in(&client, &process.base).await;
    let key = generate(&client, &process.base, &jwt, &application).await;
    for key in [&key, &key, "nonsense"] {
        let ingest = client.post(format!("{}/ingest/traces", process.base));
        ingest.header("x-api-key", key).json(&traces(1)).send().await.unwrap();
    }
    let asked = client.get(format!("http://{metrics}/metrics"));
    let asked = asked.header("accept", "application/openmetrics-text;version=1.0.0,*/*;q=0.1");
    let answer = asked.send().await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().contains("openmetrics-text"));
    let text = answer.text().await.unwrap();
    for line in [
        "latchkey_checks_total{outcome=\"valid\"} 2",
        "latchkey_checks_total{outcome=\"malformed_key\"} 1",
        "latchkey_checks_total{outcome=\"unavailable\"} 0",
        "latchkey_key_cache_entries{kind=\"key\"} 1",
        "latchkey_invalidation_listener_up 1",
        "latchkey_budget_leases 0",
        "latchkey_ingest_rejected_requests_total 0",
        "latchkey_database_connections{pool=\"writer\",state=\"used\"} 0",
        "latchkey_http_request_duration_seconds_count{route=\"ingest\"} 3",
        "latchkey_http_request_duration_seconds_bucket{le=\"+Inf\",route=\"ingest\"} 3",
        "# UNIT latchkey_http_request_duration_seconds seconds",
        "# EOF",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
    }
    let older = client.get(format!("http://{metrics}/metrics")).send().await.unwrap();
    assert_eq!(older.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let older = older.text().await.unwrap();
    assert!(older.contains("# TYPE latchkey_checks_total counter\n"), "{older}");
    assert!(!older.contains("# EOF"), "{older}");
    let (shown, documented) = (metric_rows(&older), documented_metrics());
    let undocumented: Vec<_> = shown.difference(&documented).collect();
    assert!(undocumented.is_empty(), "docs/operation.md lacks {undocumented:#?}");
    let missing: Vec<_> = documented.difference(&shown).collect();
    let only_with_settings = ["| `latchkey_redis_limiter_up` ", "| `latchkey_otel_dropped_total` "];
    let are_optional =
        missing.iter().all(|row| only_with_settings.iter().any(|name| row.starts_with(*name)));
    assert!(missing.len() == 2 && are_optional, "not shown: {missing:#?}");
    assert!(!text.contains(&key), "no secret stands in a metric");
    let public = client.get(format!("{}/metrics", process.base)).send().await.unwrap();
    assert_eq!(public.status(), 404, "never on the public address");
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_spoken_in_clear_text() {
    let app = TestApp::on(Backend::Sqlite).await;
    let address = app.base.trim_start_matches("http://");
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::get(format!("{}/healthz", app.base));
    let answer = send.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    assert_eq!(
        (answer.status(), answer.version()),
        (hyper::StatusCode::OK, hyper::Version::HTTP_2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_before_the_body_came_leaves_the_connection_open() {
    let app = TestApp::on(Backend::Sqlite).await;
    let address = app.base.trim_start_matches("http://");
    for path in ["/v1/chat/completions", "/v1/keys/verify", "/ingest/logs"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        for _ in 0..3 {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            // The body comes on its own, when the answer is under way already.
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            stream.write_all(b"{}").await.unwrap();
            let mut answer = [0; 16 * 1024];
            let length = stream.read(&mut answer).await.unwrap();
            assert!(answer[..length].starts_with(b"HTTP/1.1 401 "), "{path}: {length}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_without_end_is_refused() {
    let app = TestApp::on(Backend::Sqlite).await;
    let address = app.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head =
        format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(80_000));
    // The server may have closed before all of it is sent.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
}
