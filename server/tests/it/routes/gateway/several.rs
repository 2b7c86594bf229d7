//! Several upstreams that serve one model.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::StatusCode;
use reqwest::Response;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::upstream::{Script, Upstream};
use super::{asks, chat, inference_key, refused};
use crate::test_app::{Backend, Session, TestApp, problem, text};

const MODEL: &str = "m";

/// An app with upstreams that all serve one model, and somebody on a tier without limits.
pub(super) struct Several {
    pub(super) app: TestApp,
    pub(super) upstreams: Vec<Upstream>,
    pub(super) urls: Vec<String>,
    pub(super) file: PathBuf,
    ada: Session,
    _config: TempDir,
}

impl Several {
    /// With one upstream for each of these: what else the file says of it.
    pub(super) async fn start(of_each: &[&str]) -> Self {
        Self::with(of_each, "--latchkey-upstream-timeout=1").await
    }

    async fn with(of_each: &[&str], more: &str) -> Self {
        let (mut upstreams, mut urls, mut text) = (Vec::new(), Vec::new(), String::new());
        for (index, more) in of_each.iter().enumerate() {
            let (upstream, url) = Upstream::start().await;
            text.push_str(&entry(index, &url, more));
            upstreams.push(upstream);
            urls.push(url);
        }
        let config = tempfile::tempdir().unwrap();
        let file = config.path().join("upstreams.toml");
        std::fs::write(&file, text).unwrap();
        let setting = format!("--latchkey-upstreams={}", file.display());
        let app = TestApp::with(Backend::Sqlite, &[setting.as_str(), more]).await;
        let ada = app.sign_in("ada").await;
        app.set_tier(&ada, "enterprise").await;
        Self { app, upstreams, urls, file, ada, _config: config }
    }

    /// Makes a key without limits.
    pub(super) async fn key(&self) -> String {
        inference_key(&self.app, &self.ada, json!({ "name": "k" })).await.0
    }

    /// Makes a key that may spend so many dollars a day; its secret and its id.
    pub(super) async fn spender(&self, name: &str, dollars: u32) -> (String, String) {
        let limit = dollars.to_string();
        let limits = json!({ "name": name, "spend_limit": limit, "spend_limit_period": "day" });
        inference_key(&self.app, &self.ada, limits).await
    }

    /// What a key has used.
    pub(super) async fn used(&self, id: &str) -> Value {
        self.app.services.settled().await;
        let path = format!("/v1/inference/keys/{id}/usage?range=1h");
        self.app.json(&path, &self.ada.jwt).await
    }

    pub(super) async fn call(&self, key: &str, user: &str) -> Response {
        chat(&self.app, key, &asks(MODEL, user)).await
    }

    /// How many calls each upstream has seen.
    pub(super) fn seen(&self) -> Vec<usize> {
        self.upstreams.iter().map(|upstream| upstream.seen().len()).collect()
    }

    /// What administrators see of each upstream.
    pub(super) async fn reports(&self) -> Vec<Value> {
        let root = self.app.sign_in("root").await;
        let list = self.app.json("/v1/upstreams", &root.jwt).await;
        list["data"].as_array().unwrap().clone()
    }
}

/// The entry of an upstream in the file. Without models, it serves the one that all serve.
pub(super) fn entry(index: usize, url: &str, more: &str) -> String {
    let mut text = format!("[[upstream]]\nname = \"u{index}\"\nbase_url = \"{url}\"\n{more}\n");
    if !more.contains("models") {
        writeln!(text, "models = [\"{MODEL}\"]").unwrap();
    }
    text
}

