//! The upstreams file is read again.
#![cfg(target_os = "linux")]

use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::json;

use super::several::{Several, costs, entry};
use super::upstream::{Script, Upstream};
use super::{asks, chat, key_of, refused};
use crate::process::{Process, client, command};
use crate::test_app::text;

#[tokio::test(flavor = "multi_thread")]
async fn reload_drops_no_call_and_keeps_counters() {
    let several = Several::start(&["", ""]).await;
    let key = several.key().await;
    let script = Script::Metered { wants: 1, delay: Duration::from_millis(500) };
    several.upstreams[0].script("slow", script);
    let slow = several.call(&key, "slow");
    let reload = async {
        while several.seen()[0] == 0 {
            tokio::task::yield_now().await;
        }
        let file = entry(1, &several.urls[1], "") + &entry(2, &several.urls[1], "models = [\"n\"]");
        std::fs::write(&several.file, file).unwrap();
        assert!(several.app.state.reload_upstreams().unwrap());
        assert!(!several.app.state.reload_upstreams().unwrap(), "nothing has changed since");
        for _ in 0..3 {
            assert_eq!(several.call(&key, "a").await.status(), 200);
        }
    };
    let (slow, ()) = tokio::join!(slow, reload);
    assert_eq!(slow.status(), StatusCode::OK, "the call in progress is answered");
    assert_eq!(several.seen(), [1, 3]);
    let named = |reports: &[serde_json::Value]| -> Vec<(String, u64)> {
        let one =
            |report: &serde_json::Value| (text(&report["name"]), report["calls"].as_u64().unwrap());
        reports.iter().map(one).collect()
    };
    let both = [("u1".to_owned(), 3), ("u2".to_owned(), 0)];
    assert_eq!(named(&several.reports().await), both);
    // Another setting of an upstream does not begin its counters again.
    std::fs::write(&several.file, entry(1, &several.urls[1], "weight = 7")).unwrap();
    assert!(several.app.state.reload_upstreams().unwrap());
    assert_eq!(named(&several.reports().await), both[..1]);
}

