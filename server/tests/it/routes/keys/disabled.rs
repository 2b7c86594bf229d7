//! Keys that are disabled for a while.

use std::time::Duration;

use latchkey_checker::CheckRequest;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;
use latchkey_services::Database;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::test_app::{START, Session, TestApp, key_path, on_both_databases, problem, text};

async fn set(app: &TestApp, who: &Session, key: &Value, body: Value) -> Response {
    app.send(Method::PATCH, &key_path(key), who, &body).await
}

async fn act(app: &TestApp, who: &Session, key: &Value, what: &str) -> Response {
    app.send(Method::POST, &format!("{}/{what}", key_path(key)), who, &Value::Null).await
}

async fn status(app: &TestApp, who: &Session, key: &Value) -> String {
    text(&app.json(&key_path(key), &who.jwt).await["status"])
}

/// The newest audit events, newest first.
async fn actions(app: &TestApp, who: &Session, count: usize) -> Vec<String> {
    let path = format!("/v1/organizations/{}/audit?limit={count}", who.organization);
    let events = app.json(&path, &who.jwt).await["data"].clone();
    events.as_array().unwrap().iter().map(|event| text(&event["action"])).collect()
}

on_both_databases! {
    async fn disabled_key_is_refused_until_it_is_enabled(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "application_id": ada.application});
        let key = app.create(&ada, &body).await;
        let secret = text(&key["key"]);
        for _ in 0..2 {
            assert_eq!(app.ingest(&secret).await.status(), 200);
            let disabled: Value = set(&app, &ada, &key, json!({"disabled": true})).await.json().await.unwrap();
            assert_eq!((&disabled["disabled"], &disabled["status"]), (&json!(true), &json!("disabled")));
            problem(app.ingest(&secret).await, 401, "disabled_key").await;
            let enabled: Value = set(&app, &ada, &key, json!({"disabled": false})).await.json().await.unwrap();
            assert_eq!((&enabled["disabled"], &enabled["status"]), (&json!(false), &json!("active")));
        }
        assert_eq!(app.ingest(&secret).await.status(), 200);
    }

    async fn key_that_is_disabled_during_a_check_is_refused(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.create(&ada, &json!({"name": "A"})).await;
        let (secret, checker) = (text(&key["key"]), &app.services.checker);
        let identity = checker.authenticate_for_server(Some(&secret)).await.unwrap();
        // A check waits here for the application that it names.
        assert_eq!(set(&app, &ada, &key, json!({"disabled": true})).await.status(), 200);
        let denial = checker.admit(&identity, CheckRequest::default()).await.unwrap_err();
        assert_eq!(denial.outcome, Outcome::DisabledKey);
        assert_eq!(set(&app, &ada, &key, json!({"disabled": false})).await.status(), 200);
        checker.admit(&identity, CheckRequest::default()).await.unwrap();
    }

    async fn node_that_hears_nothing_looks_again_after_a_wait(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.create(&ada, &json!({"name": "A"})).await;
        let deaf = app.node(Database::open(&app.config.database_url).await.unwrap()).await;
        let (secret, checker) = (text(&key["key"]), &deaf.checker);
        let mut identity = checker.authenticate_for_server(Some(&secret)).await.unwrap();
        identity.mark_waited();
        checker.admit(&identity, CheckRequest::default()).await.unwrap();
        assert_eq!(set(&app, &ada, &key, json!({"disabled": true})).await.status(), 200);
        let denial = checker.admit(&identity, CheckRequest::default()).await.unwrap_err();
        assert_eq!(denial.outcome, Outcome::DisabledKey);
    }

    async fn key_may_be_created_disabled(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "application_id": ada.application, "disabled": true});
        let key = app.create(&ada, &body).await;
        assert_eq!(key["api_key"]["status"], "disabled");
        problem(app.ingest(&text(&key["key"])).await, 401, "disabled_key").await;
        assert_eq!(set(&app, &ada, &key, json!({"name": "B"})).await.status(), 200);
        assert_eq!(status(&app, &ada, &key).await, "disabled", "another change leaves it so");
        assert_eq!(set(&app, &ada, &key, json!({"disabled": false})).await.status(), 200);
        assert_eq!(app.ingest(&text(&key["key"])).await.status(), 200);
    }

    async fn rotated_disabled_key_stays_disabled(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "A", "application_id": ada.application, "disabled": true});
        let key = app.create(&ada, &body).await;
        let path = format!("{}/rotate", key_path(&key));
        let rotated = app.send(Method::POST, &path, &ada, &json!({"grace_seconds": 60})).await;
        assert_eq!(rotated.status(), 200);
        let rotated: Value = rotated.json().await.unwrap();
        assert_eq!(rotated["api_key"]["status"], "disabled");
        let secrets = [text(&key["key"]), text(&rotated["key"])];
        for secret in &secrets {
            problem(app.ingest(secret).await, 401, "disabled_key").await;
        }
        assert_eq!(set(&app, &ada, &key, json!({"disabled": false})).await.status(), 200);
        for secret in &secrets {
            assert_eq!(app.ingest(secret).await.status(), 200);
        }
    }

    async fn disabled_key_takes_a_slot_and_is_not_archived(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.create(&ada, &json!({"name": "A", "disabled": true})).await;
        app.create(&ada, &json!({"name": "B"})).await;
        problem(app.try_create(&ada, &json!({"name": "C"})).await, 409, "tier_limit_reached").await;
        let project = app.json(&format!("/v1/projects/{}", ada.project), &ada.jwt).await;
        assert_eq!(project["keys_used"], 2);
        problem(act(&app, &ada, &key, "archive").await, 409, "conflict").await;
        problem(act(&app, &ada, &key, "unarchive").await, 409, "conflict").await;
        app.revoke(&ada, &text(&key["api_key"]["id"])).await;
        assert_eq!(act(&app, &ada, &key, "archive").await.status(), 200);
    }

    async fn revoked_comes_before_expired_before_disabled(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let end = Timestamp::from_millis(START + 60_000).to_string();
        let body = json!({
            "name": "A", "application_id": ada.application, "disabled": true, "expires_at": end,
        });
        let key = app.create(&ada, &body).await;
        let secret = text(&key["key"]);
        problem(app.ingest(&secret).await, 401, "disabled_key").await;
        app.advance(Duration::from_mins(1));
        problem(app.ingest(&secret).await, 401, "expired_key").await;
        assert_eq!(status(&app, &ada, &key).await, "expired");
        assert_eq!(app.json(&key_path(&key), &ada.jwt).await["disabled"], true);
        for name in ["B", "C"] {
            app.create(&ada, &json!({"name": name})).await;
        }
        assert_eq!(act(&app, &ada, &key, "archive").await.status(), 200);
        // A disabled key that comes back needs a slot as an active one does.
        let later = json!({"expires_at": null});
        problem(set(&app, &ada, &key, later.clone()).await, 409, "tier_limit_reached").await;
        app.set_tier(&ada, "pro").await;
        let back: Value = set(&app, &ada, &key, later).await.json().await.unwrap();
        assert_eq!((&back["status"], &back["archived"]), (&json!("disabled"), &json!(false)));
        app.revoke(&ada, &text(&key["api_key"]["id"])).await;
        problem(app.ingest(&secret).await, 401, "revoked_key").await;
        assert_eq!(status(&app, &ada, &key).await, "revoked");
        problem(set(&app, &ada, &key, json!({"disabled": false})).await, 409, "conflict").await;
    }

    async fn keys_are_listed_by_status_disabled(app: TestApp) {
        let ada = app.pro("ada").await;
        for (name, disabled) in [("A", false), ("B", true)] {
            app.advance(Duration::from_millis(1));
            app.create(&ada, &json!({"name": name, "disabled": disabled})).await;
        }
        for (query, expected) in [("status=disabled", vec!["B"]), ("status=active", vec!["A"]), ("", vec!["B", "A"])] {
            let path = format!("/v1/projects/{}/keys?{query}", ada.project);
            let list = app.json(&path, &ada.jwt).await["data"].clone();
            let names: Vec<_> = list.as_array().unwrap().iter().map(|key| text(&key["name"])).collect();
            assert_eq!(names, expected, "{query}");
        }
    }

    async fn disabling_and_enabling_have_audit_actions(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let key = app.create(&ada, &json!({"name": "A", "disabled": true})).await;
        let path = format!("/v1/organizations/{}/audit?limit=1", ada.organization);
        let event = app.json(&path, &ada.jwt).await["data"][0].clone();
        assert_eq!(event["changes"]["disabled"], json!({"before": null, "after": true}));
        for body in [
            json!({"disabled": true}), json!({"disabled": false}), json!({"disabled": false}),
            json!({"disabled": true, "rpm": 5}), json!({"rpm": 6}),
        ] {
            assert_eq!(set(&app, &ada, &key, body).await.status(), 200);
        }
        assert_eq!(
            actions(&app, &ada, 4).await,
            ["key.changed", "key.disabled", "key.enabled", "key.created"]
        );
        let path = format!("/v1/organizations/{}/audit?action=key.disabled", ada.organization);
        let events = app.json(&path, &ada.jwt).await["data"].clone();
        assert_eq!(events.as_array().unwrap().len(), 1);
        assert_eq!(events[0]["changes"], json!({
            "disabled": {"before": false, "after": true}, "rpm": {"before": null, "after": 5},
        }));
    }

    async fn disabled_service_key_may_do_nothing(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (secret, id) = app.service_key(&ada, &["keys:read", "keys:write"]).await;
        let service = Session { jwt: secret, ..ada.clone() };
        let list = format!("/v1/projects/{}/keys", ada.project);
        let path = format!("/v1/keys/{id}");
        let set = async |disabled: bool| {
            app.send(Method::PATCH, &path, &ada, &json!({"disabled": disabled})).await.status()
        };
        let read = async || app.get(&list).bearer_auth(&service.jwt).send().await.unwrap();
        assert_eq!(read().await.status(), 200);
        assert_eq!(set(true).await, 200);
        problem(read().await, 401, "disabled_key").await;
        problem(app.try_create(&service, &json!({"name": "A"})).await, 401, "disabled_key").await;
        assert_eq!(set(false).await, 200);
        assert_eq!(read().await.status(), 200);
    }
}
