//! Upstreams that are silent for minutes, by tokio's clock: it is moved, so that nobody waits.

use std::time::Duration;

use axum::body::Bytes;
use serde_json::{Value, json};

use super::upstream::Script;
use super::{Gateway, asks, refused, streamed};
use crate::test_app::Backend;

/// How long an upstream may take to its first byte, in seconds: the default.
const PATIENCE: &str = "--latchkey-upstream-timeout=600";
/// Connections are looked at every so often.
const TICK: Duration = Duration::from_secs(15);
/// Four minutes in ticks, and one tick less.
const TICKS: u32 = 16;
const NEARLY: u32 = 15;
const FOUR_MINUTES: Duration = Duration::from_mins(4);

/// Moves the clocks of the server, of its connections and of the upstream.
async fn pass(gateway: &Gateway, ticks: u32) {
    for _ in 0..ticks {
        tokio::time::pause();
        tokio::time::advance(TICK).await;
        // What waits for a socket or a database gets real time to go on.
        tokio::time::resume();
        gateway.app.advance(TICK);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap())
}

/// Each protocol's stream: the path and the body of the call, the first event, and the others.
fn streams() -> [(&'static str, Value, String, String); 3] {
    let choice = json!({ "index": 0, "delta": { "content": "Hi" }, "finish_reason": null });
    let chunk = format!("data: {}\n\n", json!({ "id": "x", "choices": [choice] }));
    let stop = json!({ "index": 0, "delta": {}, "finish_reason": "stop" });
    let stop = format!("data: {}\n\ndata: [DONE]\n\n", json!({ "id": "x", "choices": [stop] }));
    let usage = json!({ "input_tokens": 7, "output_tokens": 1 });
    let message = json!({ "id": "msg_1", "type": "message", "role": "assistant", "usage": usage });
    let stopped = json!({
        "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null },
        "usage": { "output_tokens": 5 },
    });
    let usage = json!({
        "input_tokens": 7, "input_tokens_details": { "cached_tokens": 0 },
        "output_tokens": 5, "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": 12,
    });
    let response = |status: &str, usage: &Value| {
        let response = json!({ "id": "resp_1", "status": status, "output": [], "usage": usage });
        json!({ "type": format!("response.{status}"), "response": response })
    };
    let mut created = response("in_progress", &Value::Null);
    created["type"] = json!("response.created");
    let mut for_message = streamed("messages");
    for_message["max_tokens"] = json!(100);
    let for_response =
        json!({ "model": "qwen3.6-27b", "user": "responses", "input": "Hi", "stream": true });
    [
        ("chat/completions", streamed("chat/completions"), chunk, stop),
        (
            "messages",
            for_message,
            event(&json!({ "type": "message_start", "message": message })),
            event(&stopped) + &event(&json!({ "type": "message_stop" })),
        ),
        ("responses", for_response, event(&created), event(&response("completed", &usage))),
    ]
}

async fn totals(gateway: &Gateway, id: &str) -> (Value, Value) {
    gateway.app.services.settled().await;
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    let used = gateway.app.json(&path, &gateway.ada.jwt).await;
    let totals = &used["totals"];
    (totals["prompt_tokens"].clone(), totals["completion_tokens"].clone())
}

async fn called(gateway: &Gateway) {
    while gateway.upstream.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn stream_goes_on_after_four_minutes_of_silence() {
    let gateway = Gateway::with(Backend::Sqlite, "", &[PATIENCE]).await;
    let mut open = Vec::new();
    for (path, body, first, rest) in streams() {
        let parts = vec![Bytes::from(first), Bytes::from(rest.clone())];
        gateway.upstream.script(path, Script::Paused(parts, FOUR_MINUTES));
        let (key, id) = gateway.key(json!({ "name": path })).await;
        let call = gateway.app.post(&format!("/v1/{path}")).bearer_auth(&key).json(&body);
        let mut answer = call.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert!(answer.chunk().await.unwrap().is_some(), "{path}");
        open.push((path, answer, id, rest));
    }
    pass(&gateway, NEARLY).await;
    for (path, answer, ..) in &mut open {
        let next = tokio::time::timeout(Duration::from_millis(20), answer.chunk()).await;
        assert!(next.is_err(), "{path} has not ended, and nothing is made up: {next:?}");
    }
    pass(&gateway, TICKS - NEARLY).await;
    for (path, answer, id, rest) in open {
        let text = answer.text().await.unwrap();
        assert!(text.ends_with(&rest), "{path}: {text}");
        // No usage is told of the chat: estimated are the prompt and one word.
        let told = if path == "chat/completions" { (6, 1) } else { (7, 5) };
        assert_eq!(totals(&gateway, &id).await, (json!(told.0), json!(told.1)), "{path}");
    }
}

#[tokio::test]
async fn stream_ends_with_an_error_after_five_minutes_of_silence() {
    let gateway = Gateway::with(Backend::Sqlite, "", &[PATIENCE]).await;
    let mut open = Vec::new();
    for (path, body, first, _) in streams() {
        gateway.upstream.script(path, Script::Hang(vec![first.into()]));
        let (key, id) = gateway.key(json!({ "name": path })).await;
        let call = gateway.app.post(&format!("/v1/{path}")).bearer_auth(&key).json(&body);
        let mut answer = call.send().await.unwrap();
        assert!(answer.chunk().await.unwrap().is_some(), "{path}");
        open.push((path, answer, id));
    }
    pass(&gateway, 21).await;
    for (path, answer, id) in open {
        let text = answer.text().await.unwrap();
        let last = text.lines().rfind(|line| line.starts_with("data: {")).unwrap();
        let last: Value = serde_json::from_str(&last["data: ".len()..]).unwrap();
        let error = if path == "responses" { &last["response"]["error"] } else { &last["error"] };
        assert_eq!(error["code"], "upstream_timeout", "{path}: {text}");
        // The prompt, as told if it was, and what had come.
        let paid = match path {
            "messages" => (7, 1),
            "responses" => (1, 0),
            _ => (6, 1),
        };
        assert_eq!(totals(&gateway, &id).await, (json!(paid.0), json!(paid.1)), "{path}");
    }
}

#[tokio::test]
async fn answer_comes_after_four_minutes_without_a_byte() {
    let gateway = Gateway::with(Backend::Sqlite, "", &[PATIENCE]).await;
    gateway.upstream.script("slow", Script::Metered { wants: 3, delay: FOUR_MINUTES });
    let limits = json!({ "name": "k", "token_limit": 100_000, "token_limit_period": "month" });
    let (key, id) = gateway.key(limits).await;
    let call = gateway.app.post("/v1/chat/completions").bearer_auth(&key);
    let call = tokio::spawn(call.json(&asks("qwen3.6-27b", "slow")).send());
    called(&gateway).await;
    pass(&gateway, NEARLY).await;
    assert!(!call.is_finished());
    pass(&gateway, TICKS - NEARLY).await;
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert_eq!(totals(&gateway, &id).await, (json!(6), json!(3)));
    assert_eq!(gateway.upstream.seen().len(), 1, "it was asked once");
}

#[tokio::test]
async fn call_is_given_up_after_ten_minutes_without_a_byte() {
    let gateway = Gateway::with(Backend::Sqlite, "", &[PATIENCE]).await;
    gateway.upstream.script("silent", Script::Silent);
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let call = gateway.app.post("/v1/chat/completions").bearer_auth(&key);
    let call = tokio::spawn(call.json(&asks("qwen3.6-27b", "silent")).send());
    called(&gateway).await;
    pass(&gateway, 39).await;
    assert!(!call.is_finished());
    pass(&gateway, 2).await;
    refused(call.await.unwrap().unwrap(), 504, "upstream_timeout").await;
    assert_eq!(totals(&gateway, &id).await, (json!(6), json!(0)), "the upstream has the prompt");
    assert_eq!(gateway.upstream.seen().len(), 1, "it was asked once");
}
