//! `latchkey keys`: what is created, changed and shown, and where secrets go.

use serde_json::json;

use super::{finish, latchkey};
use crate::test_app::{Backend, TestApp, key_path, text};

#[tokio::test(flavor = "multi_thread")]
async fn create_prints_the_secret_alone() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let created = app
        .done(
            &who,
            &[
                "keys",
                "create",
                "--project",
                &who.project,
                "--name",
                "ci of \"us\"",
                "--rpm",
                "60",
                "--budget",
                "tokens:1000:day",
                "--metadata",
                r#"{"plan":"gold"}"#,
                "--tag",
                "nightly",
                "--scope",
                "orders:read,orders:write",
                "--external-id",
                "user_1",
            ],
        )
        .await;
    let secret = created.stdout.strip_suffix('\n').unwrap();
    assert!(!secret.contains(char::is_whitespace), "{created:?}");
    assert!(!created.stderr.contains(secret), "{created:?}");
    assert_eq!(created.stderr.lines().count(), 1, "{created:?}");
    let verified = app.verify(&who, json!({ "key": secret })).await;
    assert_eq!(verified["valid"], true);
    let key = app.json(&format!("/v1/keys/{}", text(&verified["key_id"])), &who.jwt).await;
    assert_eq!(key["rpm"], 60);
    assert_eq!(key["budgets"][0]["limit"], 1000);
    assert_eq!(key["metadata"], json!({"plan": "gold"}));
    assert_eq!(key["tags"], json!(["nightly"]));
    assert_eq!(key["scopes"], json!(["orders:read", "orders:write"]));
    assert_eq!(key["external_id"], "user_1");
}

#[tokio::test(flavor = "multi_thread")]
async fn rotate_prints_the_new_secret_alone() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let created = app.create(&who, &json!({"name": "a"})).await;
    let id = text(&created["api_key"]["id"]);
    let rotated = app.done(&who, &["keys", "rotate", &id, "--grace-seconds", "60"]).await;
    let secret = rotated.stdout.trim_end();
    assert_eq!(rotated.stdout.lines().count(), 1, "{rotated:?}");
    assert_ne!(secret, text(&created["key"]));
    assert!(!rotated.stderr.contains(secret), "{rotated:?}");
    for key in [secret, &text(&created["key"])] {
        assert_eq!(app.verify(&who, json!({ "key": key })).await["valid"], true);
    }
    let json = app.done(&who, &["keys", "rotate", &id, "--json"]).await;
    let body: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(body["api_key"]["id"], id.as_str());
    assert!(!json.stderr.contains(&text(&body["key"])), "{json:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn show_prints_fields_or_the_body_of_the_api() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let body = json!({"name": "a", "metadata": {"n": 1.50}, "expires_at": "2030-01-01T00:00:00Z"});
    let created = app.create(&who, &body).await;
    let id = text(&created["api_key"]["id"]);
    let answer = app.get(&key_path(&created)).bearer_auth(&who.jwt).send().await.unwrap();
    let answer = answer.text().await.unwrap();
    let shown = app.done(&who, &["keys", "show", &id, "--json"]).await;
    assert_eq!(shown.stdout, answer, "byte for byte");
    assert_eq!(shown.stderr, "");
    let shown = app.done(&who, &["keys", "show", &id]).await;
    let cells = shown.cells();
    for (name, value) in
        [("id", id.as_str()), ("status", "active"), ("expires_at", "2030-01-01T00:00:00.000Z")]
    {
        assert!(cells.contains(&vec![name, value]), "{name}: {cells:?}");
    }
    assert!(cells.contains(&vec!["rpm", ""]), "{cells:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_disabled_enabled_and_revoked() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let mut ids = Vec::new();
    for name in ["a", "b"] {
        ids.push(text(&app.create(&who, &json!({ "name": name })).await["api_key"]["id"]));
    }
    let enabled = app.done(&who, &["keys", "enable", &ids[0], &ids[1], "--json"]).await;
    let bodies = enabled.stdout.lines().map(serde_json::from_str::<serde_json::Value>);
    let named: Vec<_> = bodies.map(|body| text(&body.unwrap()["id"])).collect();
    assert_eq!(named, ids, "a body is a line");
    for (command, status) in [("disable", "disabled"), ("enable", "active"), ("revoke", "revoked")]
    {
        let changed = app.done(&who, &["keys", command, &ids[0], &ids[1]]).await;
        assert_eq!(changed.stdout, "");
        assert_eq!(changed.stderr.lines().count(), 2, "{changed:?}");
        for id in &ids {
            let key = app.json(&format!("/v1/keys/{id}"), &who.jwt).await;
            assert_eq!(key["status"], status);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_key_does_not_save_the_next_one() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let id = text(&app.create(&who, &json!({"name": "a"})).await["api_key"]["id"]);
    let missing = "key_01h455vb4pex5vsknk084sn02q";
    let revoked = app.latchkey(&who, &["keys", "revoke", missing, &id]).await;
    assert_eq!(revoked.code, Some(3), "{revoked:?}");
    assert!(revoked.stderr.contains(&format!("error: {missing}")), "{revoked:?}");
    assert_eq!(app.json(&format!("/v1/keys/{id}"), &who.jwt).await["status"], "revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_prints_totals_and_denials() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let created = app.create(&who, &json!({"name": "a", "rpm": 1})).await;
    for _ in 0..2 {
        app.verify(&who, json!({ "key": text(&created["key"]) })).await;
    }
    app.services.checker.flush_usage().await.unwrap();
    let id = text(&created["api_key"]["id"]);
    let usage = app.done(&who, &["keys", "usage", &id, "--range", "1h"]).await;
    let cells = usage.cells();
    for line in [["range", "1h"], ["requests", "2"], ["valid", "1"], ["denied.rate_limited", "1"]] {
        assert!(cells.contains(&line.to_vec()), "{line:?} is not in {cells:?}");
    }
    let json = app.done(&who, &["keys", "usage", &id, "--json"]).await;
    let body: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(body["totals"]["requests"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn service_key_is_a_token() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let (service, _) = app.service_key(&who, &["keys:read", "keys:write"]).await;
    let mut command = latchkey(&app.base, &format!(" {service}\n"));
    command.args(["keys", "create", "--name=a", "--project", &who.project]);
    let created = finish(command, "").await;
    assert_eq!(created.code, Some(0), "{created:?}");
    let mut command = latchkey(&app.base, &service);
    command.args(["keys", "create", "--name=b", "--kind=service", "--permission=keys:read"]);
    command.args(["--project", &who.project]);
    let refused = finish(command, "").await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(4), ""));
    assert!(!refused.stderr.contains(&service), "{refused:?}");
}
