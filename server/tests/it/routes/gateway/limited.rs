//! What a limited key may not name, and what an upstream may not say.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::upstream::Script;
use super::{Gateway, asks, refused};
use crate::test_app::Backend;

#[tokio::test(flavor = "multi_thread")]
async fn limited_key_names_no_other_model_host_or_credential() {
    let gateway = Gateway::with(Backend::Sqlite, "pass_fields = [\"service_tier\"]", &[]).await;
    let (fenced, _) = gateway.key(json!({ "name": "m", "allowed_models": ["qwen3.6-27b"] })).await;
    let budget = json!({ "name": "b", "token_limit": 100_000, "token_limit_period": "month" });
    let (metered, _) = gateway.key(budget).await;
    let (free, _) = gateway.key(json!({ "name": "free" })).await;
    let with = |field: &str| {
        let mut body = asks("qwen3.6-27b", "a");
        body[field] = json!("x");
        body
    };
    let fields = [
        "models",
        "fallbacks",
        "route",
        "api_base",
        "api_key",
        "custom_llm_provider",
        "extra_body",
        "API_BASE",
        "Models",
    ];
    for field in fields {
        for key in [&fenced, &metered] {
            let told = refused(gateway.chat(key, &with(field)).await, 400, "invalid").await;
            assert_eq!(told["error"]["param"], field.to_lowercase());
        }
    }
    assert!(gateway.upstream.seen().is_empty());
    assert_eq!(gateway.chat(&fenced, &with("service_tier")).await.status(), 200, "it may pass");
    assert_eq!(gateway.chat(&free, &with("fallbacks")).await.status(), 200, "nothing to get round");
    let mut tool = asks("qwen3.6-27b", "a");
    tool["tools"] = json!([{ "type": "image_generation", "model": "other" }]);
    let told = refused(gateway.chat(&fenced, &tool).await, 400, "invalid").await;
    assert_eq!(told["error"]["param"], "tools");
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_error_passes_without_addresses_and_credentials() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let said = |message: String| {
        let error =
            json!({ "error": { "message": message, "type": "t", "param": null, "code": null } });
        Script::Json(StatusCode::BAD_REQUEST, error.to_string().into())
    };
    let words = "max_tokens is too large; see http://10.1.2.3:8000/docs, key sk-secret123";
    gateway.upstream.script("tells", said(words.to_owned()));
    let told = gateway.chat(&key, &asks("qwen3.6-27b", "tells")).await;
    assert_eq!(told.status(), 400);
    let wanted = json!({ "error": {
        "message": "max_tokens is too large; see [url], key [credential]",
        "type": "t", "param": null, "code": null,
    } });
    assert_eq!(told.json::<Value>().await.unwrap(), wanted);
    gateway.upstream.script("chatters", said("word ".repeat(5_000)));
    let told: Value =
        gateway.chat(&key, &asks("qwen3.6-27b", "chatters")).await.json().await.unwrap();
    assert_eq!(told["error"]["message"].as_str().unwrap().chars().count(), 1_001);
    gateway.upstream.script("shouts", said("word ".repeat(50_000)));
    let told = gateway.chat(&key, &asks("qwen3.6-27b", "shouts")).await;
    assert_eq!(told.status(), 400, "its words are too long to be read");
}
