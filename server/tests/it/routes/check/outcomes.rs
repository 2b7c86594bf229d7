//! What a proxy is answered, for every outcome.

use std::time::Duration;

use latchkey_domain::time::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use super::{allowed, ask, disable, new_key, refused};
use crate::test_app::{
    Backend, START, TestApp, on_both_databases, problem, text, traces, unknown_key,
};

/// Headers that tell who calls, beside the code.
const IDENTITY: [&str; 7] = [
    "x-latchkey-key-id",
    "x-latchkey-key-name",
    "x-latchkey-project-id",
    "x-latchkey-application-id",
    "x-latchkey-environment",
    "x-latchkey-external-id",
    "x-latchkey-scopes",
];

on_both_databases! {
    async fn allowed_request_is_told_who_calls(app: TestApp) {
        let ada = app.pro("ada").await;
        let body = json!({
            "name": "Web für 1%", "rpm": 5, "tpm": 100, "external_id": "user_8|x",
            "scopes": ["orders:*", "users:read"],
        });
        let created = app.create(&ada, &body).await;
        let answer = ask(&app, &ada.project, &text(&created["key"])).send().await.unwrap();
        let headers = allowed(&answer);
        let told = IDENTITY.map(|name| headers[name].to_str().unwrap());
        let id = text(&created["api_key"]["id"]);
        let name = "Web%20f%C3%BCr%201%25";
        let scopes = "orders:* users:read";
        assert_eq!(told, [&*id, name, &ada.project, "none", "live", "user_8|x", scopes]);
        assert_eq!(headers["x-ratelimit-limit-requests"], "5");
        assert_eq!(headers["x-ratelimit-remaining-requests"], "4");
        assert_eq!(headers["x-ratelimit-limit-tokens"], "100");
        assert!(headers["x-ratelimit-reset-requests"].to_str().unwrap().ends_with('s'));
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(headers.contains_key("x-request-id"));
        assert_eq!(answer.bytes().await.unwrap().len(), 0);
    }

    async fn identity_without_value_is_none_whatever_was_sent(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let body = json!({"name": "t", "environment": "test", "application_id": ada.application});
        let (key, _) = new_key(&app, &ada, body).await;
        let mut request = ask(&app, &ada.project, &key);
        for name in IDENTITY.into_iter().filter(|name| *name != "x-latchkey-scopes") {
            request = request.header(name, "forged");
        }
        let headers = allowed(&request.header("x-latchkey-code", "forged").send().await.unwrap());
        let told = IDENTITY.map(|name| headers[name].to_str().unwrap());
        assert_eq!(told[1..3], ["t", &ada.project]);
        assert_eq!(told[3..], [&*ada.application, "test", "none", "none"]);
        assert!(IDENTITY.iter().all(|name| headers.get_all(*name).iter().count() == 1));
        assert!(!headers.contains_key("x-ratelimit-limit-requests"));
    }

    async fn every_refusal_has_its_status_and_code(app: TestApp) {
        let ada = app.pro("ada").await;
        let eve = app.sign_in("eve").await;
        let soon = Timestamp::from_millis(START + 60_000);
        let (expired, _) = new_key(&app, &ada, json!({"name": "e", "expires_at": soon})).await;
        let (revoked, path) = new_key(&app, &ada, json!({"name": "r"})).await;
        app.send(Method::DELETE, &path, &ada, &Value::Null).await;
        let (disabled, path) = new_key(&app, &ada, json!({"name": "d"})).await;
        let told = allowed(&ask(&app, &ada.project, &disabled).send().await.unwrap());
        assert_eq!(told["x-latchkey-key-name"], "d");
        disable(&app, &ada, &path, true).await;
        let (born_disabled, _) = new_key(&app, &ada, json!({"name": "b", "disabled": true})).await;
        let fence = json!({"name": "f", "allowed_cidrs": ["203.0.113.0/24"]});
        let (fenced, _) = new_key(&app, &ada, fence).await;
        let (theirs, _) = new_key(&app, &eve, json!({"name": "t"})).await;
        app.advance(Duration::from_mins(1));
        for (key, status, code) in [
            ("lk_live_nonsense", 401, "malformed_key"),
            ("", 401, "malformed_key"),
            (&unknown_key(), 401, "unknown_key"),
            (&theirs, 401, "unknown_key"),
            (&expired, 401, "expired_key"),
            (&revoked, 401, "revoked_key"),
            (&disabled, 401, "disabled_key"),
            (&born_disabled, 401, "disabled_key"),
            (&fenced, 403, "ip_not_allowed"),
        ] {
            let answer = ask(&app, &ada.project, key).send().await.unwrap();
            let headers = refused(answer, status, code).await;
            assert_eq!(headers.contains_key("www-authenticate"), status == 401, "{code}");
            assert!(!headers.contains_key("retry-after"), "{code}");
        }
        let nobody = app.get(&format!("/v1/check/{}", ada.project)).send().await.unwrap();
        let challenge = &refused(nobody, 401, "missing_key").await["www-authenticate"];
        assert_eq!(challenge, "ApiKey realm=\"latchkey\", Bearer realm=\"latchkey\"");
        disable(&app, &ada, &path, false).await;
        allowed(&ask(&app, &ada.project, &disabled).send().await.unwrap());
    }

    async fn limited_key_is_told_when_to_come_back(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (key, _) = new_key(&app, &ada, json!({"name": "l", "rpm": 1})).await;
        allowed(&ask(&app, &ada.project, &key).send().await.unwrap());
        let answer = ask(&app, &ada.project, &key).send().await.unwrap();
        let headers = refused(answer, 429, "rate_limited").await;
        let wait: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((60..=61).contains(&wait), "{wait}");
        assert_eq!(headers["x-ratelimit-limit-requests"], "1");
        assert_eq!(headers["x-ratelimit-remaining-requests"], "0");
        app.advance(Duration::from_secs(wait));
        allowed(&ask(&app, &ada.project, &key).send().await.unwrap());
    }

    async fn application_admits_its_keys_and_its_projects(app: TestApp) {
        let ada = app.pro("ada").await;
        let eve = app.sign_in("eve").await;
        let path = format!("/v1/projects/{}/applications", ada.project);
        let other = app.send(Method::POST, &path, &ada, &json!({"name": "Other"})).await;
        let other = text(&other.json::<Value>().await.unwrap()["id"]);
        let (whole, _) = new_key(&app, &ada, json!({"name": "whole"})).await;
        let body = json!({"name": "own", "application_id": ada.application});
        let (own, _) = new_key(&app, &ada, body).await;
        let check = async |id: &str, key: &str| ask(&app, id, key).send().await.unwrap();
        for (key, id, named) in [
            (&whole, &ada.application, &*ada.application),
            (&whole, &other, &other),
            (&whole, &ada.project, "none"),
            (&own, &ada.application, &ada.application),
            (&own, &ada.project, &ada.application),
        ] {
            let headers = allowed(&check(id, key).await);
            assert_eq!(headers["x-latchkey-application-id"], named);
            assert_eq!(headers["x-latchkey-project-id"], *ada.project);
        }
        refused(check(&other, &own).await, 403, "wrong_scope").await;
        let nowhere = "app_01kahp5k6jfk9rj3x7gkcw0k7v";
        for id in [&*eve.application, &eve.project, nowhere, "prj_01kahp5k6jfk9rj3x7gkcw0k7v"] {
            for key in [&whole, &own] {
                refused(check(id, key).await, 401, "unknown_key").await;
            }
        }
        let path = format!("/v1/applications/{other}");
        assert_eq!(app.send(Method::DELETE, &path, &ada, &Value::Null).await.status(), 204);
        for key in [&whole, &own] {
            refused(check(&other, key).await, 401, "unknown_key").await;
        }
    }

    async fn check_counts_as_one_request(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (key, path) = new_key(&app, &ada, json!({"name": "k", "rpm": 100})).await;
        for _ in 0..3 {
            allowed(&ask(&app, &ada.project, &key).send().await.unwrap());
        }
        let lacking = ask(&app, &ada.project, &key).header("x-latchkey-scopes", "a");
        let headers = refused(lacking.send().await.unwrap(), 403, "insufficient_scope").await;
        assert_eq!(headers["x-ratelimit-remaining-requests"], "97");
        app.services.checker.flush_usage().await.unwrap();
        let used = app.json(&format!("{path}/usage?range=1h"), &ada.jwt).await;
        let totals = &used["totals"];
        assert_eq!([&totals["requests"], &totals["valid"], &totals["denied"]], [4, 3, 1]);
        assert_eq!(used["denials"][0]["code"], "insufficient_scope");
    }

    async fn failed_keys_never_count_and_are_never_held_up(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let fail = async || {
            let unknown = ask(&app, &ada.project, &unknown_key()).send().await.unwrap();
            refused(unknown, 401, "unknown_key").await;
        };
        for _ in 0..100 {
            fail().await;
        }
        let guess = async || {
            let request = app.post("/ingest/traces").header("x-api-key", unknown_key());
            request.json(&traces(1)).send().await.unwrap()
        };
        for _ in 0..60 {
            problem(guess().await, 401, "unknown_key").await;
        }
        problem(guess().await, 429, "too_many_failures").await;
        for _ in 0..100 {
            fail().await;
        }
    }

    async fn check_is_503_while_database_is_away(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let (key, _) = new_key(&app, &ada, json!({"name": "k"})).await;
        app.services.database.close().await.unwrap();
        let answer = ask(&app, &ada.project, &key).send().await.unwrap();
        assert_eq!(refused(answer, 503, "unavailable").await["retry-after"], "1");
        let malformed = ask(&app, &ada.project, "lk_live_nonsense").send().await.unwrap();
        refused(malformed, 401, "malformed_key").await;
    }
}