/// Writes a file in which the model costs so many dollars a call, and has it read.
fn reprice(several: &Several, dollars: u32) {
    let file = entry(0, &several.urls[0], &costs(dollars, ""));
    std::fs::write(&several.file, file).unwrap();
    assert!(several.app.state.reload_upstreams().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn call_is_charged_at_the_price_it_began_under() {
    let several = Several::start(&[&costs(1, "")]).await;
    let pause = Duration::from_millis(500);
    several.upstreams[0].script("slow", Script::Metered { wants: 1, delay: pause });
    let choice = json!({ "index": 0, "delta": { "content": "Hi" }, "finish_reason": null });
    let chunk = Bytes::from(format!("data: {}\n\n", json!({ "id": "x", "choices": [choice] })));
    let parts = vec![chunk, "data: [DONE]\n\n".into()];
    several.upstreams[0].script("stream", Script::Paused(parts, pause));
    let (whole, whole_id) = several.spender("whole", 10).await;
    let (streamed, streamed_id) = several.spender("streamed", 10).await;
    let (late, late_id) = several.spender("late", 10).await;
    let mut body = asks("m", "stream");
    body["stream"] = json!(true);
    let mut open = chat(&several.app, &streamed, &body).await;
    assert!(open.chunk().await.unwrap().is_some(), "it has begun");
    let reload = async {
        while several.seen()[0] < 2 {
            tokio::task::yield_now().await;
        }
        reprice(&several, 3);
        assert_eq!(several.call(&late, "a").await.status(), 200);
        std::fs::write(&several.file, entry(0, &several.urls[0], "")).unwrap();
        assert!(several.app.state.reload_upstreams().unwrap());
        refused(several.call(&late, "a").await, 403, "model_not_priced").await;
    };
    let (slow, ()) = tokio::join!(several.call(&whole, "slow"), reload);
    assert_eq!(slow.status(), 200);
    assert!(open.text().await.unwrap().ends_with("data: [DONE]\n\n"));
    for (id, cost) in [(whole_id, "1"), (streamed_id, "1"), (late_id, "3")] {
        let used = several.used(&id).await;
        assert_eq!(used["totals"]["cost_usd"], cost, "{used}");
        assert_eq!(used["budgets"][0]["used"], cost, "{used}");
        assert_eq!(used["budgets"][0]["reserved"], "0", "{used}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_that_change_under_calls_are_each_charged_whole() {
    let several = Several::start(&[&costs(1, "")]).await;
    let pause = Duration::from_millis(5);
    several.upstreams[0].script("busy", Script::Metered { wants: 1, delay: pause });
    let mut keys = Vec::new();
    for index in 0..4 {
        keys.push(several.spender(&format!("k{index}"), 1_000).await);
    }
    let shared = &several;
    let calls = keys.iter().map(|(key, _)| async move {
        for _ in 0..25 {
            assert_eq!(shared.call(key, "busy").await.status(), 200);
        }
    });
    let reload = async {
        for dollars in [3, 1].into_iter().cycle().take(20) {
            reprice(shared, dollars);
            tokio::time::sleep(pause).await;
        }
    };
    tokio::join!(futures::future::join_all(calls), reload);
    for (_, id) in &keys {
        let used = several.used(id).await;
        let cost: u64 = text(&used["totals"]["cost_usd"]).parse().unwrap();
        // Each of 25 calls cost one dollar or three, so their sum is odd.
        assert!((25..=75).contains(&cost) && cost % 2 == 1, "{used}");
        assert_eq!(used["budgets"][0]["used"], used["totals"]["cost_usd"], "{used}");
        assert_eq!(used["budgets"][0]["reserved"], "0", "{used}");
        assert_eq!(used["totals"]["requests"], 25, "{used}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_file_changes_nothing_and_says_why() {
    let several = Several::start(&[""]).await;
    let key = several.key().await;
    let twice = entry(0, &several.urls[0], "") + &entry(0, &several.urls[0], "");
    for (text, reason) in [
        ("[[upstream]", "line 1"),
        ("[[upstream]]\nname = \"a\"\nbase_url = \"http://u:secret@x\"\nmodels = [7]", "line 4"),
        (twice.as_str(), "must be present and unique: \"u0\""),
    ] {
        std::fs::write(&several.file, text).unwrap();
        let error = format!("{:#}", several.app.state.reload_upstreams().unwrap_err());
        assert!(error.contains(reason) && !error.contains("secret"), "{error}");
        assert_eq!(several.call(&key, "a").await.status(), 200, "{reason}");
    }
    std::fs::remove_file(&several.file).unwrap();
    assert!(several.app.state.reload_upstreams().is_err());
    assert_eq!(several.call(&key, "a").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_settings_give_an_upstream_a_new_chance() {
    let several = Several::start(&["", "backup = true"]).await;
    let key = several.key().await;
    let failure = Script::Json(StatusCode::INTERNAL_SERVER_ERROR, "{}".into());
    several.upstreams[0].script("x", failure);
    for _ in 0..4 {
        several.call(&key, "x").await;
    }
    assert_eq!(several.seen(), [3, 4], "it is out");
    let file = entry(0, &several.urls[0], "weight = 2") + &entry(1, &several.urls[1], "");
    std::fs::write(&several.file, file.replace("[\"m\"]", "[\"m\", \"n\"]")).unwrap();
    assert!(several.app.state.reload_upstreams().unwrap());
    assert_eq!(several.reports().await[0]["healthy"], true);
    std::fs::write(&several.file, entry(0, &several.urls[0], "")).unwrap();
    assert!(several.app.state.reload_upstreams().unwrap());
    refused(several.call(&key, "x").await, 502, "upstream_error").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn process_reloads_on_sighup_and_when_the_file_changes() {
    let (folder, client) = (tempfile::tempdir().unwrap(), client());
    let (upstream, url) = Upstream::start().await;
    let file = folder.path().join("upstreams.toml");
    let write = |model: &str| {
        let more =
            format!("kind = \"anthropic\"\napi_key_env = \"OF_UPSTREAM\"\nmodels = [\"{model}\"]");
        std::fs::write(&file, entry(0, &url, &more)).unwrap();
    };
    write("first");
    let mut command = command(&folder);
    command.env("OF_UPSTREAM", "sk-of-the-upstream");
    command.arg(format!("--latchkey-upstreams={}", file.display()));
    let process = Process::start_command(command, &folder, &client).await;
    let key = key_of(&client, &process.base, &json!({ "name": "k" })).await;
    let call = async |model: &str| {
        let call = client.post(format!("{}/v1/chat/completions", process.base)).bearer_auth(&key);
        call.json(&asks(model, "a")).send().await.unwrap().status()
    };
    assert_eq!(call("first").await, 200);
    let headers = upstream.seen().remove(0).headers;
    assert_eq!(headers["x-api-key"], "sk-of-the-upstream");
    assert_eq!(headers["anthropic-version"], "2023-06-01");
    assert!(headers.get("authorization").is_none());
    let served = async |model: &str| {
        for _ in 0..80 {
            if call(model).await == 200 {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        false
    };
    write("second");
    process.signal("-HUP");
    assert!(served("second").await, "SIGHUP reloads the file");
    write("third");
    assert!(served("third").await, "a change of the file reloads it");
    std::fs::write(&file, "no upstream").unwrap();
    process.signal("-HUP");
    assert_eq!(call("third").await, 200, "a bad file changes nothing");
    process.signal("-TERM");
    assert_eq!(process.wait(), Some(0));
}
