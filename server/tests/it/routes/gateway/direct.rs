//! The busiest endpoints, which are answered without the router where no page of another origin may
//! call them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{asks, inference_key};
use crate::test_app::{Backend, TestApp};

/// Headers whose values differ from call to call.
const VARYING: [&str; 5] = [
    "date",
    "request-id",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-request-id",
];

fn calls() -> [(&'static str, Value); 5] {
    let input = json!({ "model": "sandbox", "input": "Hi" });
    let mut message = asks("sandbox", "a");
    message["max_tokens"] = json!(9);
    [
        ("/v1/chat/completions", asks("sandbox", "a")),
        ("/v1/completions", json!({ "model": "sandbox", "prompt": "Hi" })),
        ("/v1/embeddings", input.clone()),
        ("/v1/responses", input),
        ("/v1/messages", message),
    ]
}

/// The status, the headers but those for pages of other origins, and the length of an answer.
async fn answer(
    app: &TestApp,
    path: &str,
    key: &str,
    body: &str,
) -> (u16, BTreeMap<String, String>, usize) {
    let request = app.post(path).bearer_auth(key).header("content-type", "application/json");
    let answer = request.body(body.to_owned()).send().await.unwrap();
    let is_of_origins = |name: &str| name == "vary" || name.starts_with("access-control-");
    let headers = answer.headers().iter().filter(|(name, _)| !is_of_origins(name.as_str()));
    let headers = headers.map(|(name, value)| {
        let is_fixed = !VARYING.contains(&name.as_str());
        let value = if is_fixed { value.to_str().unwrap() } else { "" };
        (name.to_string(), value.to_owned())
    });
    let (status, headers) = (answer.status().as_u16(), headers.collect());
    (status, headers, answer.bytes().await.unwrap().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_answer_alike_with_and_without_the_router() {
    let setting = "--latchkey-cors-origins=https://shop.example";
    let direct = TestApp::on(Backend::Sqlite).await;
    let routed = TestApp::with(Backend::Sqlite, &[setting]).await;
    let mut keys = Vec::new();
    for app in [&direct, &routed] {
        let ada = app.sign_in("ada").await;
        let limits = json!({ "name": "k", "rpm": 60, "tpm": 50_000 });
        keys.push(inference_key(app, &ada, limits).await.0);
    }
    for (path, whole) in calls() {
        let (mut streamed, mut unknown) = (whole.clone(), whole.clone());
        streamed["stream"] = json!(true);
        unknown["model"] = json!("unknown");
        let bodies = [whole.to_string(), streamed.to_string(), unknown.to_string(), "{".to_owned()];
        for body in bodies {
            for [one, other] in [[&*keys[0], &*keys[1]], ["", ""]] {
                let past = answer(&direct, path, one, &body).await;
                let through = answer(&routed, path, other, &body).await;
                assert_eq!(past, through, "{path} {body}");
                assert!(past.1.contains_key("x-request-id"), "{path} {body}");
            }
        }
    }
}
