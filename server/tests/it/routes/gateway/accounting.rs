//! What a call is charged, whatever the upstream says of it.

use std::time::Duration;

use axum::body::Bytes;
use futures::StreamExt;
use serde_json::{Value, json};

use super::upstream::Script;
use super::{Gateway, asks, refused, streamed};
use crate::test_app::{Backend, text};

const EVENTS: &str = "text/event-stream; charset=utf-8";
const JSON: &str = "application/json";

fn raw(kind: &str, body: impl Into<Bytes>) -> Script {
    Script::Raw(200, vec![("content-type", kind.to_owned())], body.into())
}

fn event(json: &Value) -> String {
    format!("data: {json}\n\n")
}

fn said(words: &str) -> Value {
    json!({ "id": "x", "choices": [{ "index": 0, "delta": { "content": words }, "finish_reason": null }] })
}

fn whole(words: &str, more: &Value) -> Value {
    let message = json!({ "role": "assistant", "content": words });
    let mut answer = json!({ "id": "x", "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] });
    answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    answer
}

/// The prompt and completion tokens that a key has used, and how many of them are an estimate.
async fn counted(gateway: &Gateway, id: &str) -> (u64, u64, u64) {
    gateway.app.services.settled().await;
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    let totals = gateway.app.json(&path, &gateway.ada.jwt).await["totals"].clone();
    let of = |name: &str| totals[name].as_u64().unwrap();
    (of("prompt_tokens"), of("completion_tokens"), of("estimated_tokens"))
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_counted_in_whatever_form_it_comes() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let usage = |usage: Value| raw(JSON, whole("abc", &json!({ "usage": usage })).to_string());
    let tail = |events: &[Value]| {
        let text: String = events.iter().map(event).collect();
        raw(EVENTS, format!("{text}data: [DONE]\n\n"))
    };
    let told = json!({ "prompt_tokens": 7, "completion_tokens": 43 });
    let of_choice = json!({ "choices": [{ "delta": {}, "usage": told }] });
    let cr = event(&said("abc")).replace('\n', "\r")
        + &event(&json!({ "choices": null, "usage": told })).replace('\n', "\r")
        + "data: [DONE]\r\r";
    let lines = "data: {\"choices\": [],\ndata: \"usage\": {\"input_tokens\": 7,\ndata: \"output_tokens\": 43}}\n\ndata: [DONE]\n\n";
    for (name, stream, script, wanted) in [
        ("sum", false, usage(json!({ "total_tokens": 50 })), (6, 44, 0)),
        ("names", false, usage(json!({ "input_tokens": 7, "output_tokens": 43 })), (7, 43, 0)),
        ("rest", false, usage(json!({ "prompt_tokens": 7, "total_tokens": 50 })), (7, 43, 0)),
        (
            "strings",
            false,
            usage(json!({ "prompt_tokens": "7", "completion_tokens": 43.0 })),
            (7, 43, 0),
        ),
        ("empty", false, usage(json!({})), (6, 1, 7)),
        ("zeros", false, usage(json!({ "prompt_tokens": 0, "completion_tokens": 0 })), (6, 1, 7)),
        ("none", false, raw(JSON, whole("abc", &json!({})).to_string()), (6, 1, 7)),
        ("whole for a stream", true, usage(told.clone()), (7, 43, 0)),
        (
            "stream for whole",
            false,
            tail(&[said("abc"), json!({ "choices": [], "usage": told })]),
            (7, 43, 0),
        ),
        (
            "stream without",
            true,
            tail(&[said(&"x".repeat(4_000)), said(&"y".repeat(4_000))]),
            (6, 2_000, 2_006),
        ),
        ("in a choice", true, tail(&[said("abc"), of_choice]), (7, 43, 0)),
        ("carriage returns", true, raw(EVENTS, cr), (7, 43, 0)),
        ("lines", true, raw(EVENTS, lines), (7, 43, 0)),
    ] {
        gateway.upstream.script(name, script);
        let (key, id) = gateway.key(json!({ "name": name })).await;
        let body = if stream { streamed(name) } else { asks("qwen3.6-27b", name) };
        // The user is no part of the prompt.
        let answer = gateway.chat(&key, &body).await;
        assert_eq!(answer.status(), 200, "{name}");
        let text = answer.text().await.unwrap();
        assert!(!text.contains("43") || !text.contains("data:"), "{name} is not told: {text}");
        assert_eq!(counted(&gateway, &id).await, wanted, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_text_is_estimated() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let top: Vec<Value> = (0..20).map(|_| json!({ "token": "abcd", "logprob": -0.5 })).collect();
    let mut likely = whole("abc", &json!({}));
    likely["choices"][0]["logprobs"] =
        json!({ "content": [{ "token": "abc", "top_logprobs": top }] });
    gateway.upstream.script("likely", raw(JSON, likely.to_string()));
    let (key, id) = gateway.key(json!({ "name": "likely" })).await;
    gateway.chat(&key, &asks("qwen3.6-27b", "likely")).await;
    assert_eq!(counted(&gateway, &id).await, (6, 1, 7));
    let vectors = json!({ "data": [{ "embedding": vec![0.5; 1_024], "index": 0 }] });
    gateway.upstream.script("vectors", raw(JSON, vectors.to_string()));
    let (key, id) = gateway.key(json!({ "name": "vectors" })).await;
    let body = json!({ "model": "bge-m3", "input": "twenty bytes of text", "user": "vectors" });
    let answer = gateway.app.post("/v1/embeddings").bearer_auth(&key).json(&body).send().await;
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(counted(&gateway, &id).await, (5, 0, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn reserved_is_not_spent() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let gateway = Gateway::with(backend, "", &["--latchkey-upstream-timeout=30"]).await;
        gateway.upstream.script("hang", Script::Hang(vec![event(&said("abc")).into()]));
        let limits = json!({ "name": "k", "token_limit": 40_000, "token_limit_period": "day" });
        let (key, _) = gateway.key(limits).await;
        let mut body = streamed("hang");
        body["max_tokens"] = json!(32_000);
        let mut open = Vec::new();
        for _ in 0..2 {
            let answer = gateway.chat(&key, &body).await;
            assert_eq!(answer.status(), 200);
            open.push(answer);
        }
        let third = gateway.chat(&key, &body).await;
        assert_eq!(third.headers()["retry-after"], "1");
        assert!(third.headers().get("x-should-retry").is_none());
        let told = refused(third, 429, "token_budget_exhausted").await;
        let words = text(&told["error"]["message"]);
        assert!(words.contains("reserved by 2 calls in progress"), "{words}");
        // One of them ends while the next one waits.
        let waiting = {
            let (app, key, body) = (&gateway.app, &key, &body);
            async move { app.post("/v1/chat/completions").bearer_auth(key).json(body).send().await }
        };
        let ending = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            drop(open.remove(0));
        };
        let (answer, ()) = tokio::join!(waiting, ending);
        assert_eq!(answer.unwrap().status(), 200, "it waited for the other to settle");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn permanent_errors_have_no_retry_after() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let limits = json!({ "name": "spent", "token_limit": 10, "token_limit_period": "month" });
    let (key, _) = gateway.key(limits).await;
    assert_eq!(gateway.chat(&key, &asks("qwen3.6-27b", "a")).await.status(), 200);
    let spent = gateway.chat(&key, &asks("qwen3.6-27b", "a")).await;
    assert!(spent.headers().get("retry-after").is_none());
    assert_eq!(spent.headers()["x-should-retry"], "false");
    assert_eq!(spent.headers()["x-latchkey-code"], "token_budget_exhausted");
    let told = refused(spent, 402, "token_budget_exhausted").await;
    assert_eq!(told["error"]["type"], "insufficient_quota");
    assert!(text(&told["error"]["message"]).contains("resets at"));
    let (key, id) = gateway.key(json!({ "name": "small", "tpm": 5 })).await;
    let never = gateway.chat(&key, &asks("qwen3.6-27b", "a")).await;
    assert_eq!(never.headers()["x-should-retry"], "false");
    refused(never, 402, "token_rate_limited").await;
    let wrong = gateway.chat(&key, &json!({ "model": 7 })).await;
    assert_eq!(wrong.headers()["x-should-retry"], "false");
    gateway.app.revoke(&gateway.ada, &id).await;
    let revoked = gateway.chat(&key, &asks("qwen3.6-27b", "a")).await;
    assert_eq!(revoked.headers()["x-should-retry"], "false");
    refused(revoked, 401, "revoked_key").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_left_pays_for_what_had_come() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let parts: Vec<Bytes> = vec![event(&said(&"x".repeat(800))).into(); 10];
    gateway.upstream.script("chunks", Script::Hang(parts));
    let limits = json!({ "name": "k", "token_limit": 80_000, "token_limit_period": "day" });
    let (key, id) = gateway.key(limits).await;
    let answer = gateway.chat(&key, &streamed("chunks")).await;
    let mut stream = answer.bytes_stream();
    let mut come = 0;
    while come < 8_000 {
        come += stream.next().await.unwrap().unwrap().len();
    }
    drop(stream);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (prompt, completion, estimated) = counted(&gateway, &id).await;
    assert_eq!((prompt, estimated), (6, 6 + completion));
    assert!((1_600..=2_000).contains(&completion), "{completion} of 2,000");
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnect_before_full_response_charges_reservation() {
    for (more, wanted) in [("", (6, 500, 506)), ("cancels = true", (6, 0, 6))] {
        let gateway =
            Gateway::with(Backend::Sqlite, more, &["--latchkey-upstream-timeout=30"]).await;
        gateway.upstream.script("silent", Script::Silent);
        let limits = json!({ "name": "k", "token_limit": 10_000, "token_limit_period": "day" });
        let (key, id) = gateway.key(limits).await;
        let mut body = asks("qwen3.6-27b", "silent");
        body["max_tokens"] = json!(500);
        let call = gateway.app.post("/v1/chat/completions").bearer_auth(&key).json(&body).send();
        let call = tokio::spawn(call);
        while gateway.upstream.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        call.abort();
        let mut used = (0, 0, 0);
        for _ in 0..200 {
            used = counted(&gateway, &id).await;
            if used == wanted {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(used, wanted, "{more}");
    }
}
