//! Calls in progress whose key stops being good: they end within a second, on every node.
#![expect(
    clippy::disallowed_methods,
    reason = "what holds within a second is timed by a real clock"
)]

use std::time::{Duration, Instant};

use latchkey_services::Database;
use reqwest::Response;
use serde_json::{Value, json};

use super::upstream::Script;
use super::{Gateway, asks, refused, streamed};
use crate::consistency::nodes::hears;
use crate::test_app::{Backend, TestApp, on_both_databases, text};

/// What the contract says, and what a busy machine may take beside.
const WITHIN: Duration = Duration::from_secs(2);
const EVENT: &str = "data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"Hi\"}}]}\n\n";

async fn stream(gateway: &Gateway, base: &str, key: &str) -> Response {
    let call = gateway.app.http.post(format!("{base}/v1/chat/completions"));
    let mut answer = call.bearer_auth(key).json(&streamed("endless")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.chunk().await.unwrap().is_some(), "it has begun");
    answer
}

/// Reads a stream to its end; its last event, and how long that took.
async fn last_event(answer: Response) -> (Value, Duration) {
    let began = Instant::now();
    let text = tokio::time::timeout(Duration::from_secs(10), answer.text()).await;
    let text = text.expect("it ends").unwrap();
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    (serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap(), began.elapsed())
}

async fn revoke(gateway: &Gateway, id: &str) {
    let path = format!("/v1/inference/keys/{id}");
    let revoked = gateway.app.delete(&path).bearer_auth(&gateway.ada.jwt).send().await.unwrap();
    assert_eq!(revoked.status(), 204);
}

/// The database that the macro's app is on: the gateway has an app of its own.
async fn gateway_like(app: &TestApp) -> Gateway {
    let on_sqlite = app.config.database_url.starts_with("sqlite");
    let gateway = Gateway::on(if on_sqlite { Backend::Sqlite } else { Backend::Postgres }).await;
    gateway.upstream.script("endless", Script::Endless(EVENT.into()));
    gateway
}

