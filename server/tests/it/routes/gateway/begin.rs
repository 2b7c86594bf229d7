//! What a call takes before its body has come.

use std::time::Duration;

use futures::channel::mpsc;
use serde_json::{Value, json};

use super::{Gateway, asks, refused};
use crate::test_app::Backend;

/// A body of so many fields.
fn wide(fields: usize) -> String {
    let more: Vec<String> = (0..fields - 2).map(|index| format!("\"f{index}\": 1")).collect();
    format!(
        "{{\"model\": \"qwen3.6-27b\", \"messages\": [{{\"content\": \"Hi\"}}], {}}}",
        more.join(", ")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn body_of_too_many_fields_is_refused() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let send = async |body: String| {
        gateway.app.post("/v1/chat/completions").bearer_auth(&key).body(body).send().await.unwrap()
    };
    assert_eq!(send(wide(256)).await.status(), 200);
    for fields in [257, 30_000] {
        let told = refused(send(wide(fields)).await, 400, "malformed").await;
        assert!(told["error"]["message"].as_str().unwrap().contains("more than 256"), "{told}");
    }
    assert_eq!(gateway.upstream.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_bodies_take_requests_too() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k", "rpm": 4 })).await;
    let send = async |body: String| {
        gateway.app.post("/v1/chat/completions").bearer_auth(&key).body(body).send().await.unwrap()
    };
    for (body, status, left) in [
        ("{".to_owned(), 400, "3"),
        (wide(300), 400, "2"),
        (asks("no such", "a").to_string(), 404, "1"),
        (asks("qwen3.6-27b", "a").to_string(), 200, "0"),
    ] {
        let answer = send(body).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["x-ratelimit-remaining-requests"], left);
    }
    for body in ["{".to_owned(), asks("qwen3.6-27b", "a").to_string()] {
        let full = send(body).await;
        assert!(full.headers().contains_key("retry-after"));
        refused(full, 429, "rate_limited").await;
    }
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    let used = gateway.app.json(&path, &gateway.ada.jwt).await;
    assert_eq!(used["totals"]["requests"], 6, "each call once: {used}");
    assert_eq!((&used["totals"]["valid"], &used["totals"]["denied"]), (&json!(4), &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn limited_call_is_refused_before_its_body_comes() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k", "rpm": 1 })).await;
    assert_eq!(gateway.chat(&key, &asks("qwen3.6-27b", "a")).await.status(), 200);
    let (sender, receiver) = mpsc::channel::<Result<String, std::io::Error>>(4);
    let call = gateway.app.post("/v1/chat/completions").bearer_auth(&key);
    let call = call.body(reqwest::Body::wrap_stream(receiver)).send();
    let full = tokio::time::timeout(Duration::from_secs(10), call).await.unwrap().unwrap();
    refused(full, 429, "rate_limited").await;
    drop(sender);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_models_keep_their_request() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let limits = json!({ "name": "k", "rpm": 1, "allowed_models": ["bge-m3"] });
    let (key, id) = gateway.key(limits).await;
    refused(gateway.chat(&key, &asks("qwen3.6-27b", "a")).await, 403, "model_not_allowed").await;
    refused(gateway.chat(&key, &asks("qwen3.6-27b", "a")).await, 429, "rate_limited").await;
    let request = json!({ "model": "qwen3.6-27b", "tokens": 1 });
    let body = json!({ "key_id": id, "request": request });
    let told = gateway.app.post("/api/keys/dry-run").bearer_auth(&gateway.ada.jwt).json(&body);
    let told: Value = told.send().await.unwrap().json().await.unwrap();
    assert_eq!(told["code"], "rate_limited", "a rehearsal asks in the same order: {told}");
}
