//! Streams of the Responses API.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::super::Gateway;
use super::super::upstream::Script;
use super::{asks, response, send, usage};
use crate::test_app::Backend;

pub(super) fn event(number: u64, kind: &str, members: &Value) -> String {
    let mut event = members.clone();
    event["type"] = json!(kind);
    event["sequence_number"] = json!(number);
    format!("event: {kind}\ndata: {event}\n\n")
}

pub(super) fn created(id: &str) -> String {
    let response = json!({
        "id": id, "object": "response", "created_at": 7, "status": "in_progress", "model": "m",
        "error": null, "output": [], "usage": null,
    });
    event(0, "response.created", &json!({ "response": response }))
}

pub(super) fn delta(number: u64, text: &str) -> String {
    let members = json!({ "item_id": "msg_1", "output_index": 0, "delta": text });
    event(number, "response.output_text.delta", &members)
}

pub(super) fn completed(number: u64, id: &str) -> String {
    event(number, "response.completed", &json!({ "response": response(id) }))
}

fn streamed(user: &str) -> Value {
    let mut body = asks(user);
    body["stream"] = json!(true);
    body
}

/// What the client receives of these events.
async fn received(gateway: &Gateway, key: &str, events: &[String]) -> String {
    let parts = events.iter().map(|event| Bytes::from(event.clone())).collect();
    gateway.upstream.script("s", Script::Stream(parts));
    let answer = send(&gateway.app, key, &streamed("s")).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    answer.text().await.unwrap()
}

