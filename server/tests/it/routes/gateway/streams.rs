//! Streams.

use std::time::Duration;

use axum::body::Bytes;
use futures::StreamExt;
use serde_json::{Value, json};

use super::upstream::Script;
use super::{Gateway, streamed};
use crate::test_app::Backend;

fn chunk(text: &str) -> String {
    let choice = json!({ "index": 0, "delta": { "content": text }, "finish_reason": null });
    format!("data: {}\n\n", json!({ "id": "x", "choices": [choice] }))
}

fn usage(prompt: u64, completion: u64) -> String {
    let usage = json!({ "prompt_tokens": prompt, "completion_tokens": completion });
    format!("data: {}\n\n", json!({ "id": "x", "choices": [], "usage": usage }))
}

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    /// A stream, and the same cut somewhere into parts.
    fn stream(&mut self) -> (String, Vec<Bytes>) {
        let mut text = String::new();
        for _ in 0..self.below(20) {
            match self.below(5) {
                0 => text.push_str(": a comment\n\n"),
                1 => text.push_str("event: ping\r\ndata: {}\r\n\r\n"),
                2 => text.push_str("data: not json\n\n"),
                _ => text.push_str(&chunk(&"é🦀x\n".repeat(self.below(9)))),
            }
        }
        text.push_str("data: [DONE]\n\n");
        let (mut rest, mut parts) = (Bytes::from(text.clone()), Vec::new());
        while !rest.is_empty() {
            let size = 1 + self.below(rest.len().min(200));
            parts.push(rest.split_to(size));
        }
        (text, parts)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_the_upstreams_byte_for_byte() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let mut numbers = Numbers(7);
    for round in 0..1_000 {
        let (text, parts) = numbers.stream();
        gateway.upstream.script("random", Script::Stream(parts));
        let answer = gateway.chat(&key, &streamed("random")).await;
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert_eq!(answer.text().await.unwrap(), text, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_asked_for_and_hidden_unless_the_client_asked() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, id) = gateway.key(json!({ "name": "k" })).await;
    let (one, two, used) = (chunk("a"), chunk("b"), usage(11, 5));
    let whole = format!("{one}{two}{used}data: [DONE]\n\n");
    // The usage comes in one write with its neighbours.
    gateway.upstream.script("u", Script::Stream(vec![whole.clone().into()]));
    let hidden = gateway.chat(&key, &streamed("u")).await.text().await.unwrap();
    assert_eq!(hidden, format!("{one}{two}data: [DONE]\n\n"));
    assert_eq!(gateway.upstream.seen()[0].body["stream_options"]["include_usage"], true);
    let mut asked = streamed("u");
    asked["stream_options"] = json!({ "include_usage": true });
    assert_eq!(gateway.chat(&key, &asked).await.text().await.unwrap(), whole);
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    let told = gateway.app.json(&path, &gateway.ada.jwt).await;
    assert_eq!(told["totals"]["prompt_tokens"], 22);
    assert_eq!(told["totals"]["completion_tokens"], 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnected_client_cancels_upstream_and_pays_received_part() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let limits = json!({ "name": "k", "token_limit": 10_000, "token_limit_period": "month" });
    let (key, id) = gateway.key(limits).await;
    gateway.upstream.script("endless", Script::Endless(chunk("x").into()));
    let answer = gateway.chat(&key, &streamed("endless")).await;
    let mut stream = answer.bytes_stream();
    for _ in 0..10 {
        stream.next().await.unwrap().unwrap();
    }
    drop(stream);
    for _ in 0..100 {
        if gateway.upstream.cancelled() > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(gateway.upstream.cancelled(), 1);
    gateway.app.services.settled().await;
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    let told = gateway.app.json(&path, &gateway.ada.jwt).await;
    let used = told["budget"]["used"].as_u64().unwrap();
    assert!(
        (8..500).contains(&used),
        "the prompt and what came, not the thousands that were reserved: {used}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_ends_with_a_word_why() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    let begun: Vec<Bytes> = vec![chunk("a").into(), "data: {\"half".into()];
    for (user, script, code) in [
        ("break", Script::Break(begun.clone()), "upstream_error"),
        ("hang", Script::Hang(begun), "upstream_timeout"),
    ] {
        gateway.upstream.script(user, script);
        let text = gateway.chat(&key, &streamed(user)).await.text().await.unwrap();
        let rest = text.strip_prefix(&chunk("a")).unwrap();
        let event: Value = serde_json::from_str(rest.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(event["error"]["code"], code);
        assert!(!text.contains("[DONE]"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_byte_does_not_wait_for_the_last() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "k" })).await;
    gateway.upstream.script("hang", Script::Hang(vec![chunk("a").into()]));
    let answer = gateway.chat(&key, &streamed("hang")).await;
    let first = answer.bytes_stream().next().await.unwrap().unwrap();
    assert_eq!(first, chunk("a").as_bytes(), "while the upstream still waits");
}
