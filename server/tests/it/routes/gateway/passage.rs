//! Answers that are no streams, on their way to the client.
#![cfg(target_os = "linux")]

use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use reqwest::Response;
use serde_json::{Value, json};

use super::upstream::{Script, Upstream};
use super::{Gateway, asks, key_of};
use crate::process::{Process, client};
use crate::test_app::Backend;

/// An answer of so many parts that says what it has used, first or last.
fn answer(parts: usize, first: bool) -> Vec<Bytes> {
    let usage = "\"usage\": {\"prompt_tokens\": 11, \"completion_tokens\": 5}";
    let mut all: Vec<Bytes> = vec![
        if first { format!("{{{usage}, \"data\": [0") } else { "{\"data\": [0".into() }.into(),
    ];
    all.extend(std::iter::repeat_n(Bytes::from(",1234567".repeat(2_500)), parts));
    all.push(if first { "]}".into() } else { format!("], {usage}}}").into() });
    all
}

async fn usage(gateway: &Gateway, id: &str) -> Value {
    gateway.app.services.settled().await;
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    gateway.app.json(&path, &gateway.ada.jwt).await
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_any_length_pass_whole_and_are_counted() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k", "max_parallel": 1 })).await;
    let mut calls = 0;
    for parts in [0, 1, 3, 4, 100] {
        for first in [true, false] {
            let parts = answer(parts, first);
            let whole = parts.concat();
            gateway.upstream.script("long", Script::Stream(parts));
            let answer = gateway.chat(&key, &asks("qwen3.6-27b", "long")).await;
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.bytes().await.unwrap(), whole);
            calls += 1;
        }
    }
    // Each is settled before its end has come: the next call had the one place.
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    let used = gateway.app.json(&path, &gateway.ada.jwt).await;
    assert_eq!(used["totals"]["prompt_tokens"], 11 * calls, "{used}");
    assert_eq!(used["totals"]["completion_tokens"], 5 * calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnect_during_stream_charges_received_tokens() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let begin = Bytes::from(r#"{"choices": [{"message": {"content": ""#);
    let mut parts = vec![Bytes::from(vec![b'x'; 40_000]); 20];
    parts.insert(0, begin);
    gateway.upstream.script("long", Script::Hang(parts));
    let mut answer = gateway.chat(&key, &asks("qwen3.6-27b", "long")).await;
    for _ in 0..10 {
        answer.chunk().await.unwrap().unwrap();
    }
    drop(answer);
    for _ in 0..200 {
        if usage(&gateway, &id).await["totals"]["requests"] == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let used = usage(&gateway, &id).await;
    assert!(used["totals"]["completion_tokens"].as_u64().unwrap() >= 10_000, "{used}");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answer_that_breaks_off_is_told() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let limits = json!({ "name": "k", "token_limit": 10_000_000, "token_limit_period": "month" });
    let (key, id) = gateway.key(limits).await;
    let mut parts = answer(10, true);
    parts.pop();
    for (script, cost) in [(Script::Break(parts.clone()), 0), (Script::Hang(parts), 6)] {
        gateway.upstream.script("long", script);
        let answer = gateway.chat(&key, &asks("qwen3.6-27b", "long")).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.bytes().await.is_err(), "it is not taken for whole");
        assert_eq!(usage(&gateway, &id).await["budget"]["used"], cost);
    }
}

/// What fifteen answers may take of memory that nobody reads, in kilobytes.
const UNREAD_KB: u64 = 96 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_stay_with_the_upstream() {
    let (folder, client) = (tempfile::tempdir().unwrap(), client());
    let (upstream, base_url) = Upstream::start().await;
    let part = Bytes::from(vec![b' '; 1 << 20]);
    upstream.script("long", Script::Stream(vec![part; 60]));
    let script = Script::Json(StatusCode::OK, "{}".into());
    upstream.script("short", script);
    let file = folder.path().join("upstreams.toml");
    let toml = format!("[[upstream]]\nname = \"u\"\nbase_url = \"{base_url}\"\nmodels = [\"m\"]");
    std::fs::write(&file, toml).unwrap();
    let arguments = [format!("--latchkey-upstreams={}", file.display())];
    let process = Process::start_with(&folder, &client, &arguments).await;
    let key = key_of(&client, &process.base, &json!({ "name": "k" })).await;
    let call = async |user: &str| -> Response {
        let call = client.post(format!("{}/v1/chat/completions", process.base)).bearer_auth(&key);
        call.json(&asks("m", user)).send().await.unwrap()
    };
    assert_eq!(call("short").await.status(), 200);
    let before = process.peak_memory();
    let mut unread = Vec::new();
    for _ in 0..15 {
        let answer = call("long").await;
        assert_eq!(answer.status(), 200);
        unread.push(answer);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let more = process.peak_memory() - before;
    println!("{more} kB for 15 answers of 60 MB");
    assert!(more < UNREAD_KB, "{more} kB more");
    drop(unread);
    process.signal("-TERM");
    process.wait();
}