/// The data of each event.
fn parsed(events: &str) -> Vec<Value> {
    let data = events.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_of_a_response_passes_byte_for_byte() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let other = event(1, "response.invented_later", &json!({ "error": null }));
    let done = json!({ "text": "Hi there" });
    let done = event(3, "response.output_text.done", &done);
    let events = [created("resp_1"), other, delta(2, "Hi there"), done, completed(4, "resp_1")];
    assert_eq!(received(&gateway, &key, &events).await, events.concat());
    assert!(gateway.upstream.seen()[0].body.get("stream_options").is_none());
    let totals = &usage(&gateway, &id).await["totals"];
    assert_eq!((&totals["prompt_tokens"], &totals["completion_tokens"]), (&json!(7), &json!(3)));
    assert_eq!(totals["cached_tokens"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_of_every_last_event_counts() {
    for kind in ["response.completed", "response.incomplete", "response.failed"] {
        let gateway = Gateway::on(Backend::Sqlite).await;
        let (key, id) = gateway.key(json!({ "name": "k" })).await;
        let last = event(2, kind, &json!({ "response": response("resp_1") }));
        let events = [created("resp_1"), delta(1, &"x".repeat(400)), last];
        assert_eq!(received(&gateway, &key, &events).await, events.concat(), "{kind}");
        assert_eq!(usage(&gateway, &id).await["totals"]["completion_tokens"], 3, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn completed_response_without_counts_is_given_them() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let told = json!({ "prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13 });
    for (usage, expected) in [
        (Some(json!(null)), (1, 2, 3)),
        (Some(json!({})), (1, 2, 3)),
        (None, (1, 2, 3)),
        (Some(told), (9, 4, 13)),
    ] {
        let mut last = response("resp_1");
        match usage {
            Some(usage) => last["usage"] = usage,
            None => drop(last.as_object_mut().unwrap().remove("usage")),
        }
        let last = event(2, "response.completed", &json!({ "response": last }));
        let begun = [created("resp_1"), delta(1, "Hi there")].concat();
        let events = [begun.clone(), last];
        let all = received(&gateway, &key, &events).await;
        let rest = all.strip_prefix(&begun).unwrap();
        assert!(rest.starts_with("event: response.completed\ndata: "), "{rest}");
        let response = &parsed(rest)[0]["response"];
        let usage = &response["usage"];
        let counts = ["input_tokens", "output_tokens", "total_tokens"];
        let counts = counts.map(|count| usage[count].as_u64().unwrap());
        assert_eq!(counts, [expected.0, expected.1, expected.2], "{rest}");
        assert!(usage["input_tokens_details"]["cached_tokens"].is_u64());
        assert!(usage["output_tokens_details"]["reasoning_tokens"].is_u64());
        assert_eq!(response["output"][0]["content"][0]["text"], "Hi there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn response_that_is_cut_ends_with_both_errors() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let events = [created("resp_1"), delta(5, &"x".repeat(400))];
    let all = received(&gateway, &key, &events).await;
    let rest = all.strip_prefix(&events.concat()).unwrap();
    let [error, failed] = <[Value; 2]>::try_from(parsed(rest)).unwrap();
    assert!(rest.starts_with("event: error\n") && rest.contains("\nevent: response.failed\n"));
    assert_eq!((&error["type"], &error["sequence_number"]), (&json!("error"), &json!(6)));
    assert_eq!(
        (&error["code"], &error["error"]["code"]),
        (&json!("upstream_error"), &error["code"])
    );
    assert!(error["message"].is_string() && error.get("param").is_some());
    assert_eq!(
        (&failed["type"], &failed["sequence_number"]),
        (&json!("response.failed"), &json!(7))
    );
    assert_eq!(failed["response"]["id"], "resp_1");
    assert_eq!(failed["response"]["error"]["message"], error["message"]);
    assert!(!rest.contains("[DONE]"));
    assert_eq!(usage(&gateway, &id).await["totals"]["completion_tokens"], 100, "what had come");
}

#[tokio::test(flavor = "multi_thread")]
async fn break_after_the_last_event_is_no_error() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let events = [created("resp_1"), delta(1, &"x".repeat(400)), completed(2, "resp_1")];
    let parts = events.iter().map(|event| Bytes::from(event.clone())).collect();
    gateway.upstream.script("s", Script::Break(parts));
    let answer = send(&gateway.app, &key, &streamed("s")).await;
    assert_eq!(answer.text().await.unwrap(), events.concat());
    let totals = &usage(&gateway, &id).await["totals"];
    assert_eq!(totals["completion_tokens"], 3, "what the last event tells");
}

#[tokio::test(flavor = "multi_thread")]
async fn error_of_the_upstream_ends_the_stream_once() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let words =
        json!({ "code": "overloaded", "message": "at http://10.0.0.7:8000", "param": null });
    let error = event(1, "error", &words);
    let failed = event(2, "response.failed", &json!({ "response": { "id": "resp_1" } }));
    let all = received(&gateway, &key, &[created("resp_1"), error, failed]).await;
    let events = parsed(all.strip_prefix(&created("resp_1")).unwrap());
    assert_eq!(events.len(), 2, "{all}");
    assert_eq!(
        (&events[0]["code"], &events[0]["sequence_number"]),
        (&json!("overloaded"), &json!(1))
    );
    assert_eq!(events[1]["sequence_number"], 2);
    assert!(!all.contains("10.0.0.7"), "{all}");
    let totals = &usage(&gateway, &id).await["totals"];
    assert_eq!((&totals["prompt_tokens"], &totals["requests"]), (&json!(0), &json!(1)), "free");
}

#[tokio::test(flavor = "multi_thread")]
async fn response_that_has_used_all_reserved_is_incomplete() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let limit = json!({ "name": "k", "token_limit": 150, "token_limit_period": "month" });
    let (key, id) = gateway.key(limit).await;
    let mut events = vec![created("resp_1")];
    events.extend((1..=9).map(|number| delta(number, &"x".repeat(400))));
    events.push(completed(10, "resp_1"));
    let all = received(&gateway, &key, &events).await;
    let told = parsed(&all);
    let last = told.last().unwrap();
    assert_eq!(last["type"], "response.incomplete", "{all}");
    assert_eq!(last["sequence_number"], told.len() - 1);
    let response = &last["response"];
    assert_eq!((&response["id"], &response["status"]), (&json!("resp_1"), &json!("incomplete")));
    assert_eq!(response["incomplete_details"]["reason"], "max_output_tokens");
    let used = usage(&gateway, &id).await;
    assert_eq!(response["usage"]["output_tokens"], used["totals"]["completion_tokens"]);
    assert!(used["budget"]["used"].as_u64().unwrap() <= 150, "{used}");
}

#[tokio::test(flavor = "multi_thread")]
async fn last_event_of_megabytes_is_still_the_last() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    for megabytes in [2, 9] {
        let mut last = response("resp_1");
        last["instructions"] = json!("x".repeat(megabytes * 1024 * 1024));
        let last = event(1, "response.completed", &json!({ "response": last }));
        let events = [created("resp_1"), last];
        let all = received(&gateway, &key, &events).await;
        assert!(all == events.concat(), "{megabytes} MiB: {} bytes", all.len());
    }
    let totals = &usage(&gateway, &id).await["totals"];
    assert_eq!(totals["completion_tokens"], 3, "nine megabytes are passed unread");
}
