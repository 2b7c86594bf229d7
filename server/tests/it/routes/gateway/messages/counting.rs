//! Counting the tokens of prompts.

use axum::http::StatusCode;
use reqwest::Response;
use serde_json::{Value, json};

use super::super::Gateway;
use super::super::upstream::Script;
use super::{message, refused, usage};
use crate::test_app::Backend;

async fn count(gateway: &Gateway, key: &str, body: &Value) -> Response {
    let request = gateway.app.post("/v1/messages/count_tokens").header("x-api-key", key);
    request.json(body).send().await.unwrap()
}

async fn input(gateway: &Gateway, key: &str, model: &str) -> Response {
    let body = json!({ "model": model, "input": "Hi", "user": "counts" });
    let request = gateway.app.post("/v1/responses/input_tokens").bearer_auth(key);
    request.json(&body).send().await.unwrap()
}

fn counts(gateway: &Gateway) {
    let answer = Script::Json(StatusCode::OK, "{\"input_tokens\": 14}".into());
    gateway.upstream.script("counts", answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_use_none_of_the_limits() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let limits = json!({
        "name": "k", "rpm": 1, "tpm": 1, "max_parallel": 1,
        "budgets": [
            { "unit": "requests", "limit": 1, "period": "month" },
            { "unit": "tokens", "limit": 1, "period": "month" },
        ],
    });
    let (key, id) = gateway.key(limits).await;
    counts(&gateway);
    for _ in 0..5 {
        let answer = count(&gateway, &key, &message("qwen3.6-27b", "counts")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.unwrap(), "{\"input_tokens\": 14}");
        assert_eq!(input(&gateway, &key, "qwen3.6-27b").await.status(), 200);
    }
    let seen = gateway.upstream.seen();
    assert_eq!(seen[0].path, "messages/count_tokens");
    assert_eq!(seen[1].path, "responses/input_tokens");
    assert_eq!(seen[0].body["model"], "Qwen/Qwen3.6-27B");
    let used = usage(&gateway, &id).await;
    assert_eq!(used["totals"]["prompt_tokens"], 0);
    assert_eq!(used["totals"]["requests"], 0);
    assert_eq!(gateway.chat(&key, &super::super::asks("qwen3.6-27b", "a")).await.status(), 402);
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_of_a_key_are_limited_together() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k", "environment": "test" })).await;
    let (other, _) = gateway.key(json!({ "name": "o", "environment": "test" })).await;
    let body = message("sandbox", "counts");
    for _ in 0..300 {
        assert_eq!(count(&gateway, &key, &body).await.status(), 200);
        assert_eq!(input(&gateway, &key, "sandbox").await.status(), 200);
    }
    let answer = count(&gateway, &key, &body).await;
    assert_eq!(answer.headers()["retry-after"], "60");
    assert_eq!(answer.headers()["x-ratelimit-limit-requests"], "600");
    let told = refused(answer, 429, "rate_limit_error").await;
    assert_eq!(told["error"]["code"], "rate_limited");
    let answer = input(&gateway, &key, "sandbox").await;
    super::super::refused(answer, 429, "rate_limited").await;
    assert_eq!(count(&gateway, &other, &body).await.status(), 200, "another key's");
    let used = usage(&gateway, &id).await;
    assert_eq!(used["totals"]["denied"], 2);
    gateway.app.advance(std::time::Duration::from_secs(61));
    assert_eq!(count(&gateway, &key, &body).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_check_the_key_and_its_models() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    counts(&gateway);
    let body = message("qwen3.6-27b", "counts");
    refused(count(&gateway, "nonsense", &body).await, 401, "authentication_error").await;
    let (narrow, _) = gateway.key(json!({ "name": "n", "allowed_models": ["bge-m3"] })).await;
    refused(count(&gateway, &narrow, &body).await, 403, "permission_error").await;
    let fenced = json!({ "name": "f", "allowed_cidrs": ["203.0.113.0/24"] });
    let (fenced, _) = gateway.key(fenced).await;
    refused(count(&gateway, &fenced, &body).await, 403, "permission_error").await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let unknown = count(&gateway, &key, &message("no such", "counts")).await;
    refused(unknown, 404, "not_found_error").await;
    refused(count(&gateway, &key, &json!({})).await, 400, "invalid_request_error").await;
    gateway.app.revoke(&gateway.ada, &id).await;
    refused(count(&gateway, &key, &body).await, 401, "authentication_error").await;
    assert!(gateway.upstream.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_that_does_not_count_is_told() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let script = |status, body: &'static str| {
        let status = StatusCode::from_u16(status).unwrap();
        gateway.upstream.script("counts", Script::Json(status, body.into()));
    };
    let body = message("qwen3.6-27b", "counts");
    script(404, "{\"detail\": \"Not Found\"}");
    refused(count(&gateway, &key, &body).await, 404, "not_found_error").await;
    script(200, "{\"error\": {\"message\": \"no\"}}");
    refused(count(&gateway, &key, &body).await, 502, "api_error").await;
    refused(count(&gateway, &key, &message("gone", "a")).await, 502, "api_error").await;
}
