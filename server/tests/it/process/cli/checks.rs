//! `latchkey check`: outcomes and their exit codes.

use serde_json::{Value, json};

use super::{Finished, answer, canned, finish, latchkey};
use crate::test_app::{Backend, Session, TestApp, text, unknown_key};

/// Checks a key on standard input, with a token if there is one.
async fn check(base: &str, token: &str, key: &str, more: &[&str]) -> Finished {
    let mut command = latchkey(base, token);
    command.args(["check", "-"]).args(more);
    let checked = finish(command, &format!("{key}\n")).await;
    assert!(!checked.stderr.contains(key), "{checked:?}");
    checked
}

async fn keys_of_each_outcome(app: &TestApp, who: &Session) -> Vec<(String, &'static str, i32)> {
    let mut keys = Vec::new();
    for (name, outcome, code) in [("a", "valid", 0), ("b", "revoked_key", 4)] {
        let created = app.create(who, &json!({ "name": name })).await;
        if outcome == "revoked_key" {
            app.revoke(who, &text(&created["api_key"]["id"])).await;
        }
        keys.push((text(&created["key"]), outcome, code));
    }
    let disabled = app.create(who, &json!({"name": "c", "disabled": true})).await;
    keys.push((text(&disabled["key"]), "disabled_key", 4));
    keys.push((unknown_key(), "unknown_key", 4));
    keys.push((format!("{}x", unknown_key()), "malformed_key", 4));
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn check_prints_the_outcome_and_exits_with_its_code() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    for (key, outcome, code) in keys_of_each_outcome(&app, &who).await {
        for token in [who.jwt.as_str(), ""] {
            let checked = check(&app.base, token, &key, &[]).await;
            assert_eq!(checked.stdout, format!("{outcome}\n"), "{checked:?}");
            assert_eq!(checked.code, Some(code), "{checked:?}");
            assert_eq!(checked.stderr.lines().count(), 1, "{checked:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_with_a_token_counts_and_without_does_not() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let created = app.create(&who, &json!({"name": "a", "rpm": 1, "scopes": ["orders:*"]})).await;
    let key = text(&created["key"]);
    for _ in 0..2 {
        assert_eq!(check(&app.base, "", &key, &[]).await.stdout, "valid\n");
    }
    let lacking = check(&app.base, &who.jwt, &key, &["--scope", "users:read"]).await;
    assert_eq!((lacking.stdout.as_str(), lacking.code), ("insufficient_scope\n", Some(4)));
    let good = check(&app.base, &who.jwt, &key, &["--scope", "orders:read"]).await;
    assert_eq!((good.stdout.as_str(), good.code), ("valid\n", Some(0)));
    let limited = check(&app.base, &who.jwt, &key, &[]).await;
    assert_eq!((limited.stdout.as_str(), limited.code), ("rate_limited\n", Some(5)));
    let json = check(&app.base, &who.jwt, &key, &["--json"]).await;
    let body: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&body["code"], json.code), (&json!("rate_limited"), Some(5)));
    let unasked = check(&app.base, "", &key, &["--scope", "orders:read"]).await;
    assert_eq!((unasked.stdout.as_str(), unasked.code), ("", Some(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_takes_a_key_as_an_argument() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let key = text(&app.create(&who, &json!({"name": "a"})).await["key"]);
    let checked = app.done(&who, &["check", &key]).await;
    assert_eq!(checked.stdout, "valid\n");
    let mut empty = latchkey(&app.base, &who.jwt);
    empty.args(["check", "-"]);
    let empty = finish(empty, "\n").await;
    assert_eq!((empty.stdout.as_str(), empty.code), ("", Some(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_that_cannot_be_made_exits_with_6() {
    let problem = json!({
        "type": "about:blank", "title": "Service Unavailable", "status": 503,
        "code": "unavailable", "detail": "The key can't be checked right now.",
    });
    let media_type = "application/problem+json";
    let unavailable = answer("503 Service Unavailable", media_type, &problem.to_string());
    let (base, _) = canned(unavailable).await;
    let checked = check(&base, "", "lk_live_x", &[]).await;
    assert_eq!((checked.stdout.as_str(), checked.code), ("unavailable\n", Some(6)), "{checked:?}");
    let token = check(&base, "some-token", "lk_live_x", &[]).await;
    assert_eq!((token.stdout.as_str(), token.code), ("", Some(6)), "{token:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_with_a_bad_token_says_nothing_of_the_key() {
    let app = TestApp::on(Backend::Sqlite).await;
    let who = app.sign_in("ada").await;
    let key = text(&app.create(&who, &json!({"name": "a"})).await["key"]);
    let checked = check(&app.base, &unknown_key(), &key, &[]).await;
    assert_eq!((checked.stdout.as_str(), checked.code), ("", Some(4)), "{checked:?}");
}
