//! Bad input and bad upstreams.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::upstream::Script;
use super::{Gateway, asks, refused};
use crate::test_app::Backend;

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_refused_in_openais_shape() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let none =
        gateway.app.post("/v1/chat/completions").json(&asks("bge-m3", "a")).send().await.unwrap();
    let body = refused(none, 401, "missing_key").await;
    assert_eq!(body["error"]["type"], "authentication_error");
    refused(gateway.chat("nonsense", &asks("bge-m3", "a")).await, 401, "malformed_key").await;
    let api = gateway.app.create(&gateway.ada, &json!({ "name": "api" })).await;
    let api = api["key"].as_str().unwrap();
    refused(gateway.chat(api, &asks("bge-m3", "a")).await, 403, "wrong_scope").await;
    let (fenced, _) =
        gateway.key(json!({ "name": "f", "allowed_cidrs": ["203.0.113.0/24"] })).await;
    refused(gateway.chat(&fenced, &asks("bge-m3", "a")).await, 403, "ip_not_allowed").await;
    gateway.app.revoke(&gateway.ada, &id).await;
    refused(gateway.chat(&key, &asks("bge-m3", "a")).await, 401, "revoked_key").await;
    refused(gateway.chat(&key, &asks("no such", "a")).await, 401, "revoked_key").await;
    assert!(gateway.upstream.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_bodies_are_refused_in_openais_shape() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let send = async |path: &str, body: String| {
        gateway.app.post(path).bearer_auth(&key).body(body).send().await.unwrap()
    };
    for text in ["", "{", "{\"model\": \"bge-m3\"", "\u{0}"] {
        refused(send("/v1/chat/completions", text.to_owned()).await, 400, "malformed").await;
    }
    let messages = json!([{ "role": "user", "content": "Hi" }]);
    for (body, param) in [
        (json!([]), "body"),
        (json!({ "messages": messages }), "model"),
        (json!({ "model": 7, "messages": messages }), "model"),
        (json!({ "model": "bge-m3" }), "messages"),
        (json!({ "model": "bge-m3", "messages": [] }), "messages"),
        (json!({ "model": "bge-m3", "messages": "Hi" }), "messages"),
        (json!({ "model": "bge-m3", "messages": messages, "stream": "yes" }), "stream"),
        (json!({ "model": "bge-m3", "messages": messages, "max_tokens": 0 }), "max_tokens"),
        (json!({ "model": "bge-m3", "messages": messages, "n": 0 }), "n"),
        (json!({ "model": "bge-m3", "messages": messages, "stream_options": 1 }), "stream_options"),
    ] {
        let answer = send("/v1/chat/completions", body.to_string()).await;
        let answer = refused(answer, 400, "invalid").await;
        assert_eq!(answer["error"]["param"], param, "{body}");
        assert_eq!(answer["error"]["type"], "invalid_request_error");
    }
    let large =
        json!({ "model": "bge-m3", "messages": [{ "content": "x".repeat(10 * 1024 * 1024) }] });
    refused(send("/v1/chat/completions", large.to_string()).await, 413, "too_large").await;
    let deep = format!(
        "{{\"model\": \"bge-m3\", \"messages\": {}1{}}}",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    refused(send("/v1/chat/completions", deep).await, 400, "malformed").await;
    let unknown = refused(
        send("/v1/chat/completions", asks("no\u{7}such", "a").to_string()).await,
        404,
        "model_not_found",
    );
    assert_eq!(unknown.await["error"]["param"], "model");
    assert!(gateway.upstream.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_fails_is_told_and_costs_nothing() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let limits =
        json!({ "name": "k", "token_limit": 10_000, "token_limit_period": "month", "tpm": 10_000 });
    let (key, id) = gateway.key(limits).await;
    let error =
        json!({ "error": { "message": "too long", "type": "x", "param": null, "code": "c" } });
    let plain = |status: u16, body: Value| {
        Script::Json(StatusCode::from_u16(status).unwrap(), body.to_string().into())
    };
    gateway.upstream.script("silent", Script::Silent);
    gateway.upstream.script("busy", plain(429, error.clone()));
    gateway.upstream.script("broken", plain(500, error.clone()));
    gateway.upstream.script("keyless", plain(401, error.clone()));
    gateway.upstream.script("strange", plain(400, json!({ "oh": "no" })));
    gateway.upstream.script("refuses", plain(400, error.clone()));
    let ask = async |user: &str| gateway.chat(&key, &asks("qwen3.6-27b", user)).await;
    refused(ask("silent").await, 504, "upstream_timeout").await;
    let busy = ask("busy").await;
    assert_eq!(busy.headers()["retry-after"], "7", "the upstream's own");
    refused(busy, 429, "upstream_rate_limited").await;
    refused(ask("broken").await, 502, "upstream_error").await;
    refused(ask("keyless").await, 502, "upstream_unauthorized").await;
    assert_eq!(ask("strange").await.status(), 400);
    let passed = ask("refuses").await;
    assert_eq!(passed.status(), 400);
    assert_eq!(passed.json::<Value>().await.unwrap(), error, "in the upstream's own words");
    refused(gateway.chat(&key, &asks("gone", "a")).await, 502, "upstream_unreachable").await;
    gateway.app.services.settled().await;
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    let used = gateway.app.json(&path, &gateway.ada.jwt).await;
    assert_eq!(used["budget"]["used"], 6, "the prompt of the call that timed out");
    assert_eq!(used["totals"]["requests"], 7, "they were calls all the same");
    let next = gateway.chat(&key, &asks("qwen3.6-27b", "a")).await;
    let remaining: u64 =
        next.headers()["x-ratelimit-remaining-tokens"].to_str().unwrap().parse().unwrap();
    // A token for each byte of the prompt, and a quarter of what is left.
    assert_eq!(remaining, 9_994 - 10 - 9_994 / 4, "nothing but this call's reservation is held");
}
