//! `latchkey tier set` beside a running server.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::backup::{Site, flag, latchkey, refusal, stdout};
use crate::process::{Process, client};
use crate::test_app::{new_postgres_database, text};

const UPSTREAMS: &str = "[[upstream]]\nname = \"u\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\
                         tiers = [\"pro\"]\nmodels = [\"m\"]\n";

/// Models that a key may use, by what the server has cached of the key.
async fn models(site: &Site, secret: &str) -> Vec<String> {
    let asked = site.client.get(format!("{}/v1/models", site.base)).bearer_auth(secret);
    let answer: Value = asked.send().await.unwrap().json().await.unwrap();
    answer["data"].as_array().unwrap().iter().map(|model| text(&model["id"])).collect()
}

async fn check_tier(arguments: &[String]) {
    let folder = TempDir::new().unwrap();
    let upstreams = folder.path().join("upstreams.toml");
    fs::write(&upstreams, UPSTREAMS).unwrap();
    let mut started = arguments.to_vec();
    started.push(flag("latchkey-upstreams", &upstreams));
    let process = Process::start_with(&folder, &client(), &started).await;
    let site = Site::on(&process).await;
    let made = site.try_create(&json!({ "name": "k", "kind": "inference" })).await;
    let made: Value = made.json().await.unwrap();
    let secret = text(&made["key"]);
    assert_eq!(models(&site, &secret).await, ["sandbox"]);

    let data = flag("latchkey-data-dir", &folder.path().join("data"));
    let mut line = vec!["tier", "set", site.organization.as_str(), "pro", data.as_str()];
    line.extend(arguments.iter().map(String::as_str));
    let output = latchkey(&line);
    assert!(output.status.success(), "{output:?}");
    assert!(stdout(&output).contains("free -> pro"), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("migrations"), "what is no error is not said: {said}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(models(&site, &secret).await, ["m"]);

    let path = format!("/v1/organizations/{}/audit?limit=1", site.organization);
    let event = &site.get(&path).await["data"][0];
    assert_eq!(event["action"], "organization.tier_changed");
    assert_eq!(
        event["actor"],
        json!({ "kind": "system", "id": null, "name": "latchkey tier set" })
    );
    assert_eq!(event["changes"]["tier"], json!({ "before": "free", "after": "pro" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn tier_is_seen_within_a_second_on_sqlite() {
    check_tier(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tier_is_seen_within_a_second_on_postgres() {
    check_tier(&[format!("--database-url={}", new_postgres_database().await)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tier_of_an_unknown_organization_is_refused() {
    let folder = TempDir::new().unwrap();
    let process = Process::start(&folder, &client()).await;
    let data = flag("latchkey-data-dir", &folder.path().join("data"));
    let unknown = "org_01h455vb4pex5vsknk084sn02q";
    let output = latchkey(&["tier", "set", unknown, "pro", &data]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(unknown), "{said}");
    let output = latchkey(&["tier", "set", unknown, "gold", &data]);
    assert_eq!(output.status.code(), Some(2));
    let empty = flag("latchkey-data-dir", folder.path());
    let said = refusal(&latchkey(&["tier", "set", unknown, "pro", &empty]));
    assert!(said.contains("LATCHKEY_PEPPER"), "{said}");
    drop(process);
}
