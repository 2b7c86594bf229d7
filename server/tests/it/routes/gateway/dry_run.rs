//! “Why was this rejected?”: the check as a rehearsal, which takes and counts nothing.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{asks, chat, inference_key};
use crate::test_app::{Session, TestApp, on_both_databases, problem};

async fn dry_run(app: &TestApp, who: &Session, id: &str, request: Value) -> Value {
    let body = json!({ "key_id": id, "request": request });
    let answer =
        app.post("/api/keys/dry-run").bearer_auth(&who.jwt).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json().await.unwrap()
}

async fn usage(app: &TestApp, who: &Session, id: &str) -> Value {
    app.json(&format!("/v1/inference/keys/{id}/usage?range=1h"), &who.jwt).await
}

on_both_databases! {
    async fn a_dry_run_names_what_would_refuse_the_call(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let limits = json!({
            "name": "tight", "rpm": 1, "tpm": 100, "token_limit": 500, "token_limit_period": "month",
            "allowed_models": ["sandbox"], "allowed_cidrs": ["127.0.0.0/8"],
        });
        let (key, id) = inference_key(&app, &ada, limits).await;
        let here = |more: Value| {
            let mut request = json!({ "model": "sandbox", "ip": "127.0.0.1", "tokens": 10 });
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            request
        };
        let told = dry_run(&app, &ada, &id, here(json!({}))).await;
        assert_eq!(told["code"], "valid");
        assert_eq!(told["ratelimit"], json!({ "limit": 1, "remaining": 1, "reset_seconds": 0.0 }));
        assert_eq!(told["budget"]["remaining"], 500);
        assert_eq!(told["quota"]["used"], 0);
        for (request, code) in [
            (here(json!({ "model": "gpt-9" })), "model_not_allowed"),
            (here(json!({ "ip": "203.0.113.9" })), "ip_not_allowed"),
            (here(json!({ "ip": null })), "ip_not_allowed"),
            (here(json!({ "tokens": 101 })), "token_rate_limited"),
        ] {
            let told = dry_run(&app, &ada, &id, request).await;
            assert_eq!(told["code"], code, "{told}");
        }
        let never = dry_run(&app, &ada, &id, here(json!({ "tokens": 101 }))).await;
        assert_eq!(never["retry_after_seconds"], Value::Null, "a call of this size never fits");
        assert_eq!(never["budget"], Value::Null, "it would not get that far");
        assert_eq!(chat(&app, &key, &asks("sandbox", "a")).await.status(), StatusCode::OK);
        let told = dry_run(&app, &ada, &id, here(json!({}))).await;
        assert_eq!(told["code"], "rate_limited");
        assert_eq!(told["retry_after_seconds"], 60);
        app.revoke(&ada, &id).await;
        assert_eq!(dry_run(&app, &ada, &id, here(json!({}))).await["code"], "revoked_key");
    }

    async fn a_dry_run_knows_a_spent_budget(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({ "name": "b", "token_limit": 9, "token_limit_period": "day" });
        let (key, id) = inference_key(&app, &ada, body).await;
        let told = dry_run(&app, &ada, &id, json!({ "tokens": 10 })).await;
        assert_eq!(told["code"], "token_budget_exhausted", "it never fits");
        assert_eq!(chat(&app, &key, &asks("sandbox", "a")).await.status(), StatusCode::OK);
        let told = dry_run(&app, &ada, &id, json!({})).await;
        assert_eq!(told["code"], "token_budget_exhausted");
        assert_eq!((&told["budget"]["used"], &told["budget"]["limit"]), (&json!(9), &json!(9)));
        assert!(told["retry_after_seconds"].as_u64().unwrap() > 0);
        // What lists tell is the same.
        let body = json!({ "project_id": ada.project, "filter": { "kind": "inference" } });
        let list = app.post("/api/project-keys/list").bearer_auth(&ada.jwt).json(&body);
        let list: Value = list.send().await.unwrap().json().await.unwrap();
        assert_eq!(list["data"][0]["budget"], told["budget"]);
    }

    async fn a_dry_run_names_the_budget_that_refuses_the_call(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let budget = |period| json!({ "unit": "tokens", "limit": 9, "period": period });
        let body = json!({ "name": "b", "budgets": [budget("month"), budget("day")] });
        let (key, id) = inference_key(&app, &ada, body).await;
        assert_eq!(chat(&app, &key, &asks("sandbox", "a")).await.status(), StatusCode::OK);
        let refused: Value = chat(&app, &key, &asks("sandbox", "a")).await.json().await.unwrap();
        let told = dry_run(&app, &ada, &id, json!({})).await;
        assert_eq!(told["limit"]["period"], refused["error"]["limit"]["period"], "{told}");
        assert_eq!(told["limit"]["period"], "day");
    }

    async fn a_dry_run_takes_and_counts_nothing(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({
            "name": "b", "rpm": 1, "tpm": 100, "token_limit": 100, "token_limit_period": "day",
        });
        let (key, id) = inference_key(&app, &ada, body).await;
        for tokens in [0, 50, 100, 1_000] {
            dry_run(&app, &ada, &id, json!({ "model": "sandbox", "tokens": tokens })).await;
        }
        app.services.checker.flush_usage().await.unwrap();
        let used = usage(&app, &ada, &id).await;
        assert_eq!(used["totals"]["requests"], 0);
        assert_eq!(used["denials"], json!([]));
        assert_eq!(used["last_used"], Value::Null);
        assert_eq!(used["budget"]["used"], 0);
        let body = json!({ "project_id": ada.project });
        let month = app.post("/api/usage/month").bearer_auth(&ada.jwt).json(&body);
        let month: Value = month.send().await.unwrap().json().await.unwrap();
        assert_eq!((&month["used"], &month["limit"]), (&json!(0), &json!(100_000)));
        assert_eq!(chat(&app, &key, &asks("sandbox", "a")).await.status(), StatusCode::OK);
    }

    async fn a_strangers_key_can_not_be_tried_out(app: TestApp) {
        let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
        let (_, id) = inference_key(&app, &ada, json!({ "name": "b" })).await;
        let body = json!({ "key_id": id, "request": {} });
        let answer = app.post("/api/keys/dry-run").bearer_auth(&eve.jwt).json(&body).send().await;
        problem(answer.unwrap(), 404, "not_found").await;
    }
}