fn failing(status: u16) -> Script {
    let status = StatusCode::from_u16(status).unwrap();
    Script::Json(status, r#"{"error": {"message": "busy at the moment"}}"#.into())
}

/// An upstream whose model costs so many dollars a call.
pub(super) fn costs(dollars: u32, more: &str) -> String {
    format!(
        "{more}\nmodels = [{{ id = \"m\", price = {{ input = 0, output = 0, request = {dollars} }} }}]"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_call_goes_on_and_is_charged_once() {
    let (first, second) = (costs(1, ""), costs(3, "backup = true"));
    let several = Several::start(&[&first, &second]).await;
    for (user, script) in [
        ("fails", failing(500)),
        ("is overloaded", failing(503)),
        ("is busy", failing(429)),
        ("is silent", Script::Silent),
        ("answers", Script::Metered { wants: 1, delay: Duration::ZERO }),
    ] {
        let is_answer = matches!(script, Script::Metered { .. });
        several.upstreams[0].script(user, script);
        let before = several.seen();
        let limits = json!({ "name": user, "spend_limit": "100", "spend_limit_period": "day" });
        let (key, id) = inference_key(&several.app, &several.ada, limits).await;
        assert_eq!(several.call(&key, user).await.status(), 200, "{user}");
        let path = format!("/v1/inference/keys/{id}/usage?range=1h");
        let used = several.app.json(&path, &several.ada.jwt).await;
        let after = [before[0] + 1, before[1] + usize::from(!is_answer)];
        assert_eq!(several.seen(), after, "{user}");
        assert_eq!(used["totals"]["requests"], 1, "{user}");
        assert_eq!(used["totals"]["cost_usd"], if is_answer { "1" } else { "3" }, "{user}");
        assert_eq!(used["budgets"][0]["reserved"], "0", "{user}");
        // A success, so that the failures are not in a row.
        several.call(&key, "well").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn call_reserves_at_the_highest_price() {
    let (first, second) = (costs(1, ""), costs(3, "backup = true"));
    let several = Several::start(&[&first, &second]).await;
    let limits = json!({ "name": "k", "spend_limit": "2", "spend_limit_period": "day" });
    let (key, _) = inference_key(&several.app, &several.ada, limits).await;
    refused(several.call(&key, "a").await, 402, "spend_limit_reached").await;
    assert_eq!(several.seen(), [0, 0], "the call might have cost more than is left");
    let unpriced = Several::start(&[&first, ""]).await;
    let limits = json!({ "name": "k", "spend_limit": "9", "spend_limit_period": "day" });
    let (key, _) = inference_key(&unpriced.app, &unpriced.ada, limits).await;
    refused(unpriced.call(&key, "a").await, 403, "model_not_priced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_of_the_call_itself_does_not_go_on() {
    let several = Several::start(&["", "backup = true"]).await;
    let key = several.key().await;
    for (status, told) in [(400, 400), (404, 404), (422, 422), (401, 502), (302, 502)] {
        several.upstreams[0].script("x", failing(status));
        assert_eq!(several.call(&key, "x").await.status().as_u16(), told);
    }
    assert_eq!(several.seen(), [5, 0]);
    let report = &several.reports().await[0];
    assert_eq!(report["errors"], 2, "credentials and redirects are for the operator to mend");
    assert_eq!(
        (&report["healthy"], &report["last_failure"]["status"]),
        (&json!(true), &json!(302))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_that_breaks_off_counts_as_an_error() {
    let several = Several::start(&["", "backup = true"]).await;
    let key = several.key().await;
    let chunk = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    let error = "data: {\"error\":{\"message\":\"out of memory\"}}\n\n";
    let broken = "The answer broke off.";
    let mut errors = 0;
    for (is_stream, script, told) in [
        (true, Script::Break(vec![chunk.into()]), broken),
        (true, Script::Stream(vec![chunk.into()]), "The stream ended without its last event."),
        (true, Script::Stream(vec![chunk.into(), error.into()]), "out of memory"),
        (true, Script::Hang(vec![chunk.into()]), "The answer paused for too long."),
        (false, Script::Break(vec!["{".into()]), broken),
        (false, failing(200), "busy at the moment"),
    ] {
        several.upstreams[0].script("x", script);
        let mut body = asks(MODEL, "x");
        body["stream"] = json!(is_stream);
        chat(&several.app, &key, &body).await.bytes().await.unwrap();
        errors += 1;
        let report = &several.reports().await[0];
        let seen = (&report["calls"], &report["errors"], &report["healthy"]);
        assert_eq!(seen, (&json!(errors), &json!(errors), &json!(true)), "{told}");
        assert_eq!(report["last_failure"]["message"], told);
        assert_eq!(report["last_failure"]["status"], Value::Null);
    }
    assert_eq!(several.seen(), [6, 0], "what has begun to answer is not tried elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_is_told_the_last_error_of_an_upstream() {
    let gone = "backup = true";
    let several = Several::start(&["", gone]).await;
    let key = several.key().await;
    several.upstreams[0].script("x", failing(500));
    several.upstreams[1].script("x", failing(429));
    let answer = several.call(&key, "x").await;
    assert_eq!(answer.headers()["retry-after"], "7");
    refused(answer, 429, "upstream_rate_limited").await;
    // One that can't be reached says less.
    let unreachable = entry(0, &several.urls[0], "") + &entry(1, "http://127.0.0.1:9/v1", gone);
    std::fs::write(&several.file, unreachable).unwrap();
    assert!(several.app.state.reload_upstreams().unwrap());
    several.upstreams[0].script("x", failing(503));
    refused(several.call(&key, "x").await, 503, "upstream_error").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_shared_by_weight_and_backups_wait() {
    let several = Several::start(&["weight = 3", "weight = 1", "backup = true"]).await;
    let key = several.key().await;
    for _ in 0..40 {
        assert_eq!(several.call(&key, "a").await.status(), 200);
    }
    let seen = several.seen();
    assert!((29..=31).contains(&seen[0]), "{seen:?}");
    assert_eq!((seen[0] + seen[1], seen[2]), (40, 0), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_failures_take_an_upstream_out_for_five_seconds() {
    let several = Several::with(&["", "backup = true"], "--latchkey-upstream-timeout=30").await;
    let key = several.key().await;
    let [first, _] = several.upstreams.as_slice() else { panic!("two upstreams") };
    first.script("x", failing(503));
    for calls in 1..=5 {
        assert_eq!(several.call(&key, "x").await.status(), 200);
        assert_eq!(several.seen(), [calls.min(3), calls]);
    }
    let reports = several.reports().await;
    assert_eq!(reports[0]["healthy"], false);
    assert_eq!((&reports[0]["calls"], &reports[0]["errors"]), (&json!(3), &json!(3)));
    assert_eq!(reports[0]["last_failure"]["status"], 503);
    assert_eq!(reports[0]["last_failure"]["message"], "busy at the moment");
    assert_eq!((&reports[1]["healthy"], &reports[1]["calls"]), (&json!(true), &json!(5)));
    // One call tries it, and it is out again.
    several.app.advance(Duration::from_secs(5));
    several.call(&key, "x").await;
    several.call(&key, "x").await;
    assert_eq!(several.seen(), [4, 7]);
    // One call tries it, while others stay away.
    several.app.advance(Duration::from_secs(5));
    first.script("x", Script::Metered { wants: 1, delay: Duration::from_secs(2) });
    let trial = several.call(&key, "x");
    let others = async {
        while several.seen()[0] < 5 {
            tokio::task::yield_now().await;
        }
        several.call(&key, "y").await.status()
    };
    let (trial, other) = tokio::join!(trial, others);
    assert_eq!((trial.status(), other), (StatusCode::OK, StatusCode::OK));
    assert_eq!(several.seen(), [5, 8]);
    several.call(&key, "y").await;
    assert_eq!(several.seen(), [6, 8], "it is back");
    assert_eq!(several.reports().await[0]["healthy"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn sole_upstream_is_never_out() {
    let several = Several::start(&[""]).await;
    let key = several.key().await;
    several.upstreams[0].script("x", failing(500));
    for _ in 0..6 {
        refused(several.call(&key, "x").await, 502, "upstream_error").await;
    }
    assert_eq!(several.seen(), [6]);
    assert_eq!(several.reports().await[0]["healthy"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_upstream_is_called_if_all_are_out() {
    let several = Several::start(&["", ""]).await;
    let key = several.key().await;
    for upstream in &several.upstreams {
        upstream.script("x", failing(500));
    }
    for _ in 0..3 {
        several.call(&key, "x").await;
    }
    assert_eq!(several.seen(), [3, 3]);
    refused(several.call(&key, "x").await, 502, "upstream_error").await;
    assert_eq!(several.seen().iter().sum::<usize>(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn conversation_stays_with_its_upstream() {
    let several = Several::start(&["", ""]).await;
    let key = several.key().await;
    let ask = async |user: &str, header: &str, session: &str| {
        let call = several.app.post("/v1/chat/completions").bearer_auth(&key);
        let call = call.header(header, session).json(&asks(MODEL, user));
        assert_eq!(call.send().await.unwrap().status(), 200);
    };
    // Where the calls of an action went.
    let mut seen = several.seen();
    let mut moved = move |now: Vec<usize>| {
        let places: Vec<usize> = now.iter().zip(&seen).map(|(now, then)| now - then).collect();
        seen = now;
        places
    };
    let mut firsts = 0;
    for session in 0..24 {
        for _ in 0..3 {
            ask("a", "session-id", &format!("s{session}")).await;
        }
        let places = moved(several.seen());
        assert!(matches!(places[..], [3, 0] | [0, 3]), "{places:?}");
        firsts += places[0] / 3;
    }
    assert!((1..24).contains(&firsts), "they are spread: {firsts}");
    // The upstream of a session fails: the other one has the session from then on.
    ask("a", "session-id", "s0").await;
    let old = moved(several.seen()).iter().position(|calls| *calls == 1).unwrap();
    several.upstreams[old].script("x", failing(500));
    ask("x", "session-id", "s0").await;
    moved(several.seen());
    ask("a", "session-id", "s0").await;
    assert_eq!(moved(several.seen())[1 - old], 1, "it stays where it is");
    // What an upstream gives to the conversation leads to it.
    for (index, upstream) in several.upstreams.iter().enumerate() {
        let state = ("x-codex-turn-state", format!("state {index}"));
        let kind = ("content-type", "application/json".to_owned());
        upstream.script("codex", Script::Raw(200, vec![state, kind], "{}".into()));
    }
    ask("codex", "x-session-affinity", "one").await;
    let made = moved(several.seen()).iter().position(|calls| *calls == 1).unwrap();
    for _ in 0..3 {
        ask("a", "x-codex-turn-state", &format!("state {made}")).await;
    }
    assert_eq!(moved(several.seen())[made], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_that_no_upstream_serves_is_405() {
    let several =
        Several::start(&["endpoints = [\"chat\"]", "endpoints = [\"chat\", \"completions\"]"])
            .await;
    let key = several.key().await;
    let embed = async |key: &str| {
        let body = json!({ "model": MODEL, "input": "a" });
        several.app.post("/v1/embeddings").bearer_auth(key).json(&body).send().await.unwrap()
    };
    let answer = embed(&key).await;
    assert_eq!(answer.headers()["allow"], "");
    assert_eq!(answer.headers()["x-latchkey-code"], "endpoint_not_supported");
    assert_eq!(answer.headers()["x-should-retry"], "false");
    refused(answer, 405, "endpoint_not_supported").await;
    // Only the upstream that serves an endpoint is called.
    for _ in 0..4 {
        let body = json!({ "model": MODEL, "prompt": "a" });
        let call = several.app.post("/v1/completions").bearer_auth(&key).json(&body);
        assert_eq!(call.send().await.unwrap().status(), 200);
    }
    assert_eq!(several.seen(), [0, 4]);
    let test = json!({ "name": "test", "environment": "test" });
    let (test, _) = inference_key(&several.app, &several.ada, test).await;
    assert_eq!(embed(&test).await.status(), 200, "the sandbox serves every endpoint");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_see_upstreams() {
    let several = Several::start(&["endpoints = [\"chat\", \"audio\"]"]).await;
    let key = several.key().await;
    several.call(&key, "a").await;
    let answer = several.app.get("/v1/upstreams").bearer_auth(&several.ada.jwt).send().await;
    problem(answer.unwrap(), 403, "forbidden").await;
    let answer = several.app.get("/v1/upstreams").bearer_auth(&key).send().await;
    assert!(answer.unwrap().status().is_client_error());
    let reports = several.reports().await;
    let wanted = json!([{
        "name": "u0", "models": ["m"], "endpoints": ["chat", "audio"], "healthy": true,
        "latency_ms": 0, "calls": 1, "errors": 0, "last_failure": null,
    }]);
    assert_eq!(json!(reports), wanted);
    std::fs::write(&several.file, entry(0, "http://127.0.0.1:9/v1", "")).unwrap();
    several.app.state.reload_upstreams().unwrap();
    refused(several.call(&key, "a").await, 502, "upstream_unreachable").await;
    let failure = &several.reports().await[0]["last_failure"];
    assert_eq!(failure["status"], Value::Null);
    assert!(!text(&failure["message"]).contains("127"), "{failure}");
}
