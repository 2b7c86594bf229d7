//! The gateway.

mod accounting;
mod answers;
mod audience;
mod begin;
mod budgets;
mod caps;
mod crash;
mod direct;
mod dry_run;
mod ended;
mod leaving;
mod levels;
mod limited;
mod media;
mod messages;
mod parallel;
mod passage;
mod prices;
mod reach;
mod refusals;
mod releases;
mod reload;
mod responses;
mod sandbox;
mod several;
mod shared_parallel;
mod silent;
mod streams;
mod tokenizer;
mod traced;
mod transcripts;
mod upstream;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{get_json, sign_in};
use crate::test_app::{Backend, Session, TestApp, text};
use upstream::Upstream;

/// An app with an upstream, and somebody on a tier without limits.
struct Gateway {
    app: TestApp,
    upstream: Upstream,
    ada: Session,
    _config: TempDir,
}

impl Gateway {
    async fn on(backend: Backend) -> Self {
        Self::with(backend, "", &[]).await
    }

    /// The same with more said of its first upstream, and other settings.
    async fn with(backend: Backend, of_upstream: &str, arguments: &[&str]) -> Self {
        Self::start(backend, of_upstream, "", arguments).await
    }

    /// The same with more said of its model.
    async fn with_model(backend: Backend, of_model: &str) -> Self {
        Self::start(backend, "", of_model, &[]).await
    }

    async fn start(
        backend: Backend,
        of_upstream: &str,
        of_model: &str,
        arguments: &[&str],
    ) -> Self {
        let (upstream, base_url) = Upstream::start().await;
        let config = tempfile::tempdir().unwrap();
        let path = config.path().join("upstreams.toml");
        let file = format!(
            "[[upstream]]\nname = \"local\"\nbase_url = \"{base_url}\"\n{of_upstream}\n\
             models = [\"bge-m3\", {{ id = \"qwen3.6-27b\", upstream = \"Qwen/Qwen3.6-27B\" {of_model} }}]\n\
             [[upstream]]\nname = \"gone\"\nbase_url = \"http://127.0.0.1:9/v1\"\nmodels = [\"gone\"]\n"
        );
        std::fs::write(&path, file).unwrap();
        let upstreams = format!("--latchkey-upstreams={}", path.display());
        let mut all = vec![upstreams.as_str(), "--latchkey-upstream-timeout=1"];
        all.extend(arguments);
        let app = TestApp::with(backend, &all).await;
        let ada = app.sign_in("ada").await;
        app.set_tier(&ada, "enterprise").await;
        Self { app, upstream, ada, _config: config }
    }

    /// Makes an inference key; its secret and its id.
    async fn key(&self, body: Value) -> (String, String) {
        inference_key(&self.app, &self.ada, body).await
    }

    async fn chat(&self, key: &str, body: &Value) -> reqwest::Response {
        chat(&self.app, key, body).await
    }
}

async fn inference_key(app: &TestApp, who: &Session, body: Value) -> (String, String) {
    let path = format!("/v1/projects/{}/inference/keys", who.project);
    let created = app.send(reqwest::Method::POST, &path, who, &body).await;
    let status = created.status().as_u16();
    let created: Value = created.json().await.unwrap();
    assert_eq!(status, 201, "{created}");
    (text(&created["key"]), text(&created["api_key"]["id"]))
}

/// Signs the local developer of a process in, and makes an inference key; its secret.
async fn key_of(client: &reqwest::Client, base: &str, body: &Value) -> String {
    let (jwt, application) = sign_in(client, base).await;
    let url = format!("{base}/v1/applications/{application}");
    let application = get_json(client, &url, &jwt).await;
    let path = format!("{base}/v1/projects/{}/inference/keys", text(&application["project_id"]));
    let created = client.post(path).bearer_auth(&jwt).json(body).send().await.unwrap();
    let created: Value = created.json().await.unwrap();
    text(&created["key"])
}

async fn chat(app: &TestApp, key: &str, body: &Value) -> reqwest::Response {
    app.post("/v1/chat/completions").bearer_auth(key).json(body).send().await.unwrap()
}

/// A call of one user, so that the upstream does as it is told.
fn asks(model: &str, user: &str) -> Value {
    json!({ "model": model, "user": user, "messages": [{ "role": "user", "content": "Hi" }] })
}

/// The same for a stream.
fn streamed(user: &str) -> Value {
    let mut body = asks("qwen3.6-27b", user);
    body["stream"] = json!(true);
    body
}

