//! Callers who go away midway, or are slow to say what they want.

use std::time::Duration;

use futures::channel::mpsc;
use latchkey_domain::outcome::Outcome;
use serde_json::json;

use super::upstream::Script;
use super::{Gateway, asks, refused};
use crate::test_app::Backend;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_while_its_body_comes_is_refused() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let body = asks("qwen3.6-27b", "a").to_string();
    let (first, second) = body.split_at(body.len() / 2);
    let (mut sender, receiver) = mpsc::channel::<Result<String, std::io::Error>>(4);
    sender.try_send(Ok(first.to_owned())).unwrap();
    let call = gateway.app.post("/v1/chat/completions").bearer_auth(&key);
    let call = call.body(reqwest::Body::wrap_stream(receiver)).send();
    let call = tokio::spawn(call);
    // Until the key was found: what is cached is what a slow body would be admitted by.
    while gateway.app.services.checker.cache_size().keys == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let revoked = gateway.app.delete(&format!("/v1/inference/keys/{id}"));
    assert_eq!(revoked.bearer_auth(&gateway.ada.jwt).send().await.unwrap().status(), 204);
    sender.try_send(Ok(second.to_owned())).unwrap();
    drop(sender);
    refused(call.await.unwrap().unwrap(), 401, Outcome::RevokedKey.as_str()).await;
    assert!(gateway.upstream.seen().is_empty(), "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_claims_more_than_there_is_spoils_no_sum() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let gateway = Gateway::on(backend).await;
        let told = json!({
            "choices": [], "usage": { "prompt_tokens": u64::MAX, "completion_tokens": u64::MAX },
        });
        let script = Script::Json(axum::http::StatusCode::OK, told.to_string().into());
        gateway.upstream.script("boasts", script);
        let limits = json!({
            "name": "k", "token_limit": 10_000, "token_limit_period": "month", "tpm": 10_000,
        });
        let (key, id) = gateway.key(limits).await;
        let body = asks("qwen3.6-27b", "boasts");
        assert_eq!(gateway.chat(&key, &body).await.status(), 200);
        refused(gateway.chat(&key, &body).await, 429, "token_rate_limited").await;
        gateway.app.advance(Duration::from_secs(61));
        refused(gateway.chat(&key, &body).await, 402, "token_budget_exhausted").await;
        let path = format!("/v1/inference/keys/{id}/usage?range=1h");
        let usage = gateway.app.json(&path, &gateway.ada.jwt).await;
        assert!(usage["budget"]["used"].as_u64().unwrap() >= 10_000, "{usage}");
        let list = format!("/v1/projects/{}/inference/keys", gateway.ada.project);
        assert_eq!(gateway.app.json(&list, &gateway.ada.jwt).await["data"][0]["id"], id);
    }
}
