//! What an upstream is told of the length of an answer, and what a body reserves.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::upstream::Script;
use super::{Gateway, asks, refused, streamed};
use crate::test_app::{Backend, text};

/// The caps of the call that the upstream saw last.
fn caps(gateway: &Gateway) -> Value {
    let seen = gateway.upstream.seen().pop().unwrap().body;
    json!([seen["max_tokens"], seen["max_completion_tokens"]])
}

async fn budget(gateway: &Gateway, name: &str, tokens: u64) -> (String, String) {
    gateway.key(json!({ "name": name, "token_limit": tokens, "token_limit_period": "month" })).await
}

fn with(more: &Value) -> Value {
    let mut body = asks("qwen3.6-27b", "a");
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn caps_are_lowered_and_never_raised() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (free, _) = gateway.key(json!({ "name": "free" })).await;
    let (rich, _) = budget(&gateway, "rich", 5_000_000).await;
    let (poor, _) = budget(&gateway, "poor", 5_000).await;
    for (key, more, wanted) in [
        (&free, json!({}), json!([null, null])),
        (&free, json!({ "max_tokens": -1 }), json!([-1, null])),
        (&free, json!({ "max_tokens": 16.0 }), json!([16.0, null])),
        (&free, json!({ "max_tokens": 500, "max_completion_tokens": 10 }), json!([500, 10])),
        (&rich, json!({}), json!([null, null])),
        (&rich, json!({ "max_tokens": 500, "max_completion_tokens": 10 }), json!([10, 10])),
        (&rich, json!({ "max_completion_tokens": 900 }), json!([null, 900])),
        // A quarter of what is left: less than the model may give.
        (&poor, json!({}), json!([1_250, null])),
    ] {
        let answer = gateway.chat(key, &with(&more)).await;
        assert_eq!(answer.status(), 200, "{more}");
        assert_eq!(caps(&gateway), wanted, "{more}");
    }
    let seen = gateway.upstream.seen().len();
    refused(gateway.chat(&free, &with(&json!({ "max_tokens": 0 }))).await, 400, "invalid").await;
    refused(gateway.chat(&poor, &with(&json!({ "max_tokens": -1 }))).await, 400, "invalid").await;
    assert_eq!(gateway.upstream.seen().len(), seen, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn caps_go_under_the_upstreams_own_field() {
    for (field, wanted) in [
        ("max_tokens", json!([100, null])),
        ("max_completion_tokens", json!([null, 100])),
        ("both", json!([100, 100])),
    ] {
        let gateway =
            Gateway::with(Backend::Sqlite, &format!("cap_field = \"{field}\""), &[]).await;
        let (key, _) = budget(&gateway, "k", 5_000).await;
        for asked in ["max_tokens", "max_completion_tokens", "max_output_tokens"] {
            let answer = gateway.chat(&key, &with(&json!({ asked: 100 }))).await;
            assert_eq!(answer.status(), 200);
            assert_eq!(caps(&gateway), wanted, "{asked} for {field}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_all_that_was_reserved_has_come() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let chunk = |index: usize| {
        let delta = json!({ "content": format!("w{index:03}") });
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": null });
        Bytes::from(format!("data: {}\n\n", json!({ "id": "x", "choices": [choice] })))
    };
    // It does not go by the cap that the client sends.
    gateway.upstream.script("endless", Script::Stream((0..1_000).map(chunk).collect()));
    let (key, id) = budget(&gateway, "k", 150).await;
    let mut body = streamed("endless");
    body["max_completion_tokens"] = json!(2_000);
    let answer = gateway.chat(&key, &body).await.text().await.unwrap();
    let events: Vec<&str> = answer.trim_end().split("\n\n").collect();
    assert_eq!(events.last(), Some(&"data: [DONE]"));
    let last: Value = serde_json::from_str(&events[events.len() - 2]["data: ".len()..]).unwrap();
    assert_eq!(last["choices"][0]["finish_reason"], "length");
    assert_eq!(last["id"], "x");
    gateway.app.services.settled().await;
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    let used = gateway.app.json(&path, &gateway.ada.jwt).await;
    let used = used["budget"]["used"].as_u64().unwrap();
    assert!((100..=150).contains(&used), "{used} of 150");
    assert_eq!(events.len() - 2, usize::try_from(used - 6).unwrap(), "a token each");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_prompt_and_answer_is_reserved() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = budget(&gateway, "many", 300).await;
    let prompts: Vec<String> = (0..10).map(|index| format!("prompt {index}")).collect();
    let body = json!({ "model": "qwen3.6-27b", "prompt": prompts, "max_tokens": 100 });
    let answer = gateway.app.post("/v1/completions").bearer_auth(&key).json(&body).send().await;
    assert_eq!(answer.unwrap().status(), 200);
    let cap = caps(&gateway)[0].as_u64().unwrap();
    assert!((20..=28).contains(&cap), "ten answers of {cap} within 300");
    let (few, _) = budget(&gateway, "few", 26).await;
    let choices = gateway.chat(&few, &with(&json!({ "n": 128 }))).await;
    refused(choices, 402, "token_budget_exhausted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_text_of_a_body_is_reserved() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = budget(&gateway, "k", 500).await;
    let long = "word ".repeat(2_000);
    let seen = gateway.upstream.seen().len();
    for more in [
        json!({ "functions": [{ "name": "f", "description": long }] }),
        json!({ "response_format": { "type": "json_schema", "json_schema": { "description": long } } }),
        json!({ "prediction": { "type": "content", "content": long } }),
        json!({ "documents": [long] }),
        json!({ "Tools": [{ "function": { "description": long } }] }),
    ] {
        let told =
            refused(gateway.chat(&key, &with(&more)).await, 402, "token_budget_exhausted").await;
        assert!(text(&told["error"]["message"]).contains("500 tokens a month"));
    }
    assert_eq!(gateway.upstream.seen().len(), seen);
    let (media, _) = gateway.key(json!({ "name": "media", "tpm": 20_000 })).await;
    let inline = format!("data:image/png;base64,{}", "A".repeat(90_000));
    let picture = json!([{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": inline } }] }]);
    let answer = gateway.chat(&media, &with(&json!({ "messages": picture }))).await;
    assert_eq!(answer.status(), 200, "a picture has a bound");
    let (small, _) = budget(&gateway, "small", 900).await;
    let link = json!([{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "https://example.com/a.png" } }] }]);
    let answer = gateway.chat(&small, &with(&json!({ "messages": link }))).await;
    refused(answer, 402, "token_budget_exhausted").await;
}
