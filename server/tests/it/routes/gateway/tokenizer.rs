//! Limits on tokens hold for text that has more tokens than its estimate.

use futures::future::join_all;
use serde_json::{Value, json};

use super::upstream::Script;
use super::{Gateway, asks};
use crate::test_app::Backend;

const LIMIT: u64 = 10_000;

/// A prompt that has twice the tokens of its estimate.
fn digits() -> String {
    let numbers = (0..500_u32).map(|index| index.wrapping_mul(2_654_435_761) % 97_777);
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    numbers.join(" ")
}

fn call(max_tokens: u64) -> Value {
    let mut body = asks("qwen3.6-27b", "digits");
    body["messages"][0]["content"] = json!(digits());
    body["max_tokens"] = json!(max_tokens);
    body
}

/// The upstream's own count of [`call`].
fn count() -> u64 {
    // The message's role and its template.
    bpe_openai::o200k_base().count(digits().as_str()) as u64 + 8
}

/// Makes so many calls at once; how many were answered, and what the key has used then.
async fn calls(gateway: &Gateway, key: &str, id: &str, at_once: usize) -> (usize, u64) {
    let body = call(10);
    let answers = join_all((0..at_once).map(|_| gateway.chat(key, &body))).await;
    let answered = answers.iter().filter(|answer| answer.status() == 200).count();
    drop(join_all(answers.into_iter().map(reqwest::Response::bytes)).await);
    gateway.app.services.settled().await;
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    let usage = gateway.app.json(&path, &gateway.ada.jwt).await;
    (answered, usage["budget"]["used"].as_u64().unwrap())
}

async fn gateway(of_model: &str) -> (Gateway, String, String) {
    let gateway = Gateway::with_model(Backend::Sqlite, of_model).await;
    let usage = json!({ "prompt_tokens": count(), "completion_tokens": 3 });
    let message = json!({ "role": "assistant", "content": "abc" });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    let answer = json!({ "id": "x", "choices": [choice], "usage": usage }).to_string();
    let kind = vec![("content-type", "application/json".to_owned())];
    gateway.upstream.script("digits", Script::Raw(200, kind, answer.into()));
    let limits = json!({ "name": "k", "token_limit": LIMIT, "token_limit_period": "month" });
    let (key, id) = gateway.key(limits).await;
    (gateway, key, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_models_tokenizer_keeps_parallel_calls_within_a_limit() {
    let (gateway, key, id) = gateway(", tokenizer = \"o200k_base\"").await;
    let fit = LIMIT / (count() + 3);
    let (answered, used) = calls(&gateway, &key, &id, 40).await;
    assert!(used <= LIMIT, "{used} of {LIMIT}");
    assert_eq!(used, answered as u64 * (count() + 3));
    // What is reserved for answers may have kept one out.
    assert!(answered as u64 + 1 >= fit, "{answered} of {fit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_reserve_what_the_ones_before_settled_at() {
    let (gateway, key, id) = gateway("").await;
    assert_eq!(calls(&gateway, &key, &id, 1).await, (1, count() + 3));
    let (answered, used) = calls(&gateway, &key, &id, 40).await;
    assert!(used <= LIMIT, "{used} of {LIMIT}");
    assert!(answered >= 1);
}
