//! `POST /v1/keys/verify`: every outcome.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::test_app::{TestApp, key_path, on_both_databases, problem, text};

async fn ask(app: &TestApp, bearer: &str, body: &Value) -> Response {
    app.post("/v1/keys/verify").bearer_auth(bearer).json(body).send().await.unwrap()
}

on_both_databases! {
    async fn a_valid_key_is_described(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "rpm": 5, "token_limit": 100, "token_limit_period": "day"});
        let created = app.create(&ada, &body).await;
        let answer = app.verify(&ada, json!({"key": created["key"], "cost": 30})).await;
        assert_eq!((&answer["valid"], &answer["code"]), (&json!(true), &json!("valid")));
        assert_eq!(answer["key_id"], created["api_key"]["id"]);
        assert_eq!(answer["project_id"], ada.project);
        assert_eq!((&answer["name"], &answer["environment"]), (&json!("A"), &json!("live")));
        assert_eq!(answer["application_id"], Value::Null);
        assert_eq!(answer["expires_at"], Value::Null);
        assert_eq!((&answer["ratelimit"]["limit"], &answer["ratelimit"]["remaining"]), (&json!(5), &json!(4)));
        assert!(answer["ratelimit"]["reset_seconds"].as_f64().unwrap() > 59.0);
        let budget = &answer["budget"];
        assert_eq!((&budget["limit"], &budget["used"], &budget["remaining"]), (&json!(100), &json!(30), &json!(70)));
        assert_eq!(budget["period"], "day");
        assert!(budget["resets_at"].is_string());
        assert!(!answer.to_string().contains(&text(&created["key"])));
    }

    async fn every_denial_has_its_code(app: TestApp) {
        let ada = app.pro("ada").await;
        let code = async |body: Value| {
            let answer = app.verify(&ada, body).await;
            assert_eq!(answer["valid"], false);
            text(&answer["code"])
        };
        let make = async |body: Value| app.create(&ada, &body).await;
        let malformed = app.verify(&ada, json!({"key": "lk_live_nonsense"})).await;
        assert_eq!(malformed, json!({"valid": false, "code": "malformed_key"}));
        let plain = make(json!({"name": "plain"})).await;
        let (secret, id) = (text(&plain["key"]), text(&plain["api_key"]["id"]));
        app.revoke(&ada, &id).await;
        assert_eq!(code(json!({"key": secret})).await, "revoked_key");
        let soon = latchkey_domain::time::Timestamp::from_millis(crate::test_app::START + 5_000);
        let expiring = make(json!({"name": "expiring", "expires_at": soon})).await;
        let scoped = make(json!({"name": "scoped", "application_id": ada.application})).await;
        let other = "app_01kahp5k6jfk9rj3x7gkcw0k7v";
        assert_eq!(code(json!({"key": scoped["key"], "application_id": other})).await, "wrong_scope");
        let whole = make(json!({"name": "whole"})).await;
        let eve = app.sign_in("eve").await;
        for foreign in [other, &*eve.application] {
            let asked = json!({"key": whole["key"], "application_id": foreign});
            assert_eq!(code(asked).await, "wrong_scope", "no application of the key’s project");
        }
        let own = json!({"key": whole["key"], "application_id": ada.application});
        assert_eq!(app.verify(&ada, own).await["valid"], true);
        let fenced = make(json!({"name": "fenced", "allowed_cidrs": ["203.0.113.0/24"]})).await;
        assert_eq!(code(json!({"key": fenced["key"]})).await, "ip_not_allowed");
        assert_eq!(code(json!({"key": fenced["key"], "ip": "198.51.100.1"})).await, "ip_not_allowed");
        let inside = app.verify(&ada, json!({"key": fenced["key"], "ip": "203.0.113.5"})).await;
        assert_eq!(inside["valid"], true);
        let models = make(json!({"name": "models", "allowed_models": ["bge-m3"]})).await;
        assert_eq!(code(json!({"key": models["key"], "model": "other"})).await, "model_not_allowed");
        let rpm = make(json!({"name": "rpm", "rpm": 1})).await;
        assert_eq!(app.verify(&ada, json!({"key": rpm["key"]})).await["valid"], true);
        let limited = app.verify(&ada, json!({"key": rpm["key"]})).await;
        assert_eq!(limited["code"], "rate_limited");
        assert_eq!(limited["ratelimit"]["remaining"], 0);
        assert!(text(&limited["detail"]).starts_with("rpm 1 reached: 1 used in the last 60 s"));
        let tpm = make(json!({"name": "tpm", "tpm": 100})).await;
        assert_eq!(app.verify(&ada, json!({"key": tpm["key"], "cost": 60})).await["valid"], true);
        assert_eq!(code(json!({"key": tpm["key"], "cost": 60})).await, "token_rate_limited");
        let budget = make(json!({"name": "budget", "token_limit": 100, "token_limit_period": "month"})).await;
        assert_eq!(app.verify(&ada, json!({"key": budget["key"], "cost": 100})).await["valid"], true);
        let spent = app.verify(&ada, json!({"key": budget["key"], "cost": 1})).await;
        assert_eq!(spent["code"], "token_budget_exhausted");
        assert_eq!((&spent["budget"]["used"], &spent["budget"]["remaining"]), (&json!(100), &json!(0)));
        app.advance(Duration::from_secs(5));
        assert_eq!(code(json!({"key": expiring["key"]})).await, "expired_key");
        for (body, field) in [
            (json!({}), "key"),
            (json!({"key": secret, "cost": -1}), "cost"),
            (json!({"key": secret, "ip": "here"}), "ip"),
            (json!({"key": secret, "application_id": "x"}), "application_id"),
            (json!({"key": secret, "colour": 1}), "colour"),
        ] {
            let refused = problem(ask(&app, &ada.jwt, &body).await, 422, "invalid").await;
            assert_eq!(refused["errors"][0]["field"], field);
            assert!(!refused.to_string().contains(&secret));
        }
    }

    async fn attributes_are_answered_and_scopes_asked_for(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({
            "name": "A", "external_id": "user_8", "tags": ["beta"], "scopes": ["orders:*", "users:read"],
            "metadata": {"plan": "gold", "n": 5, "deep": [{"a": null}]},
        });
        let key = app.create(&ada, &body).await["key"].clone();
        let answer = app.verify(&ada, json!({"key": key})).await;
        for attribute in ["external_id", "tags", "scopes", "metadata"] {
            assert_eq!(answer[attribute], body[attribute], "{attribute}");
        }
        for (scopes, code) in [
            (json!(["orders:read", "users:read"]), "valid"),
            (json!({"any": ["users:write", {"all": ["orders:read"]}]}), "valid"),
            (json!([]), "valid"),
            (json!(null), "valid"),
            (json!(["orders:read", "users:write"]), "insufficient_scope"),
            (json!({"any": ["users:write"]}), "insufficient_scope"),
        ] {
            let answer = app.verify(&ada, json!({"key": key, "scopes": scopes})).await;
            assert_eq!(answer["code"], code, "{scopes}");
            assert_eq!(answer["external_id"], "user_8", "also of a key that is denied");
        }
        for scopes in [json!({"any": []}), json!(["orders:*"]), json!("orders:read"), json!([1])] {
            let request = json!({"key": key, "scopes": scopes});
            problem(ask(&app, &ada.jwt, &request).await, 422, "invalid").await;
        }
        let plain = app.create(&ada, &json!({"name": "plain"})).await["key"].clone();
        let answer = app.verify(&ada, json!({"key": plain, "scopes": ["a"]})).await;
        assert_eq!(answer["code"], "insufficient_scope");
        let attributes = ["external_id", "tags", "scopes", "metadata"].map(|name| &answer[name]);
        assert_eq!(attributes, [&json!(null), &json!([]), &json!([]), &json!({})]);
    }

    async fn a_refused_call_takes_nothing(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "rpm": 10, "tpm": 1_000, "token_limit": 50, "token_limit_period": "day"});
        let key = app.create(&ada, &body).await["key"].clone();
        for _ in 0..5 {
            let refused = app.verify(&ada, json!({"key": key, "cost": 51})).await;
            assert_eq!(refused["code"], "token_budget_exhausted");
            assert_eq!(refused["budget"]["used"], 0);
        }
        let admitted = app.verify(&ada, json!({"key": key, "cost": 50})).await;
        assert_eq!(admitted["ratelimit"]["remaining"], 9);
        assert_eq!(admitted["budget"]["remaining"], 0);
    }

    async fn parallel_calls_cannot_overspend_a_budget(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "token_limit": 50, "token_limit_period": "month"});
        let key = app.create(&ada, &body).await["key"].clone();
        let calls = (0..60).map(|_| app.verify(&ada, json!({"key": key, "cost": 3})));
        let answers = futures::future::join_all(calls).await;
        assert_eq!(answers.iter().filter(|answer| answer["valid"] == true).count(), 16);
        let left = app.verify(&ada, json!({"key": key})).await;
        assert_eq!(left["budget"]["used"], 48);
    }

    async fn a_key_of_another_project_is_unknown(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let eve = app.sign_in("eve").await;
        let key = app.create(&ada, &json!({"name": "A"})).await["key"].clone();
        let unknown = json!({"valid": false, "code": "unknown_key"});
        assert_eq!(app.verify(&eve, json!({"key": key})).await, unknown);
        let (theirs, _) = app.service_key(&eve, &["keys:verify"]).await;
        let answer = ask(&app, &theirs, &json!({"key": key})).await;
        assert_eq!(answer.json::<Value>().await.unwrap(), unknown);
    }

    async fn a_service_key_verifies_with_its_permission_alone(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.create(&ada, &json!({"name": "A"})).await["key"].clone();
        let (may, _) = app.service_key(&ada, &["keys:verify"]).await;
        let answer: Value = ask(&app, &may, &json!({"key": key})).await.json().await.unwrap();
        assert_eq!(answer["valid"], true);
        let (may_not, _) = app.service_key(&ada, &["keys:read", "keys:write", "usage:read"]).await;
        problem(ask(&app, &may_not, &json!({"key": key})).await, 403, "forbidden").await;
        problem(ask(&app, "nonsense", &json!({"key": key})).await, 401, "unauthenticated").await;
        problem(ask(&app, &text(&key), &json!({"key": key})).await, 403, "wrong_scope").await;
        let nobody = app.post("/v1/keys/verify").json(&json!({"key": key})).send().await.unwrap();
        problem(nobody, 401, "unauthenticated").await;
    }

    async fn a_revoke_is_seen_by_the_next_verify(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let created = app.create(&ada, &json!({"name": "A"})).await;
        assert_eq!(app.verify(&ada, json!({"key": created["key"]})).await["valid"], true);
        let path = key_path(&created);
        app.send(Method::DELETE, &path, &ada, &Value::Null).await;
        assert_eq!(app.verify(&ada, json!({"key": created["key"]})).await["code"], "revoked_key");
    }
}
