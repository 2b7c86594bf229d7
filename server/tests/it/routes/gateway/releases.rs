//! Whatever goes wrong with a call is told in OpenAI's shape and gives back what was reserved for
//! it.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::upstream::Script;
use super::{Gateway, asks, refused, streamed};
use crate::test_app::Backend;

const BUDGET: u64 = 10_000;
/// What a prompt of [`asks`] takes.
const PROMPT: u64 = 6;

/// A gateway and a key with a budget and a limit of tokens a minute.
struct Limited {
    gateway: Gateway,
    key: String,
    id: String,
}

impl Limited {
    async fn new() -> Self {
        let gateway = Gateway::on(Backend::Sqlite).await;
        let limits = json!({
            "name": "k", "token_limit": BUDGET, "token_limit_period": "month", "tpm": BUDGET,
        });
        let (key, id) = gateway.key(limits).await;
        Self { gateway, key, id }
    }

    async fn post(&self, path: &str, body: String) -> reqwest::Response {
        self.gateway.app.post(path).bearer_auth(&self.key).body(body).send().await.unwrap()
    }

    /// What is taken of the budget and of the minute when nothing is under way.
    async fn taken(&self) -> (u64, u64) {
        self.gateway.app.services.settled().await;
        let path = format!("/v1/inference/keys/{}/usage?range=1h", self.id);
        let usage = self.gateway.app.json(&path, &self.gateway.ada.jwt).await;
        let models = self.gateway.app.get("/v1/models").bearer_auth(&self.key);
        let models = models.send().await.unwrap();
        let left = models.headers()["x-ratelimit-remaining-tokens"].to_str().unwrap();
        (usage["budget"]["used"].as_u64().unwrap(), BUDGET - left.parse::<u64>().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_refused_for_its_body_takes_nothing() {
    let limited = Limited::new().await;
    let messages = json!([{ "role": "user", "content": "Hi" }]);
    let with = |field: &str, value: Value| {
        let mut body = asks("qwen3.6-27b", "a");
        body[field] = value;
        body.to_string()
    };
    let chat = "/v1/chat/completions";
    let large = with("metadata", json!("x".repeat(10 * 1024 * 1024)));
    for (path, body, status, code, param) in [
        (chat, large, 413, "too_large", Value::Null),
        (chat, "{\"model\": ".to_owned(), 400, "malformed", Value::Null),
        (chat, with("model", json!("gpt-0")), 404, "model_not_found", json!("model")),
        (chat, with("model", json!("")), 400, "invalid", json!("model")),
        (chat, with("stream", json!("true")), 400, "invalid", json!("stream")),
        (chat, with("stream", json!(1)), 400, "invalid", json!("stream")),
        (
            chat,
            with("stream_options", json!({ "include_usage": 1 })),
            400,
            "invalid",
            json!("include_usage"),
        ),
        (chat, with("max_tokens", json!(1.5)), 400, "invalid", json!("max_tokens")),
        (
            chat,
            with("max_completion_tokens", json!("many")),
            400,
            "invalid",
            json!("max_completion_tokens"),
        ),
        (chat, with("n", json!(129)), 400, "invalid", json!("n")),
        (
            "/v1/completions",
            json!({ "model": "qwen3.6-27b", "messages": messages }).to_string(),
            400,
            "invalid",
            json!("prompt"),
        ),
        (
            "/v1/embeddings",
            json!({ "model": "bge-m3", "input": 7 }).to_string(),
            400,
            "invalid",
            json!("input"),
        ),
    ] {
        let told = refused(limited.post(path, body).await, status, code).await;
        assert_eq!(told["error"]["param"], param, "{told}");
        assert_eq!(told["error"]["type"], "invalid_request_error");
    }
    assert_eq!(limited.taken().await, (0, 0));
    assert!(limited.gateway.upstream.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn prompt_larger_than_budget_is_denied_and_reserves_nothing() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let limits = json!({ "name": "k", "token_limit": 50, "token_limit_period": "month" });
    let (key, id) = gateway.key(limits).await;
    let mut body = asks("qwen3.6-27b", "a");
    body["messages"][0]["content"] = json!("x".repeat(400));
    let answer = gateway.chat(&key, &body).await;
    assert!(answer.headers().get("retry-after").is_none(), "it never fits");
    let told = refused(answer, 402, "token_budget_exhausted").await;
    assert_eq!(told["error"]["type"], "insufficient_quota");
    assert!(gateway.upstream.seen().is_empty());
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    let usage = gateway.app.json(&path, &gateway.ada.jwt).await;
    assert_eq!(usage["budget"]["used"], 0);
    let (key, _) = gateway.key(json!({ "name": "t", "tpm": 50 })).await;
    let answer = gateway.chat(&key, &body).await;
    assert_eq!(answer.headers()["x-ratelimit-remaining-tokens"], "50");
    refused(answer, 402, "token_rate_limited").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_cost_nothing_and_late_ones_their_prompt() {
    let limited = Limited::new().await;
    let half: Vec<Bytes> = vec!["{\"choices\": [".into()];
    let mut taken = 0;
    for (user, script, status, code, cost) in [
        ("breaks", Script::Break(half.clone()), 502, "upstream_error", 0),
        ("hangs", Script::Hang(half), 504, "upstream_timeout", PROMPT),
        ("silent", Script::Silent, 504, "upstream_timeout", PROMPT),
    ] {
        limited.gateway.upstream.script(user, script);
        let body = asks("qwen3.6-27b", user).to_string();
        let told = limited.post("/v1/chat/completions", body).await;
        let told = refused(told, status, code).await;
        assert_eq!(told["error"]["type"], "server_error");
        taken += cost;
        assert_eq!(limited.taken().await, (taken, taken), "{user}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_goes_wrong_costs_what_had_come_of_it() {
    let limited = Limited::new().await;
    let event = "data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"Hi\"}}]}\n\n";
    let begun = |more: &'static str| -> Vec<Bytes> { vec![event.into(), more.into()] };
    let mut taken = 0;
    let babble = "data: {\"choices\": [\n\n";
    for (user, script, more, code) in [
        ("breaks", Script::Break(begun("data: {")), "", "upstream_error"),
        ("hangs", Script::Hang(begun("data: {")), "", "upstream_timeout"),
        // Not the gateway's to mend: it goes on as it came, and what can be read of it is counted.
        ("babbles", Script::Stream(begun(babble)), babble, "upstream_error"),
        ("stops", Script::Stream(begun("data: {\"choi")), "", "upstream_error"),
    ] {
        limited.gateway.upstream.script(user, script);
        let answer = limited.post("/v1/chat/completions", streamed(user).to_string()).await;
        assert_eq!(answer.status(), 200);
        let text = answer.text().await.unwrap();
        let rest = text.strip_prefix(event).and_then(|rest| rest.strip_prefix(more)).unwrap();
        let told: Value = serde_json::from_str(rest.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(told["error"]["code"], code, "{user}");
        assert_eq!(told["error"]["type"], "server_error");
        taken += PROMPT + 1;
        assert_eq!(limited.taken().await, (taken, taken), "{user}: the prompt and one event");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_in_another_case_gets_round_no_limit() {
    let limited = Limited::new().await;
    for (field, ours) in
        [("Model", "model"), ("MAX_TOKENS", "max_tokens"), ("me\u{17f}\u{17f}ages", "messages")]
    {
        let mut body = asks("qwen3.6-27b", "a");
        body[field] = json!(1);
        let told = limited.post("/v1/chat/completions", body.to_string()).await;
        let told = refused(told, 400, "invalid").await;
        assert_eq!(told["error"]["param"], ours, "some upstreams would go by {field}");
    }
    assert!(limited.gateway.upstream.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_budget_every_way_to_say_how_much_is_capped() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let limits = json!({ "name": "k", "token_limit": 100, "token_limit_period": "month" });
    let (key, _) = gateway.key(limits).await;
    let mut body = asks("qwen3.6-27b", "a");
    body["max_completion_tokens"] = json!(5);
    body["max_tokens"] = json!(5_000);
    body["n"] = json!(2);
    assert_eq!(gateway.chat(&key, &body).await.status(), 200);
    let seen = gateway.upstream.seen().remove(0).body;
    assert_eq!(seen["max_tokens"], 5, "the smallest counts, whichever the upstream goes by");
    assert_eq!(seen["max_completion_tokens"], 5);
    let body =
        json!({ "model": "qwen3.6-27b", "prompt": "Once", "best_of": 5, "max_tokens": 1_000 });
    let call = gateway.app.post("/v1/completions").bearer_auth(&key).json(&body);
    assert_eq!(call.send().await.unwrap().status(), 200);
    let seen = gateway.upstream.seen().remove(1).body;
    // Ten were used by the first call, and one is the prompt.
    assert_eq!(seen["max_tokens"], 17, "a fifth of the 89 that are left");
}
