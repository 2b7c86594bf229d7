//! Streams of the Messages API.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::super::Gateway;
use super::super::upstream::Script;
use super::{message, send, usage};
use crate::test_app::Backend;

fn event(json: &Value) -> String {
    format!("event: {}\ndata: {json}\n\n", json["type"].as_str().unwrap())
}

fn start() -> String {
    let usage = json!({
        "input_tokens": 3, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20,
        "output_tokens": 1,
    });
    event(&json!({ "type": "message_start", "message": { "id": "msg_1", "usage": usage } }))
}

fn block_start() -> String {
    let block = json!({ "type": "text", "text": "" });
    event(&json!({ "type": "content_block_start", "index": 0, "content_block": block }))
}

fn delta(text: &str) -> String {
    let delta = json!({ "type": "text_delta", "text": text });
    event(&json!({ "type": "content_block_delta", "index": 0, "delta": delta }))
}

fn block_stop() -> String {
    event(&json!({ "type": "content_block_stop", "index": 0 }))
}

fn stopped(output: u64) -> String {
    let delta = json!({ "stop_reason": "end_turn", "stop_sequence": null });
    let usage = json!({ "output_tokens": output });
    event(&json!({ "type": "message_delta", "delta": delta, "usage": usage }))
}

fn message_stop() -> String {
    event(&json!({ "type": "message_stop" }))
}

fn streamed(user: &str) -> Value {
    let mut body = message("qwen3.6-27b", user);
    body["stream"] = json!(true);
    body
}

/// What the client receives of these events.
async fn received(gateway: &Gateway, key: &str, events: &[String]) -> String {
    let parts = events.iter().map(|event| Bytes::from(event.clone())).collect();
    gateway.upstream.script("s", Script::Stream(parts));
    let answer = send(&gateway.app, key, &streamed("s")).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers()["request-id"], answer.headers()["x-request-id"]);
    answer.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_of_a_message_passes_byte_for_byte() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let ping = event(&json!({ "type": "ping" }));
    let events =
        [start(), ping, block_start(), delta("Hi"), block_stop(), stopped(9), message_stop()];
    assert_eq!(received(&gateway, &key, &events).await, events.concat());
    assert!(gateway.upstream.seen()[0].body.get("stream_options").is_none());
    let used = usage(&gateway, &id).await;
    assert_eq!(used["totals"]["prompt_tokens"], 123);
    assert_eq!(used["totals"]["cached_tokens"], 100);
    assert_eq!(used["totals"]["completion_tokens"], 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn message_that_lacks_only_its_stop_is_completed() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let events = [start(), block_start(), delta("Hi"), block_stop(), stopped(9)];
    let whole = events.concat() + &message_stop();
    assert_eq!(received(&gateway, &key, &events).await, whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn message_that_is_cut_ends_with_an_error() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let events = [start(), block_start(), delta(&"x".repeat(400))];
    let told = received(&gateway, &key, &events).await;
    let error = told.strip_prefix(&events.concat()).unwrap();
    let error = error.strip_prefix("event: error\ndata: ").unwrap();
    let error: Value = serde_json::from_str(error).unwrap();
    assert_eq!((&error["type"], &error["error"]["type"]), (&json!("error"), &json!("api_error")));
    let used = usage(&gateway, &id).await;
    assert_eq!(used["totals"]["completion_tokens"], 100, "what had come is paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn message_that_breaks_after_its_end_is_whole() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let text = delta(&"x".repeat(400));
    let events = [start(), block_start(), text, block_stop(), stopped(9), message_stop()];
    let parts = events.iter().map(|event| Bytes::from(event.clone())).collect();
    gateway.upstream.script("s", Script::Break(parts));
    let answer = send(&gateway.app, &key, &streamed("s")).await;
    assert_eq!(answer.text().await.unwrap(), events.concat());
    let used = usage(&gateway, &id).await;
    assert_eq!(used["totals"]["completion_tokens"], 9, "as it was told");
}

#[tokio::test(flavor = "multi_thread")]
async fn error_in_the_stream_of_a_message_is_told() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let error = json!({ "type": "overloaded_error", "message": "at http://10.0.0.7:8000" });
    let error = event(&json!({ "type": "error", "error": error }));
    let told = received(&gateway, &key, &[start(), error]).await;
    let last = told.strip_prefix(&start()).unwrap();
    assert!(last.starts_with("event: error\ndata: ") && last.contains("\"api_error\""), "{last}");
    assert!(!last.contains("10.0.0.7"), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn message_that_has_used_all_reserved_ends_as_by_its_cap() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let limit = json!({ "name": "k", "token_limit": 150, "token_limit_period": "month" });
    let (key, id) = gateway.key(limit).await;
    let mut events = vec![
        event(&json!({ "type": "message_start", "message": { "id": "msg_1" } })),
        block_start(),
    ];
    events.extend(std::iter::repeat_n(delta("abcd"), 500));
    let told = received(&gateway, &key, &events).await;
    let kinds: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let end = ["content_block_stop", "message_delta", "message_stop"];
    assert_eq!(kinds[kinds.len() - 3..], end);
    let deltas = kinds.iter().filter(|kind| **kind == "content_block_delta").count();
    let data: Vec<Value> = told
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let last = &data[data.len() - 2];
    assert_eq!(last["delta"]["stop_reason"], "max_tokens");
    assert_eq!(last["usage"]["output_tokens"], deltas);
    let used = usage(&gateway, &id).await;
    assert_eq!(used["totals"]["completion_tokens"], deltas);
    assert!(used["budget"]["used"].as_u64().unwrap() <= 150);
}