/// A refusal in OpenAI's shape.
async fn refused(answer: reqwest::Response, status: u16, code: &str) -> Value {
    let (got, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body: Value = answer.json().await.unwrap();
    assert_eq!(got, status, "{body}");
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(body["error"]["code"], code, "{body}");
    assert!(!text(&body["error"]["message"]).is_empty());
    assert!(body["error"]["type"].is_string() && body["error"].get("param").is_some());
    assert_eq!(headers["x-latchkey-code"], code, "{body}");
    if [400, 401, 402, 403, 404, 405, 413, 422].contains(&status) {
        assert_eq!(headers["x-should-retry"], "false", "{body}");
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_install_is_answered_by_the_sandbox() {
    let app = TestApp::on(Backend::Sqlite).await;
    let ada = app.sign_in("ada").await;
    let (key, id) = inference_key(&app, &ada, json!({ "name": "first" })).await;
    let models: Value =
        app.get("/v1/models").bearer_auth(&key).send().await.unwrap().json().await.unwrap();
    assert_eq!(models["data"][0]["id"], "sandbox");
    assert_eq!(models["object"], "list");
    let answer = chat(&app, &key, &asks("sandbox", "a")).await;
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.unwrap();
    let said = text(&answer["choices"][0]["message"]["content"]);
    assert!(said.ends_with("You said: Hi"), "{said}");
    let again: Value = chat(&app, &key, &asks("sandbox", "a")).await.json().await.unwrap();
    assert_eq!(answer, again, "it answers the same every time");
    let usage = &answer["usage"];
    let tokens = usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(tokens, said.len().div_ceil(4) as u64);
    let used = app.json(&format!("/v1/inference/keys/{id}/usage?range=1h"), &ada.jwt).await;
    assert_eq!(used["totals"]["completion_tokens"], 2 * tokens);
    assert_eq!(used["totals"]["prompt_tokens"], 2 * usage["prompt_tokens"].as_u64().unwrap());
    assert_eq!(used["totals"]["requests"], 3, "the list of models is a request too");
    let body = json!({ "model": "sandbox", "prompt": "Once", "max_tokens": 2 });
    let cut = app.post("/v1/completions").bearer_auth(&key).json(&body).send().await.unwrap();
    let cut: Value = cut.json().await.unwrap();
    assert_eq!(cut["choices"][0]["finish_reason"], "length");
    assert_eq!(cut["usage"]["completion_tokens"], 2);
    let body = json!({ "model": "sandbox", "input": ["a", "b"], "dimensions": 8 });
    let vectors = app.post("/v1/embeddings").bearer_auth(&key).json(&body).send().await.unwrap();
    let vectors: Value = vectors.json().await.unwrap();
    assert_eq!(vectors["data"].as_array().unwrap().len(), 2);
    assert_eq!(vectors["data"][0]["embedding"].as_array().unwrap().len(), 8);
    assert_ne!(vectors["data"][0]["embedding"], vectors["data"][1]["embedding"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seeds_commands_work_with_only_host_and_key_changed() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let seed = json!({
        "name": "production-backend", "rpm": 600, "tpm": 200_000, "token_limit": 5_000_000,
        "token_limit_period": "month", "allowed_models": ["qwen3.6-27b", "bge-m3"],
    });
    let (key, id) = gateway.key(seed).await;
    let body = json!({ "model": "qwen3.6-27b", "messages": [{ "role": "user", "content": "Hi" }] });
    let answer = gateway.chat(&key, &body).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["x-ratelimit-limit-requests"], "600");
    assert_eq!(answer.headers()["x-ratelimit-limit-tokens"], "200000");
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "Hi");
    let call = gateway.upstream.seen().remove(0);
    assert_eq!(call.path, "chat/completions");
    assert_eq!(call.body["model"], "Qwen/Qwen3.6-27B", "the upstream's own name");
    assert!(call.headers.get("authorization").is_none(), "no key of a client reaches an upstream");
    let path = format!("/v1/inference/keys/{id}/usage?range=1h");
    let used = gateway.app.json(&path, &gateway.ada.jwt).await;
    assert_eq!(used["totals"]["prompt_tokens"], 7, "as the upstream counts");
    assert_eq!(used["totals"]["completion_tokens"], 3);
    assert_eq!(used["budget"]["used"], 10, "what was reserved and not used is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_key_never_reaches_an_upstream() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let (key, _) = gateway.key(json!({ "name": "test", "environment": "test" })).await;
    for model in ["qwen3.6-27b", "bge-m3", "gone", "sandbox"] {
        let answer = gateway.chat(&key, &asks(model, "a")).await;
        assert_eq!(answer.status(), 200, "{model}");
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["model"], model);
        assert!(text(&answer["choices"][0]["message"]["content"]).contains("sandbox"));
    }
    assert!(gateway.upstream.seen().is_empty());
    let (live, _) = gateway.key(json!({ "name": "live" })).await;
    refused(gateway.chat(&live, &asks("sandbox", "a")).await, 404, "model_not_found").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_those_that_the_key_may_use() {
    let gateway = Gateway::on(Backend::Sqlite).await;
    let list = async |body: Value| {
        let (key, _) = gateway.key(body).await;
        let answer = gateway.app.get("/v1/models").bearer_auth(&key).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let ids: Vec<String> =
            answer["data"].as_array().unwrap().iter().map(|model| text(&model["id"])).collect();
        (key, ids)
    };
    assert_eq!(list(json!({ "name": "all" })).await.1, ["bge-m3", "qwen3.6-27b", "gone"]);
    let (key, ids) = list(json!({ "name": "one", "allowed_models": ["bge-m3", "other"] })).await;
    assert_eq!(ids, ["bge-m3"]);
    let one = async |id: &str| {
        gateway.app.get(&format!("/v1/models/{id}")).bearer_auth(&key).send().await.unwrap()
    };
    assert_eq!(one("bge-m3").await.json::<Value>().await.unwrap()["owned_by"], "local");
    refused(one("qwen3.6-27b").await, 404, "model_not_found").await;
    refused(gateway.chat(&key, &asks("qwen3.6-27b", "a")).await, 403, "model_not_allowed").await;
    refused(gateway.chat(&key, &asks("other", "a")).await, 404, "model_not_found").await;
}
