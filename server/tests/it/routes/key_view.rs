//! `GET /v1/key`: a key as its holder sees it.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::test_app::{TestApp, key_path, on_both_databases, problem, text, unknown_key};

async fn view(app: &TestApp, key: &str) -> Response {
    app.get("/v1/key").header("x-api-key", key).send().await.unwrap()
}

on_both_databases! {
    async fn holder_sees_key_and_limits_and_nothing_is_counted(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({
            "name": "K", "rpm": 5, "tpm": 1_000, "token_limit": 100, "token_limit_period": "day",
            "scopes": ["orders:*"], "external_id": "user_8", "metadata": {"internal": true},
            "tags": ["internal"], "application_id": ada.application,
        });
        let created = app.create(&ada, &body).await;
        let (key, path) = (text(&created["key"]), key_path(&created));
        app.verify(&ada, json!({"key": key, "cost": 30})).await;
        let mut seen = Vec::new();
        for _ in 0..7 {
            let bearer = app.get("/v1/key").bearer_auth(&key).send().await.unwrap();
            for answer in [view(&app, &key).await, bearer] {
                assert_eq!(answer.status(), 200);
                assert_eq!(answer.headers()["cache-control"], "no-store");
                seen.push(answer.json::<Value>().await.unwrap());
            }
        }
        assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
        let mut seen = seen.remove(0);
        for limit in ["ratelimit", "tokens"] {
            let reset = seen[limit].as_object_mut().unwrap().remove("reset_seconds").unwrap();
            assert!((60.0..=61.0).contains(&reset.as_f64().unwrap()), "{reset}");
        }
        let expected = json!({
            "id": created["api_key"]["id"], "kind": "api", "project_id": ada.project,
            "application_id": ada.application, "name": "K", "environment": "live",
            "masked": created["api_key"]["masked"], "status": "active", "expires_at": null,
            "rpm": 5, "tpm": 1_000, "max_parallel": null, "scopes": ["orders:*"],
            "external_id": "user_8", "ratelimit": {"limit": 5, "remaining": 4},
            "tokens": {"limit": 1_000, "remaining": 970},
            "budgets": [{
                "unit": "tokens", "limit": 100, "period": "day", "used": 30, "reserved": 0,
                "remaining": 70, "resets_at": "2026-11-19T00:00:00.000Z",
            }],
        });
        assert_eq!(seen, expected);
        let used = app.json(&format!("{path}/usage?range=1h"), &ada.jwt).await;
        assert_eq!(used["totals"]["requests"], 1, "that of verify");
    }

    async fn every_kind_of_key_has_a_view(app: TestApp) {
        let ada = app.pro("ada").await;
        let (service, _) = app.service_key(&ada, &["keys:read"]).await;
        let path = format!("/v1/projects/{}/inference/keys", ada.project);
        let body = json!({"name": "i", "environment": "test"});
        let inference = app.send(Method::POST, &path, &ada, &body).await;
        let inference = text(&inference.json::<Value>().await.unwrap()["key"]);
        for (key, kind, environment) in
            [(&service, "service", "live"), (&inference, "inference", "test")]
        {
            let seen: Value = view(&app, key).await.json().await.unwrap();
            assert_eq!((&seen["kind"], &seen["environment"]), (&json!(kind), &json!(environment)));
            assert_eq!((&seen["budgets"], &seen["scopes"]), (&json!([]), &json!([])));
            for absent in ["rpm", "tpm", "ratelimit", "tokens", "external_id", "application_id"] {
                assert!(seen[absent].is_null(), "{absent}: {seen}");
            }
        }
    }

    async fn key_has_60_views_a_minute(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let [key, other] = ["a", "b"].map(|name| json!({ "name": name }));
        let key = text(&app.create(&ada, &key).await["key"]);
        let other = text(&app.create(&ada, &other).await["key"]);
        for _ in 0..60 {
            assert_eq!(view(&app, &key).await.status(), 200);
        }
        let limited = view(&app, &key).await;
        let wait: u64 = limited.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((60..=61).contains(&wait), "{wait}");
        problem(limited, 429, "rate_limited").await;
        assert_eq!(view(&app, &other).await.status(), 200);
        let valid = app.verify(&ada, json!({ "key": key })).await;
        assert_eq!(valid["valid"], true, "views limit nothing else");
        app.advance(Duration::from_secs(wait));
        assert_eq!(view(&app, &key).await.status(), 200);
    }

    async fn invalid_key_has_no_view(app: TestApp) {
        let ada = app.pro("ada").await;
        let revoked = app.create(&ada, &json!({"name": "r"})).await;
        app.send(Method::DELETE, &key_path(&revoked), &ada, &Value::Null).await;
        let disabled = app.create(&ada, &json!({"name": "d", "disabled": true})).await;
        let fence = json!({"name": "f", "allowed_cidrs": ["203.0.113.0/24"]});
        let fenced = app.create(&ada, &fence).await;
        for (key, status, code) in [
            (&revoked, 401, "revoked_key"),
            (&disabled, 401, "disabled_key"),
            (&fenced, 403, "ip_not_allowed"),
        ] {
            problem(view(&app, &text(&key["key"])).await, status, code).await;
        }
        let nobody = app.get("/v1/key").send().await.unwrap();
        let body = problem(nobody, 401, "missing_key").await;
        assert!(text(&body["detail"]).contains("x-api-key"), "{body}");
        let person = app.get("/v1/key").bearer_auth(&ada.jwt).send().await.unwrap();
        problem(person, 401, "malformed_key").await;
        let both = app.get("/v1/key").bearer_auth(unknown_key()).header("x-api-key", unknown_key());
        problem(both.send().await.unwrap(), 400, "malformed").await;
        // The person's token was the first failure.
        for _ in 1..60 {
            problem(view(&app, &unknown_key()).await, 401, "unknown_key").await;
        }
        let limited = view(&app, &unknown_key()).await;
        assert!(limited.headers().contains_key("retry-after"));
        problem(limited, 429, "too_many_failures").await;
        let posted = app.post("/v1/key").send().await.unwrap();
        problem(posted, 405, "method_not_allowed").await;
    }
}
