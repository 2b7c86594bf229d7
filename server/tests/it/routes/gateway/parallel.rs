//! `max_parallel`: how many calls of a key may be in progress at a time.

use std::time::Duration;

use serde_json::{Value, json};

#[cfg(target_os = "linux")]
use super::key_of;
use super::upstream::Script;
#[cfg(target_os = "linux")]
use super::upstream::Upstream;
use super::{Gateway, asks, refused, streamed};
#[cfg(target_os = "linux")]
use crate::process::Process;
use crate::test_app::{Backend, key_path, on_both_databases};

const EVENT: &str = "data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"Hi\"}}]}\n\n";

/// Waits until a call of the key is admitted.
async fn until_admitted(gateway: &Gateway, key: &str) {
    for _ in 0..200 {
        if gateway.chat(key, &asks("qwen3.6-27b", "a")).await.status() == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("its place did not come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_max_parallel_are_refused_until_one_ends() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    gateway.upstream.script("endless", Script::Endless(EVENT.into()));
    let (key, id) = gateway.key(json!({ "name": "k", "max_parallel": 2 })).await;
    let (other, _) = gateway.key(json!({ "name": "other" })).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let answer = gateway.chat(&key, &streamed("endless")).await;
        assert_eq!(answer.status(), 200);
        open.push(answer);
    }
    for _ in 0..3 {
        let full = gateway.chat(&key, &asks("qwen3.6-27b", "a")).await;
        assert_eq!(full.headers()["retry-after"], "1");
        let told = refused(full, 429, "too_many_parallel_requests").await;
        let said = told["error"]["message"].as_str().unwrap();
        assert!(said.contains("max_parallel 2") && said.contains("2 calls"), "{said}");
    }
    assert_eq!(gateway.chat(&other, &asks("qwen3.6-27b", "a")).await.status(), 200);
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    let used = gateway.app.json(&path, &gateway.ada.jwt).await;
    assert_eq!(used["denials"][0]["code"], "too_many_parallel_requests");
    open.pop();
    until_admitted(&gateway, &key).await;
    // One after the other needs one place alone, whatever kind of answer it is.
    for round in 0..20 {
        let mut body = asks("qwen3.6-27b", "a");
        if round % 2 == 0 {
            gateway.upstream.script("brief", Script::Stream(vec![EVENT.into()]));
            body = streamed("brief");
        }
        let answer = gateway.chat(&key, &body).await;
        assert_eq!(answer.status(), 200, "round {round}");
        answer.text().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_calls_at_a_time_hold_where_nothing_is_said() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    gateway.upstream.script("endless", Script::Endless(EVENT.into()));
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let mut open = Vec::new();
    for _ in 0..64 {
        let answer = gateway.chat(&key, &streamed("endless")).await;
        assert_eq!(answer.status(), 200);
        open.push(answer);
    }
    refused(gateway.chat(&key, &streamed("endless")).await, 429, "too_many_parallel_requests")
        .await;
}

/// Few enough that calls would take all of them.
#[cfg(target_os = "linux")]
const FEW_FILES: &str = "ulimit -n 400; exec \"$0\" \"$@\"";

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn open_streams_leave_files_for_other_connections() {
    let (folder, client) = (tempfile::tempdir().unwrap(), crate::process::client());
    let (upstream, base_url) = Upstream::start().await;
    upstream.script("endless", Script::Endless(EVENT.into()));
    let file = folder.path().join("upstreams.toml");
    let toml = format!(
        "[[upstream]]\nname = \"u\"\nbase_url = \"{base_url}\"\nmodels = [\"qwen3.6-27b\"]"
    );
    std::fs::write(&file, toml).unwrap();
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", FEW_FILES, env!("CARGO_BIN_EXE_latchkey"), "serve"])
        .arg(format!("--latchkey-data-dir={}", folder.path().join("data").display()))
        .arg(format!("--latchkey-upstreams={}", file.display()))
        .arg("--latchkey-metrics-listen=off")
        .arg(format!("--latchkey-local-code={}", crate::test_app::LOCAL_CODE))
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdout(std::process::Stdio::null());
    let process = Process::start_command(command, &folder, &client).await;
    let key = key_of(&client, &process.base, &json!({ "name": "k", "max_parallel": 1_000 })).await;
    let url = format!("{}/v1/chat/completions", process.base);
    let mut open = Vec::new();
    for _ in 0..192 {
        let call = client.post(&url).bearer_auth(&key).json(&streamed("endless"));
        let answer = call.send().await.unwrap();
        if answer.status() == 200 {
            open.push(answer);
            continue;
        }
        assert_eq!(answer.headers()["retry-after"], "1");
        refused(answer, 503, "unavailable").await;
    }
    assert!((50..100).contains(&open.len()), "{} of 192", open.len());
    for _ in 0..20 {
        let stranger = crate::process::client();
        let health = stranger.get(format!("{}/healthz", process.base)).send().await.unwrap();
        assert_eq!(health.status(), 200);
    }
    drop(open);
    let mut status = 503;
    for _ in 0..200 {
        let call = client.post(&url).bearer_auth(&key).json(&asks("qwen3.6-27b", "a"));
        status = call.send().await.unwrap().status().as_u16();
        if status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(status, 200, "their places come back");
    process.signal("-TERM");
    process.wait();
}

on_both_databases! {
    async fn max_parallel_is_set_changed_and_cleared(app: TestApp) {
        let ada = app.sign_in("ada").await;
        let created = app.create(&ada, &json!({ "name": "k", "kind": "inference", "max_parallel": 3 })).await;
        assert_eq!(created["api_key"]["max_parallel"], 3);
        let path = key_path(&created);
        for (value, status) in [(json!(7), 200), (json!(null), 200), (json!(0), 422), (json!("x"), 422)] {
            let body = json!({ "max_parallel": value });
            let changed = app.send(reqwest::Method::PATCH, &path, &ada, &body).await;
            assert_eq!(changed.status().as_u16(), status, "{value}");
            if status == 200 {
                assert_eq!(changed.json::<Value>().await.unwrap()["max_parallel"], value);
            }
        }
        let audit = format!("/v1/organizations/{}/audit", ada.organization);
        let audit = app.json(&audit, &ada.jwt).await;
        assert_eq!(audit["data"][0]["changes"]["max_parallel"], json!({ "before": 7, "after": null }));
    }
}