on_both_databases! {
    async fn open_streams_end_on_every_node_when_the_key_is_revoked(app: TestApp) {
        let gateway = gateway_like(&app).await;
        let (hearing, deaf) = (gateway.app.second_node().await, Database::open(&gateway.app.config.database_url));
        // It hears of nothing, and asks the database.
        let deaf = gateway.app.node(deaf.await.unwrap()).await;
        hears(&hearing).await;
        let bases = [
            gateway.app.base.clone(),
            gateway.app.serve(hearing).await,
            gateway.app.serve(deaf).await,
        ];
        let limits = json!({ "name": "k", "token_limit": 100_000, "token_limit_period": "month" });
        let (key, id) = gateway.key(limits).await;
        let (other, _) = gateway.key(json!({ "name": "other" })).await;
        let mut unharmed = stream(&gateway, &bases[1], &other).await;
        let mut open = Vec::new();
        for base in &bases {
            open.push(stream(&gateway, base, &key).await);
        }
        revoke(&gateway, &id).await;
        for ended in futures::future::join_all(open.into_iter().map(last_event)).await {
            let (event, took) = ended;
            assert_eq!(event["error"]["code"], "revoked_key");
            assert!(took < WITHIN, "{took:?}");
        }
        assert!(unharmed.chunk().await.unwrap().is_some(), "another key's goes on");
        gateway.app.services.settled().await;
        let path = format!("/v1/inference/keys/{id}/usage?range=1h");
        let used = gateway.app.json(&path, &gateway.ada.jwt).await;
        assert_eq!(used["totals"]["valid"], 1, "this node's call is counted: {used}");
        assert!(used["totals"]["completion_tokens"].as_u64().unwrap() > 0, "what had come: {used}");
    }

    async fn open_streams_end_on_every_node_when_key_is_disabled(app: TestApp) {
        let gateway = gateway_like(&app).await;
        let (hearing, deaf) = (gateway.app.second_node().await, Database::open(&gateway.app.config.database_url));
        let deaf = gateway.app.node(deaf.await.unwrap()).await;
        hears(&hearing).await;
        let bases = [
            gateway.app.base.clone(),
            gateway.app.serve(hearing).await,
            gateway.app.serve(deaf).await,
        ];
        let (key, id) = gateway.key(json!({ "name": "k" })).await;
        let mut open = Vec::new();
        for base in &bases {
            open.push(stream(&gateway, base, &key).await);
        }
        let path = format!("/v1/inference/keys/{id}");
        let change = async |disabled: bool| {
            let body = json!({ "disabled": disabled });
            let changed = gateway.app.send(reqwest::Method::PATCH, &path, &gateway.ada, &body).await;
            assert_eq!(changed.status(), 200);
        };
        change(true).await;
        for (event, took) in futures::future::join_all(open.into_iter().map(last_event)).await {
            assert_eq!(event["error"]["code"], "disabled_key");
            assert!(took < WITHIN, "{took:?}");
        }
        change(false).await;
        stream(&gateway, &gateway.app.base, &key).await;
    }

    async fn open_streams_end_when_the_key_expires(app: TestApp) {
        let gateway = gateway_like(&app).await;
        let expires = latchkey_domain::time::Timestamp::from_millis(crate::test_app::START + 3_600_000);
        let (key, _) = gateway.key(json!({ "name": "k", "expires_at": expires })).await;
        let open = stream(&gateway, &gateway.app.base, &key).await;
        gateway.app.advance(Duration::from_hours(1));
        let (event, took) = last_event(open).await;
        assert_eq!(event["error"]["code"], "expired_key");
        assert!(took < WITHIN, "{took:?}");
    }

    async fn open_streams_of_a_secret_that_is_rotated_out_end(app: TestApp) {
        let gateway = gateway_like(&app).await;
        let (key, id) = gateway.key(json!({ "name": "k" })).await;
        let open = stream(&gateway, &gateway.app.base, &key).await;
        let path = format!("/v1/inference/keys/{id}/rotate");
        let rotated = gateway.app.send(reqwest::Method::POST, &path, &gateway.ada, &json!({})).await;
        let rotated: Value = rotated.json().await.unwrap();
        let mut new = stream(&gateway, &gateway.app.base, rotated["key"].as_str().unwrap()).await;
        let (event, _) = last_event(open).await;
        assert_eq!(event["error"]["code"], "revoked_key");
        assert!(new.chunk().await.unwrap().is_some(), "the new secret's goes on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn call_that_waits_for_its_answer_ends_with_its_key() {
    let gateway = Gateway::with(Backend::Sqlite, "", &["--latchkey-upstream-timeout=60"]).await;
    gateway.upstream.script("silent", Script::Silent);
    let limits = json!({ "name": "k", "token_limit": 100_000, "token_limit_period": "month" });
    let (key, id) = gateway.key(limits).await;
    let call = gateway.app.post("/v1/chat/completions").bearer_auth(&key);
    let call = tokio::spawn(call.json(&asks("qwen3.6-27b", "silent")).send());
    while gateway.upstream.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    revoke(&gateway, &id).await;
    refused(call.await.unwrap().unwrap(), 401, "revoked_key").await;
    assert!(began.elapsed() < WITHIN, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_that_passes_for_long_ends_with_its_key() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    gateway.upstream.script("long", Script::Endless(vec![b' '; 50_000].into()));
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let mut answer = gateway.chat(&key, &asks("qwen3.6-27b", "long")).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.chunk().await.unwrap().is_some(), "it passes as it comes");
    let began = Instant::now();
    revoke(&gateway, &id).await;
    let rest =
        tokio::time::timeout(Duration::from_secs(10), answer.bytes()).await.expect("it ends");
    assert!(rest.is_err(), "and is not taken for a whole answer");
    assert!(began.elapsed() < WITHIN, "{:?}", began.elapsed());
}

/// An upstream's stream that never ends, of these events.
fn endless(events: &[Value]) -> Script {
    let event = |data: &Value| format!("event: {}\ndata: {data}\n\n", text(&data["type"]));
    Script::Endless(events.iter().map(event).collect::<String>().into())
}

/// The events that a stream ends with once its key is revoked.
async fn events_after_revocation(gateway: &Gateway, path: &str, body: &Value) -> Vec<Value> {
    let (key, id) = gateway.key(json!({ "name": path })).await;
    let call = gateway.app.post(path).bearer_auth(&key).json(body);
    let mut answer = call.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.chunk().await.unwrap().is_some(), "it has begun");
    let began = Instant::now();
    revoke(gateway, &id).await;
    let rest = tokio::time::timeout(Duration::from_secs(10), answer.text()).await;
    let rest = rest.expect("it ends").unwrap();
    assert!(began.elapsed() < WITHIN, "{:?}", began.elapsed());
    let data = rest.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|json| serde_json::from_str(json).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn message_stream_of_a_revoked_key_ends_with_its_error() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let delta = json!({ "type": "text_delta", "text": "Hi" });
    let delta = json!({ "type": "content_block_delta", "index": 0, "delta": delta });
    gateway.upstream.script("endless", endless(&[delta]));
    let mut body = streamed("endless");
    body["max_tokens"] = json!(100);
    let events = events_after_revocation(&gateway, "/v1/messages", &body).await;
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["error"]["type"]), (&json!("error"), &json!("api_error")));
    assert_eq!(last["error"]["code"], "revoked_key");
    assert!(!text(&last["error"]["message"]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn response_stream_of_a_revoked_key_ends_with_its_error() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let created = json!({ "type": "response.created", "response": { "id": "resp_1" } });
    let delta = json!({ "type": "response.output_text.delta", "delta": "Hi" });
    gateway.upstream.script("endless", endless(&[created, delta]));
    let body = json!({ "model": "qwen3.6-27b", "user": "endless", "input": "Hi", "stream": true });
    let events = events_after_revocation(&gateway, "/v1/responses", &body).await;
    let [.., error, failed] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("revoked_key")));
    assert_eq!(error["error"]["code"], "revoked_key");
    assert_eq!(failed["type"], "response.failed");
    let response = &failed["response"];
    assert_eq!((&response["id"], &response["status"]), (&json!("resp_1"), &json!("failed")));
    assert_eq!(response["error"]["code"], "revoked_key");
}
