//! OpenAI's Responses API.

mod background;
mod references;
mod sandbox;
mod stored;
mod streams;

use axum::http::StatusCode;
use reqwest::Response;
use serde_json::{Value, json};

use super::upstream::Script;
use super::{Gateway, refused};
use crate::test_app::{Backend, TestApp, text};

/// A call of one user, so that the upstream does as it is told.
fn asks(user: &str) -> Value {
    json!({ "model": "qwen3.6-27b", "user": user, "input": "Hi" })
}

async fn send(app: &TestApp, key: &str, body: &Value) -> Response {
    app.post("/v1/responses").bearer_auth(key).json(body).send().await.unwrap()
}

/// A response with this ID as the upstream makes it.
fn response(id: &str) -> Value {
    let content = json!([{ "type": "output_text", "text": "Hi there", "annotations": [] }]);
    let item = json!({ "type": "message", "role": "assistant", "content": content });
    json!({
        "id": id, "object": "response", "created_at": 7, "status": "completed", "error": null,
        "model": "m", "output": [item],
        "usage": {
            "input_tokens": 7, "input_tokens_details": { "cached_tokens": 2 }, "output_tokens": 3,
            "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": 10,
        },
    })
}

fn answer(json: &Value) -> Script {
    Script::Json(StatusCode::OK, json.to_string().into())
}

async fn usage(gateway: &Gateway, id: &str) -> Value {
    gateway.app.services.settled().await;
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    gateway.app.json(&path, &gateway.ada.jwt).await
}

#[tokio::test(flavor = "multi_thread")]
async fn response_passes_and_is_counted() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    gateway.upstream.script("a", answer(&response("resp_1")));
    let told = send(&gateway.app, &key, &asks("a")).await;
    assert_eq!(told.status(), 200);
    assert_eq!(told.text().await.unwrap(), response("resp_1").to_string());
    let call = gateway.upstream.seen().remove(0);
    assert_eq!((call.path.as_str(), &call.body["input"]), ("responses", &json!("Hi")));
    assert_eq!(call.body["model"], "Qwen/Qwen3.6-27B");
    assert!(call.body.get("max_output_tokens").is_none() && call.body.get("max_tokens").is_none());
    let totals = &usage(&gateway, &id).await["totals"];
    assert_eq!((&totals["prompt_tokens"], &totals["completion_tokens"]), (&json!(7), &json!(3)));
    assert_eq!((&totals["cached_tokens"], &totals["requests"]), (&json!(2), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn response_without_usage_is_estimated() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let mut untold = response("resp_1");
    untold["usage"] = Value::Null;
    let call = json!({ "type": "function_call", "name": "f", "arguments": "{\"a\":1}" });
    untold["output"].as_array_mut().unwrap().push(call);
    untold["instructions"] = json!("x".repeat(4_000));
    gateway.upstream.script("a", answer(&untold));
    let mut body = asks("a");
    body["tools"] = json!([{ "type": "function", "name": "f".repeat(400) }]);
    send(&gateway.app, &key, &body).await.bytes().await.unwrap();
    let totals = &usage(&gateway, &id).await["totals"];
    // "Hi there" and the arguments have 15 bytes.
    assert_eq!(totals["completion_tokens"], 4);
    assert!(totals["prompt_tokens"].as_u64().unwrap() > 100, "tools are a part of the prompt");
}

#[tokio::test(flavor = "multi_thread")]
async fn cap_is_always_max_output_tokens() {
    let gateway = Gateway::with(Backend::Sqlite, "cap_field = \"both\"", &[]).await;
    let limit = json!({ "name": "k", "token_limit": 100, "token_limit_period": "month" });
    let (key, _) = gateway.key(limit).await;
    gateway.upstream.script("a", answer(&response("resp_1")));
    send(&gateway.app, &key, &asks("a")).await.bytes().await.unwrap();
    let sent = gateway.upstream.seen().remove(0).body;
    let cap = sent["max_output_tokens"].as_u64().unwrap();
    assert!((1..=99).contains(&cap), "{cap}");
    for other in ["max_tokens", "max_completion_tokens"] {
        assert!(sent.get(other).is_none(), "{other}");
    }
    let mut body = asks("a");
    body["max_output_tokens"] = json!(5);
    send(&gateway.app, &key, &body).await.bytes().await.unwrap();
    assert_eq!(gateway.upstream.seen().remove(1).body["max_output_tokens"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_response_is_an_answer() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let error = json!({ "code": "server_error", "message": "x" });
    for failed in [
        json!({ "id": "resp_1", "status": "failed", "error": error, "output": [] }),
        json!({ "id": "resp_1", "status": "failed", "error": error }),
    ] {
        gateway.upstream.script("a", answer(&failed));
        let told = send(&gateway.app, &key, &asks("a")).await;
        assert_eq!(told.status(), 200);
        assert_eq!(told.json::<Value>().await.unwrap(), failed);
    }
    gateway.upstream.script("a", answer(&json!({ "error": error })));
    refused(send(&gateway.app, &key, &asks("a")).await, 502, "server_error").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn input_may_be_left_out_and_is_the_upstreams_to_judge() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    gateway.upstream.script("a", answer(&response("resp_1")));
    let send = async |body: Value| send(&gateway.app, &key, &body).await;
    let none = send(json!({ "model": "qwen3.6-27b", "user": "a" })).await;
    assert_eq!(none.status(), 200);
    let odd = send(json!({ "model": "qwen3.6-27b", "user": "a", "input": 7 })).await;
    refused(odd, 400, "invalid").await;
    assert_eq!(gateway.upstream.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_is_counted_and_never_streamed() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let limit = json!({ "name": "k", "token_limit": 1_000, "token_limit_period": "month" });
    let (key, id) = gateway.key(limit).await;
    let usage_of = response("resp_1")["usage"].clone();
    let items = json!([{ "type": "compaction", "encrypted_content": "x" }]);
    let compacted = json!({
        "id": "resp_2", "object": "response.compaction", "output": items, "usage": usage_of,
    });
    gateway.upstream.script("a", answer(&compacted));
    let mut body = asks("a");
    body["stream"] = json!(true);
    let request = gateway.app.post("/v1/responses/compact").bearer_auth(&key).json(&body);
    let told = request.send().await.unwrap();
    assert_eq!(told.headers()["content-type"], "application/json");
    assert_eq!(told.json::<Value>().await.unwrap(), compacted);
    let call = gateway.upstream.seen().remove(0);
    assert_eq!(call.path, "responses/compact");
    assert!(call.body.get("max_output_tokens").is_none(), "it has no cap");
    assert_eq!(usage(&gateway, &id).await["totals"]["completion_tokens"], 3);
    let read = gateway.app.get("/v1/responses/resp_2").bearer_auth(&key).send().await.unwrap();
    refused(read, 404, "not_found").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn body_of_responses_may_have_32_mib() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    gateway.upstream.script("a", answer(&response("resp_1")));
    let mut body = asks("a");
    body["input"] = json!("x".repeat(33 * 1024 * 1024));
    let told = send(&gateway.app, &key, &body).await;
    let body = refused(told, 413, "too_large").await;
    assert!(text(&body["error"]["message"]).contains("32 MiB"), "{body}");
}
