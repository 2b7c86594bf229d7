//! Anthropic's Messages API.

mod counting;
mod errors;
mod listed;
mod sandbox;
mod streams;

use axum::http::StatusCode;
use reqwest::Response;
use serde_json::{Value, json};

use super::Gateway;
use super::upstream::Script;
use crate::test_app::{Backend, TestApp, text};

const VERSION: &str = "2023-06-01";

/// A call of one user, so that the upstream does as it is told.
fn message(model: &str, user: &str) -> Value {
    json!({
        "model": model, "user": user, "max_tokens": 100,
        "messages": [{ "role": "user", "content": "Hi" }],
    })
}

/// Calls with the key where Anthropic's clients put it.
async fn send(app: &TestApp, key: &str, body: &Value) -> Response {
    let request = app.post("/v1/messages").header("x-api-key", key);
    request.header("anthropic-version", VERSION).json(body).send().await.unwrap()
}

/// An answer that reports this usage.
fn answer(usage: &Value) -> Script {
    let answer = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{ "type": "text", "text": "Hi" }], "stop_reason": "end_turn", "usage": usage,
    });
    Script::Json(StatusCode::OK, answer.to_string().into())
}

async fn usage(gateway: &Gateway, id: &str) -> Value {
    gateway.app.services.settled().await;
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    gateway.app.json(&path, &gateway.ada.jwt).await
}

