//! What reaches a client of what an upstream answers: whole ends, errors, packed bodies.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::upstream::Script;
use super::{Gateway, asks, refused, streamed};
use crate::test_app::{Backend, text};

const EVENTS: &str = "text/event-stream";

fn answers(status: u16, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Script {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Script::Raw(status, headers, body.into())
}

fn chunk(words: &str, finish: &Value) -> String {
    let choice = json!({ "index": 0, "delta": { "content": words }, "finish_reason": finish });
    format!("data: {}\n\n", json!({ "id": "x", "choices": [choice] }))
}

async fn stream_text(gateway: &Gateway, key: &str, user: &str) -> String {
    gateway.chat(key, &streamed(user)).await.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_stream_is_whole() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let (part, last) = (chunk("a", &Value::Null), chunk("b", &json!("stop")));
    let done = "data: [DONE]\n\n";
    for (name, sent, wanted) in [
        ("without the last event", format!("{part}{last}"), format!("{part}{last}{done}")),
        (
            "without the last line",
            format!("{part}{last}data: [DONE]"),
            format!("{part}{last}{done}"),
        ),
        ("whole", format!("{part}{last}{done}"), format!("{part}{last}{done}")),
    ] {
        gateway.upstream.script(name, answers(200, &[("content-type", EVENTS)], sent));
        assert_eq!(stream_text(&gateway, &key, name).await, wanted, "{name}");
    }
    for (name, sent) in [
        ("cut", part.clone()),
        ("cut in an event", format!("{part}data: {{\"cho")),
        ("nothing", String::new()),
    ] {
        gateway.upstream.script(name, answers(200, &[("content-type", EVENTS)], sent.clone()));
        let answer = stream_text(&gateway, &key, name).await;
        let event = answer.strip_prefix(if sent.is_empty() { "" } else { &part }).unwrap();
        let event: Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(event["error"]["code"], "upstream_error", "{name}");
    }
    let error = format!(
        "{part}data: {}\n\n",
        json!({ "error": { "message": "no gpu at http://10.0.0.7:8000/v1" } })
    );
    gateway.upstream.script("error", answers(200, &[("content-type", EVENTS)], error));
    let answer = stream_text(&gateway, &key, "error").await;
    assert!(answer.contains("no gpu at [url]") && !answer.contains("10.0.0.7"), "{answer}");
    assert_eq!(answer.matches("data: ").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_errors_keep_their_class_and_words() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let limits = json!({ "name": "k", "token_limit": 100_000, "token_limit_period": "month" });
    let (key, id) = gateway.key(limits).await;
    let json = &[("content-type", "application/json"), ("retry-after", "7")];
    let html = &[("content-type", "text/html")];
    for (status, headers, body, wanted, code, words, retry) in [
        (400, json, r#"{"detail": "no such field"}"#, 400, None, "no such field", false),
        (404, json, r#"{"error": "no such thing"}"#, 404, None, "no such thing", false),
        (
            422,
            json,
            r#"{"object": "error", "message": "too long", "code": 40303}"#,
            422,
            Some("40303"),
            "too long",
            false,
        ),
        (402, json, r#"{"error": {"message": "no credit"}}"#, 402, None, "no credit", false),
        (
            403,
            json,
            r#"{"error": {"message": "not in this region", "code": "region"}}"#,
            403,
            Some("region"),
            "not in this region",
            false,
        ),
        (
            401,
            json,
            r#"{"error": {"message": "Incorrect API key provided: sk-abc"}}"#,
            502,
            Some("upstream_unauthorized"),
            "credentials",
            false,
        ),
        (
            400,
            json,
            r#"{"error": {"message": "Authentication Error, no key", "type": "auth_error"}}"#,
            502,
            Some("upstream_unauthorized"),
            "credentials",
            false,
        ),
        (
            429,
            json,
            r#"{"error": {"message": "slow down"}}"#,
            429,
            Some("upstream_rate_limited"),
            "limiting",
            true,
        ),
        (
            429,
            json,
            r#"{"error": {"message": "used up", "type": "insufficient_quota"}}"#,
            429,
            Some("insufficient_quota"),
            "used up",
            false,
        ),
        (503, json, "{}", 503, Some("upstream_error"), "overloaded", true),
        (529, json, "{}", 529, Some("upstream_error"), "overloaded", true),
        (500, json, "{}", 502, Some("upstream_error"), "failed", true),
        (
            200,
            json,
            r#"{"error": {"message": "no gpu", "code": "busy"}}"#,
            502,
            Some("busy"),
            "no gpu",
            true,
        ),
    ] {
        gateway.upstream.script("e", answers(status, headers, body));
        let answer = gateway.chat(&key, &asks("qwen3.6-27b", "e")).await;
        assert_eq!(answer.status(), wanted, "{body}");
        let headers = answer.headers().clone();
        let told: Value = answer.json().await.unwrap();
        assert_eq!(told["error"]["code"].as_str(), code, "{told}");
        assert!(text(&told["error"]["message"]).contains(words), "{told}");
        assert_eq!(headers.get("x-should-retry").is_none(), retry, "{told}");
        if matches!(wanted, 429 | 503 | 529) {
            assert_eq!(headers["retry-after"], "7");
        }
    }
    for status in [405, 451] {
        gateway.upstream.script("e", answers(status, html, "<html>no</html>"));
        let answer = gateway.chat(&key, &asks("qwen3.6-27b", "e")).await;
        assert_eq!(answer.status(), status);
        let told: Value = answer.json().await.unwrap();
        assert_eq!(told["error"]["message"], "The upstream rejected this request.");
    }
    gateway.app.services.settled().await;
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    let used = gateway.app.json(&path, &gateway.ada.jwt).await;
    assert_eq!(used["budget"]["used"], 0, "what an upstream refuses is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_waits_of_an_upstream_become_a_minute() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    gateway.upstream.script("e", answers(429, &[("retry-after", "39691")], "{}"));
    let answer = gateway.chat(&key, &asks("qwen3.6-27b", "e")).await;
    assert_eq!(answer.headers()["retry-after"], "60");
    refused(answer, 429, "upstream_rate_limited").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_content_type_of_an_upstream_passes() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k", "rpm": 10 })).await;
    let headers = [
        ("content-type", "application/json"),
        ("openai-model", "other"),
        ("x-ratelimit-remaining-requests", "99999"),
        ("set-cookie", "a=b"),
    ];
    gateway.upstream.script("h", answers(200, &headers, r#"{"choices": []}"#));
    let answer = gateway.chat(&key, &asks("qwen3.6-27b", "h")).await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["x-ratelimit-remaining-requests"], "9");
    assert!(answer.headers().contains_key("x-request-id"));
    assert!(answer.headers().get("openai-model").is_none());
    assert!(answer.headers().get("set-cookie").is_none());
    let sent = gateway.upstream.seen().pop().unwrap().headers;
    assert!(sent.get("accept-encoding").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_answers_are_unpacked() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let answer = json!({
        "choices": [{ "message": { "content": "é".repeat(100_000) }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 7, "completion_tokens": 3 },
    });
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(answer.to_string().as_bytes()).unwrap();
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    gateway.upstream.script("gzip", answers(200, &headers, packed.finish().unwrap()));
    let got = gateway.chat(&key, &asks("qwen3.6-27b", "gzip")).await;
    assert!(got.headers().get("content-encoding").is_none());
    assert_eq!(got.json::<Value>().await.unwrap(), answer);
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    gateway.app.services.settled().await;
    let used = gateway.app.json(&path, &gateway.ada.jwt).await;
    assert_eq!(used["totals"]["completion_tokens"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_are_encoded_where_the_client_asked_for_base64() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let answer = json!({ "data": [{ "embedding": [0.5, -1.0], "index": 0 }] });
    let kind = [("content-type", "application/json")];
    gateway.upstream.script("v", answers(200, &kind, answer.to_string()));
    let ask = async |format: &str| -> Value {
        let body =
            json!({ "model": "bge-m3", "input": "a", "user": "v", "encoding_format": format });
        let answer = gateway.app.post("/v1/embeddings").bearer_auth(&key).json(&body).send();
        answer.await.unwrap().json().await.unwrap()
    };
    let bytes = [0.5_f32, -1.0].map(f32::to_le_bytes).concat();
    assert_eq!(ask("base64").await["data"][0]["embedding"], BASE64.encode(&bytes));
    assert_eq!(ask("float").await, answer);
}

/// An upstream that says nothing, and closes each connection after its first answer.
async fn closes_after_each_answer(calls: Arc<AtomicUsize>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let calls = Arc::clone(&calls);
            tokio::spawn(async move {
                let mut read = vec![0; 16 * 1024];
                if connection.read(&mut read).await.unwrap_or(0) == 0 {
                    return;
                }
                calls.fetch_add(1, Ordering::SeqCst);
                let body =
                    r#"{"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}"#;
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                connection.write_all((head + body).as_bytes()).await.unwrap();
                // The next call may be under way on this connection when it closes.
                let _ = connection.read(&mut read).await;
            });
        }
    });
    format!("http://{address}/v1")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_closes_is_replaced() {
    let calls = Arc::new(AtomicUsize::new(0));
    let base = closes_after_each_answer(Arc::clone(&calls)).await;
    let more =
        format!("models = [\"closes\"]\n[[upstream]]\nname = \"closes\"\nbase_url = \"{base}\"");
    // The rest of the first upstream's table goes to this one.
    let gateway = Gateway::with(Backend::Sqlite, &more, &[]).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    for _ in 0..6 {
        let answer = gateway.chat(&key, &asks("qwen3.6-27b", "a")).await;
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 6, "each was answered once");
}
