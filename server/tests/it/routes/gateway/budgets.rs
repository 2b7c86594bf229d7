//! What a key may spend.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Gateway, asks, chat, inference_key, refused};
use crate::test_app::{TestApp, on_both_databases};

/// A call of 10 tokens: 6 of them the prompt, and what comes out is cut at 4.
fn ten_tokens() -> Value {
    let mut body = asks("sandbox", "a");
    body["max_tokens"] = json!(4);
    // "user" and "Hi" are a token each, and four stand for the message.
    body.as_object_mut().unwrap().remove("user");
    body
}

async fn used(app: &TestApp, who: &crate::test_app::Session, id: &str) -> Value {
    app.json(&format!("/v1/inference/keys/{id}/usage?range=1h"), &who.jwt).await
}

on_both_databases! {
    async fn parallel_calls_never_exceed_the_budget(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({
            "name": "b", "token_limit": 500, "token_limit_period": "month", "max_parallel": 200,
        });
        let (key, id) = inference_key(&app, &ada, body).await;
        let calls = (0..200).map(|_| {
            let (app, key) = (&app, &key);
            async move { chat(app, key, &ten_tokens()).await }
        });
        let answers = futures::future::join_all(calls).await;
        let admitted = answers.iter().filter(|answer| answer.status() == 200).count();
        assert_eq!(admitted, 50);
        for answer in answers.into_iter().filter(|answer| answer.status() != 200) {
            let body = refused(answer, 402, "token_budget_exhausted").await;
            assert_eq!(body["error"]["type"], "insufficient_quota");
        }
        let told = used(&app, &ada, &id).await;
        assert_eq!(told["budget"]["used"], 500);
        assert_eq!(told["totals"]["prompt_tokens"], 300);
        assert_eq!(told["totals"]["completion_tokens"], 200);
    }

    async fn the_last_tokens_of_a_budget_cap_the_answer(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({ "name": "b", "token_limit": 9, "token_limit_period": "day" });
        let (key, id) = inference_key(&app, &ada, body).await;
        let answer: Value = chat(&app, &key, &asks("sandbox", "a")).await.json().await.unwrap();
        assert_eq!(answer["usage"]["completion_tokens"], 3, "six of nine are the prompt");
        assert_eq!(answer["choices"][0]["finish_reason"], "length");
        let none = refused(chat(&app, &key, &asks("sandbox", "a")).await, 402, "token_budget_exhausted").await;
        let said = none["error"]["message"].as_str().unwrap();
        assert!(said.contains("9 tokens a day") && said.contains("9 used"), "{said}");
        assert_eq!(used(&app, &ada, &id).await["budget"]["used"], 9);
        app.advance(Duration::from_hours(24));
        assert_eq!(chat(&app, &key, &asks("sandbox", "a")).await.status(), 200, "a new day");
    }

    async fn unused_reservation_is_released(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({ "name": "b", "token_limit": 2_000, "token_limit_period": "month", "tpm": 1_500 });
        let (key, id) = inference_key(&app, &ada, body).await;
        // Each reserves 1,024 and more; one after the other they fit.
        let mut spent = 0;
        for _ in 0..10 {
            let answer = chat(&app, &key, &asks("sandbox", "a")).await;
            assert_eq!(answer.status(), 200);
            spent += answer.json::<Value>().await.unwrap()["usage"]["total_tokens"].as_u64().unwrap();
        }
        assert_eq!(used(&app, &ada, &id).await["budget"]["used"], spent);
        let last = chat(&app, &key, &asks("sandbox", "a")).await;
        let left: u64 = last.headers()["x-ratelimit-remaining-tokens"].to_str().unwrap().parse().unwrap();
        assert!(left < 1_500 - spent, "this call's reservation included");
    }

    async fn tokens_per_minute_hold_and_free_again(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (key, _) = inference_key(&app, &ada, json!({ "name": "t", "tpm": 25 })).await;
        for _ in 0..2 {
            assert_eq!(chat(&app, &key, &ten_tokens()).await.status(), 200);
        }
        let full = chat(&app, &key, &ten_tokens()).await;
        assert_eq!(full.headers()["x-ratelimit-remaining-tokens"], "5");
        let wait: u64 = full.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        refused(full, 429, "token_rate_limited").await;
        app.advance(Duration::from_secs(wait));
        assert_eq!(chat(&app, &key, &ten_tokens()).await.status(), 200);
    }

    async fn requests_per_minute_hold_at_the_gateway(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (key, id) = inference_key(&app, &ada, json!({ "name": "r", "rpm": 3 })).await;
        for left in ["2", "1", "0"] {
            let answer = chat(&app, &key, &ten_tokens()).await;
            assert_eq!(answer.headers()["x-ratelimit-remaining-requests"], left);
        }
        let full = chat(&app, &key, &ten_tokens()).await;
        assert!(full.headers().contains_key("retry-after"));
        refused(full, 429, "rate_limited").await;
        assert_eq!(used(&app, &ada, &id).await["denials"][0]["code"], "rate_limited");
    }
}

on_both_databases! {
    async fn a_hard_budget_caps_what_the_upstream_may_say(app: TestApp) {
        // The app that the macro made says which database; the gateway has one of its own.
        let backend = if app.config.database_url.starts_with("sqlite") {
            crate::test_app::Backend::Sqlite
        } else {
            crate::test_app::Backend::Postgres
        };
        let gateway = Gateway::on(backend).await;
        let body = json!({ "name": "b", "token_limit": 100, "token_limit_period": "month" });
        let (key, id) = gateway.key(body).await;
        assert_eq!(gateway.chat(&key, &asks("qwen3.6-27b", "a")).await.status(), 200);
        let cap = gateway.upstream.seen()[0].body["max_tokens"].as_u64().unwrap();
        assert_eq!(cap, 94, "what is left beside the prompt");
        let mut own = asks("qwen3.6-27b", "a");
        own["max_completion_tokens"] = json!(500);
        assert_eq!(gateway.chat(&key, &own).await.status(), 200);
        let seen = gateway.upstream.seen().pop().unwrap();
        let left = seen.body["max_completion_tokens"].as_u64().unwrap();
        assert_eq!(left, 83, "ten were used by the first, whose prompt had seven and not six");
        assert!(seen.body.get("max_tokens").is_none());
        assert_eq!(used(&gateway.app, &gateway.ada, &id).await["budget"]["used"], 20);
        let (free, _) = gateway.key(json!({ "name": "free" })).await;
        assert_eq!(gateway.chat(&free, &asks("qwen3.6-27b", "a")).await.status(), 200);
        assert!(gateway.upstream.seen().pop().unwrap().body.get("max_tokens").is_none());
    }
}