/// The key is cached, but that an application is its project's has to be looked up.
#[tokio::test(flavor = "multi_thread")]
async fn application_is_503_while_database_is_away() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let (key, _) = new_key(&app, &ada, json!({"name": "k"})).await;
    crate::consistency::nodes::hears(&app.services).await;
    allowed(&ask(&app, &ada.project, &key).send().await.unwrap());
    app.services.database.close().await.unwrap();
    let answer = ask(&app, &ada.application, &key).send().await.unwrap();
    refused(answer, 503, "unavailable").await;
}

#[tokio::test]
async fn networks_of_key_hold_behind_trusted_proxy() {
    let app = TestApp::with(Backend::Sqlite, &["--latchkey-trusted-proxies=127.0.0.0/8"]).await;
    let ada = app.sign_in("ada").await;
    let fence = json!({"name": "f", "allowed_cidrs": ["203.0.113.0/24"]});
    let (key, _) = new_key(&app, &ada, fence).await;
    let from = async |hops: &str| {
        let request = ask(&app, &ada.project, &key).header("x-forwarded-for", hops);
        request.send().await.unwrap()
    };
    allowed(&from("203.0.113.7").await);
    allowed(&from("6.6.6.6, 203.0.113.7").await);
    for hops in ["198.51.100.7", "203.0.113.7, 198.51.100.7", "unknown"] {
        refused(from(hops).await, 403, "ip_not_allowed").await;
    }
}