/// A refusal in Anthropic's shape.
async fn refused(answer: Response, status: u16, kind: &str) -> Value {
    let (got, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body: Value = answer.json().await.unwrap();
    assert_eq!(got, status, "{body}");
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["request-id"], headers["x-request-id"]);
    assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!(kind)), "{body}");
    assert!(!text(&body["error"]["message"]).is_empty());
    let code = body["error"]["code"].as_str().unwrap_or("upstream_error");
    assert_eq!(headers["x-latchkey-code"], code);
    let is_lasting = (400..500).contains(&status) && status != 429;
    assert_eq!(headers.contains_key("x-should-retry"), is_lasting, "{body}");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn message_passes_with_the_headers_of_its_api() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("x-codex-turn-state", "t".to_owned()),
        ("openai-model", "m".to_owned()),
    ];
    let said = json!({ "content": [], "usage": { "input_tokens": 7, "output_tokens": 3 } });
    let said = said.to_string();
    gateway.upstream.script("a", Script::Raw(200, headers, said.clone().into()));
    let request = gateway.app.post("/v1/messages?beta=true").header("x-api-key", &key);
    let request = request.bearer_auth("sk-ant-of-somebody-else");
    let request = request.header("anthropic-version", VERSION).header("anthropic-beta", "b1,b2");
    let request = request.header("x-client-request-id", "7").header("cookie", "a=b");
    let response = request.json(&message("qwen3.6-27b", "a")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let told = response.headers().clone();
    assert_eq!(told["request-id"], told["x-request-id"]);
    assert_eq!(told["x-codex-turn-state"], "t");
    assert!(!told.contains_key("openai-model"));
    assert_eq!(response.text().await.unwrap(), said);
    let call = gateway.upstream.seen().remove(0);
    assert_eq!(call.path, "messages");
    assert_eq!(call.body["model"], "Qwen/Qwen3.6-27B");
    assert_eq!(call.body["max_tokens"], 100);
    for (name, value) in
        [("anthropic-version", VERSION), ("anthropic-beta", "b1,b2"), ("x-client-request-id", "7")]
    {
        assert_eq!(call.headers[name], value);
    }
    for name in ["x-api-key", "authorization", "cookie", "accept-encoding", "x-request-id"] {
        assert!(!call.headers.contains_key(name), "{name}");
    }
    let used = usage(&gateway, &id).await;
    assert_eq!(used["totals"]["prompt_tokens"], 7);
    assert_eq!(used["totals"]["completion_tokens"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn key_is_taken_from_either_header() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let (other, _) = gateway.key(json!({ "name": "other" })).await;
    let body = message("qwen3.6-27b", "a");
    let request = || gateway.app.post("/v1/messages").json(&body);
    assert_eq!(request().bearer_auth(&key).send().await.unwrap().status(), 200);
    assert_eq!(request().header("x-api-key", &key).send().await.unwrap().status(), 200);
    let both = request().bearer_auth(&key).header("x-api-key", &other).send().await.unwrap();
    let told = refused(both, 400, "invalid_request_error").await;
    assert_eq!(told["error"]["code"], "malformed");
    let chat = gateway.app.post("/v1/chat/completions").header("x-api-key", &key).json(&body);
    assert_eq!(chat.send().await.unwrap().status(), 401, "only Anthropic's clients send it there");
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_tokens_of_messages_are_priced_apart() {
    const PRICE: &str = ", price = { input = \"0.40\", cached_input = \"0.10\", \
                         cache_write = \"0.50\", output = \"1.20\", request = \"0.001\" }";
    let gateway = Gateway::with_model(Backend::Sqlite, PRICE).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let reported = json!({
        "input_tokens": 300, "cache_read_input_tokens": 600, "cache_creation_input_tokens": 100,
        "output_tokens": 100,
    });
    gateway.upstream.script("whole", answer(&reported));
    let body = message("qwen3.6-27b", "whole");
    assert_eq!(send(&gateway.app, &key, &body).await.status(), 200);
    let used = usage(&gateway, &id).await;
    let totals = &used["totals"];
    assert_eq!(totals["prompt_tokens"], 1_000);
    assert_eq!(
        (&totals["cached_tokens"], &totals["completion_tokens"]),
        (&json!(600), &json!(100))
    );
    // 300 × 400 + 600 × 100 + 100 × 500 + 100 × 1,200 billionths, and the request.
    assert_eq!(totals["cost_usd"], "0.00135");
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_without_usage_is_estimated_by_its_text() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let content = json!([
        { "type": "thinking", "thinking": "x".repeat(40), "signature": "y".repeat(400) },
        { "type": "text", "text": "x".repeat(20) },
        { "type": "tool_use", "id": "t", "name": "f", "input": { "a": "x".repeat(12) } },
    ]);
    let said = json!({ "type": "message", "content": content });
    gateway.upstream.script("a", Script::Json(StatusCode::OK, said.to_string().into()));
    send(&gateway.app, &key, &message("qwen3.6-27b", "a")).await;
    let used = usage(&gateway, &id).await;
    assert_eq!(used["totals"]["completion_tokens"], 20, "80 bytes of text");
}

#[tokio::test(flavor = "multi_thread")]
async fn thinking_is_lowered_with_the_cap() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let budget = async |tokens: u64| {
        let name = format!("of {tokens}");
        let limit = json!({ "name": name, "token_limit": tokens, "token_limit_period": "month" });
        gateway.key(limit).await.0
    };
    let mut body = message("qwen3.6-27b", "a");
    body["max_tokens"] = json!(32_000);
    body["thinking"] = json!({ "type": "enabled", "budget_tokens": 31_999 });
    assert_eq!(send(&gateway.app, &budget(3_000).await, &body).await.status(), 200);
    let sent = gateway.upstream.seen().remove(0).body;
    let cap = sent["max_tokens"].as_u64().unwrap();
    assert!((1_025..3_000).contains(&cap), "{cap}");
    assert_eq!(sent["thinking"], json!({ "type": "enabled", "budget_tokens": cap - 1 }));
    let told = refused(send(&gateway.app, &budget(1_000).await, &body).await, 402, "billing_error");
    assert_eq!(told.await["error"]["code"], "token_budget_exhausted");
    let (slow, _) = gateway.key(json!({ "name": "slow", "tpm": 1_000 })).await;
    let answer = send(&gateway.app, &slow, &body).await;
    refused(answer, 400, "invalid_request_error").await;
    body["thinking"] = json!({ "type": "disabled" });
    assert_eq!(send(&gateway.app, &slow, &body).await.status(), 200);
    assert_eq!(gateway.upstream.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn thinking_waits_for_what_other_calls_have_reserved() {
    let gateway = Gateway::with(Backend::Sqlite, "", &["--latchkey-upstream-timeout=30"]).await;
    let (key, _) = gateway.key(json!({ "name": "k", "tpm": 3_000 })).await;
    let ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
    gateway.upstream.script("hang", Script::Hang(vec![ping.into()]));
    let mut body = message("qwen3.6-27b", "hang");
    body["max_tokens"] = json!(2_500);
    body["stream"] = json!(true);
    let open = send(&gateway.app, &key, &body).await;
    assert_eq!(open.status(), 200);
    body["thinking"] = json!({ "type": "enabled", "budget_tokens": 2_000 });
    let waits = send(&gateway.app, &key, &body).await;
    assert_eq!(waits.headers()["retry-after"], "1");
    let told = refused(waits, 429, "rate_limit_error").await;
    assert_eq!(told["error"]["code"], "token_rate_limited");
    drop(open);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_message_is_taken_up_to_32_mib() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k", "environment": "test" })).await;
    let mut body = message("qwen3.6-27b", "a");
    body["system"] = json!("x".repeat(12 * 1024 * 1024));
    assert_eq!(send(&gateway.app, &key, &body).await.status(), 200);
    body["system"] = json!("x".repeat(32 * 1024 * 1024));
    let told = refused(send(&gateway.app, &key, &body).await, 413, "request_too_large").await;
    assert_eq!(told["error"]["code"], "too_large");
}
