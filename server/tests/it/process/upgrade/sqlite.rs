//! One node: the folder of the release before.

use std::process::Stdio;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Release, audit_events, check, create, create_verifier, stop, used};
use crate::process::backup::{Site, latchkey, succeed};
use crate::process::{Process, client};
use crate::test_app::text;

/// A key: what it is, its secret, and what its check comes to.
type KeyCase = (&'static str, String, &'static str);

/// Keys of every kind, and the ID of one whose 100 tokens are all used.
async fn make_keys(site: &Site, verifier: &str) -> (Vec<KeyCase>, String) {
    let mut keys = Vec::new();
    for (name, fields) in [
        ("project", json!({})),
        ("test", json!({ "environment": "test" })),
        ("limited", json!({ "rpm": 1000, "tpm": 1000, "expires_at": "2099-01-01T00:00:00Z" })),
        ("inference", json!({ "kind": "inference", "allowed_models": ["sandbox"] })),
    ] {
        let mut body = fields;
        body["name"] = json!(name);
        keys.push((name, create(site, &body).await.0, "valid"));
    }
    keys.push(("application", site.create("application").await.0, "valid"));
    let (secret, id) = site.create("revoked").await;
    site.revoke(&id).await;
    keys.push(("revoked", secret, "revoked_key"));
    let (secret, id) = site.create("disabled").await;
    let disable = json!({ "disabled": true });
    assert_eq!(site.send(Method::PATCH, &format!("/v1/keys/{id}"), &disable).await.status(), 200);
    keys.push(("disabled", secret, "disabled_key"));
    let (secret, id) = site.create("rotated").await;
    let grace = json!({ "grace_seconds": 3600 });
    let path = format!("/v1/keys/{id}/rotate");
    let rotated: Value = site.send(Method::POST, &path, &grace).await.json().await.unwrap();
    keys.push(("rotated", secret, "valid"));
    keys.push(("its successor", text(&rotated["key"]), "valid"));
    let metered = json!({
        "name": "metered", "kind": "inference", "token_limit": 100, "token_limit_period": "total",
    });
    let (secret, id) = create(site, &metered).await;
    assert_eq!(check(site, verifier, &secret, 60).await, "valid");
    assert_eq!(check(site, verifier, &secret, 40).await, "valid");
    (keys, id)
}

async fn check_keys(site: &Site, verifier: &str, keys: &[KeyCase]) {
    for (name, secret, outcome) in keys {
        assert_eq!(check(site, verifier, secret, 0).await, *outcome, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the binary of the release before: make test-upgrade"]
async fn folder_of_the_release_before_goes_on_here() {
    let folder = TempDir::new().unwrap();
    let old = Release::Previous.command(&folder);
    let old = Process::start_command(old, &folder, &client()).await;
    let site = Site::unlimited(&old).await;
    let verifier = create_verifier(&site).await;
    let (keys, metered) = make_keys(&site, &verifier).await;
    check_keys(&site, &verifier, &keys).await;
    let (spent, events) = (used(&site, &metered).await, audit_events(&site).await);
    assert_eq!(spent, 100);
    stop(old);

    let new = Process::start(&folder, &client()).await;
    let site = Site::on(&new).await;
    check_keys(&site, &verifier, &keys).await;
    assert_eq!(used(&site, &metered).await, spent);
    assert_eq!(audit_events(&site).await, events);
    stop(new);
    let data = format!("--latchkey-data-dir={}", folder.path().join("data").display());
    succeed(latchkey(&["audit", "verify", &data]));

    let mut old = Release::Previous.command(&folder);
    old.arg("--latchkey-listen=127.0.0.1:0").stderr(Stdio::piped());
    let refused = old.output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("later version of Latchkey"), "{said}");
}
