//! Refusals of the Messages API.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::Gateway;
use super::super::upstream::Script;
use super::{answer, message, refused, send};
use crate::test_app::{Backend, text};

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_refused_in_anthropics_shape() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let body = message("qwen3.6-27b", "a");
    let none = gateway.app.post("/v1/messages").json(&body).send().await.unwrap();
    let challenge = text(&json!(none.headers()["www-authenticate"].to_str().unwrap()));
    assert_eq!(challenge, "ApiKey realm=\"latchkey\", Bearer realm=\"latchkey\"");
    let told = refused(none, 401, "authentication_error").await;
    assert_eq!(told["error"]["code"], "missing_key");
    let (key, id) = gateway.key(json!({ "name": "k", "allowed_models": ["bge-m3"] })).await;
    refused(send(&gateway.app, "nonsense", &body).await, 401, "authentication_error").await;
    let told = refused(send(&gateway.app, &key, &body).await, 403, "permission_error").await;
    assert_eq!(told["error"]["code"], "model_not_allowed");
    let (free, _) = gateway.key(json!({ "name": "free" })).await;
    let unknown = send(&gateway.app, &free, &message("no such", "a")).await;
    refused(unknown, 404, "not_found_error").await;
    gateway.app.revoke(&gateway.ada, &id).await;
    let told = refused(send(&gateway.app, &key, &body).await, 401, "authentication_error").await;
    assert_eq!(told["error"]["code"], "revoked_key");
    assert!(gateway.upstream.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_refuse_messages_in_anthropics_shape() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let budget = json!({ "name": "b", "token_limit": 10, "token_limit_period": "month" });
    let (poor, _) = gateway.key(budget).await;
    gateway.upstream.script("a", answer(&json!({ "input_tokens": 7, "output_tokens": 3 })));
    let body = message("qwen3.6-27b", "a");
    assert_eq!(send(&gateway.app, &poor, &body).await.status(), 200);
    let none_left = send(&gateway.app, &poor, &body).await;
    assert!(!none_left.headers().contains_key("retry-after"));
    let told = refused(none_left, 402, "billing_error").await;
    assert_eq!(told["error"]["code"], "token_budget_exhausted");
    assert!(told["error"]["limit"]["resets_at"].is_string(), "{told}");
    let (slow, _) = gateway.key(json!({ "name": "s", "rpm": 1 })).await;
    assert_eq!(send(&gateway.app, &slow, &body).await.status(), 200);
    let again = send(&gateway.app, &slow, &body).await;
    assert_eq!(again.headers()["retry-after"], "60");
    let told = refused(again, 429, "rate_limit_error").await;
    assert_eq!(told["error"]["code"], "rate_limited");
}

#[tokio::test(flavor = "multi_thread")]
async fn upstreams_errors_in_either_shape_are_passed_on() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let openai = json!({ "error": { "message": "too long", "type": "invalid_request_error" } });
    let anthropic = json!({
        "type": "error", "error": { "type": "invalid_request_error", "message": "too long" },
    });
    let script = |name: &str, status: u16, body: &Value| {
        let kind = vec![("content-type", "application/json".to_owned())];
        gateway.upstream.script(name, Script::Raw(status, kind, body.to_string().into()));
    };
    for (name, body) in [("openai", &openai), ("anthropic", &anthropic)] {
        script(name, 400, body);
        let answer = send(&gateway.app, &key, &message("qwen3.6-27b", name)).await;
        let told = refused(answer, 400, "invalid_request_error").await;
        assert_eq!(told["error"]["message"], "too long");
    }
    for (status, told, kind) in [
        (413, 413, "request_too_large"),
        (429, 429, "rate_limit_error"),
        (500, 502, "api_error"),
        (529, 529, "overloaded_error"),
    ] {
        script("fails", status, &anthropic);
        let answer = send(&gateway.app, &key, &message("qwen3.6-27b", "fails")).await;
        refused(answer, told, kind).await;
    }
    script("inside", 200, &anthropic);
    let answer = send(&gateway.app, &key, &message("qwen3.6-27b", "inside")).await;
    refused(answer, 502, "api_error").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_messages_are_refused_in_anthropics_shape() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let messages = json!([{ "role": "user", "content": "Hi" }]);
    for body in [
        json!([]),
        json!({ "messages": messages }),
        json!({ "model": "bge-m3" }),
        json!({ "model": "bge-m3", "messages": [] }),
        json!({ "model": "bge-m3", "messages": messages, "stream": "yes" }),
        json!({ "model": "bge-m3", "messages": messages, "max_tokens": 0 }),
    ] {
        let answer = send(&gateway.app, &key, &body).await;
        let told = refused(answer, 400, "invalid_request_error").await;
        assert_eq!(told["error"]["code"], "invalid", "{body}");
    }
    let path = format!("{}/v1/messages", gateway.app.base);
    let other = gateway.app.http.request(Method::GET, path).header("x-api-key", &key);
    let told = refused(other.send().await.unwrap(), 405, "invalid_request_error").await;
    assert_eq!(told["error"]["code"], "method_not_allowed");
    assert!(gateway.upstream.seen().is_empty());
}
