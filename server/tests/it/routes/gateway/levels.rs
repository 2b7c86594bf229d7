//! Plain and streamed calls in parallel, under budgets of their key, its project and its
//! organization: together they use each to its end and none beyond.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use futures::future::join_all;
use latchkey_domain::money::Usd;
use reqwest::Method;
use serde_json::{Value, json};

use super::upstream::{Script, Upstream};
use super::{asks, chat, inference_key, streamed};
use crate::test_app::{Backend, Session, TestApp};

const CALLERS: usize = 64;
/// Billionths of a dollar that the organization may spend: about six calls of each caller.
const DOLLARS: u64 = 4_000_000;
/// What the prompt of [`asks`] takes.
const PROMPT: u64 = 6;
/// What a plain call says if it may, of the ten tokens that it reserves.
const WANTS: u64 = 4;
/// How often a call may be put off because others have reserved what it needs.
const MAX_DELAYS: usize = 30;

/// What answered calls have used.
#[derive(Default)]
struct Spent {
    calls: AtomicU64,
    completions: AtomicU64,
}

impl Spent {
    fn add(&self, completion: u64) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.completions.fetch_add(completion, Ordering::SeqCst);
    }

    /// Billionths of a dollar, tokens and requests.
    fn totals(&self) -> [u64; 3] {
        let calls = self.calls.load(Ordering::SeqCst);
        let completions = self.completions.load(Ordering::SeqCst);
        let prompts = calls * PROMPT;
        [(prompts + completions * 2) * 1_000, prompts + completions, calls]
    }
}

fn budgets(billionths: u64) -> Value {
    json!([
        {"unit": "usd", "limit": Usd::from_billionths(billionths), "period": "total"},
        {"unit": "tokens", "limit": 1_000_000, "period": "month"},
        {"unit": "requests", "limit": 1_000_000, "period": "day"},
    ])
}

/// A stream of one token, of the ten that it reserves.
fn stream() -> Script {
    let choice = json!({"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"});
    let said = json!({"choices": [choice]});
    let usage = json!({"prompt_tokens": PROMPT, "completion_tokens": 1});
    let usage = json!({"choices": [], "usage": usage});
    Script::Stream(vec![Bytes::from(format!("data: {said}\n\ndata: {usage}\n\ndata: [DONE]\n\n"))])
}

/// Calls one after the other until a budget refuses one, every second a stream.
async fn exhaust(app: &TestApp, key: &str, caller: usize, spent: &Spent) {
    let mut delays = 0;
    for round in caller.. {
        let is_stream = round.is_multiple_of(2);
        let mut body = if is_stream { streamed("stream") } else { asks("qwen3.6-27b", "whole") };
        body["max_tokens"] = json!(10);
        let answer = chat(app, key, &body).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        if status == 200 && is_stream {
            assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
            spent.add(1);
            continue;
        }
        let told: Value = serde_json::from_str(&text).unwrap();
        if status == 200 {
            spent.add(told["usage"]["completion_tokens"].as_u64().unwrap());
            continue;
        }
        assert_eq!(told["error"]["code"], "spend_limit_reached", "{told}");
        assert_eq!(told["error"]["limit"]["scope"], "organization", "{told}");
        if status == 402 {
            return;
        }
        // It has waited in vain for calls in progress, which may leave enough.
        delays += 1;
        assert!(status == 429 && delays < MAX_DELAYS, "{status} {told}");
    }
}

/// Used, reserved, remaining and limit of the budgets at a path.
async fn states(app: &TestApp, who: &Session, path: &str) -> Vec<[u64; 4]> {
    let counted = |value: &Value| match value.as_str() {
        Some(dollars) => dollars.parse::<Usd>().unwrap().billionths(),
        None => value.as_u64().unwrap(),
    };
    let budgets = app.json(path, &who.jwt).await["budgets"].clone();
    let fields = ["used", "reserved", "remaining", "limit"];
    let state = |budget: &Value| fields.map(|field| counted(&budget[field]));
    budgets.as_array().unwrap().iter().map(state).collect()
}

async fn calls_use_budgets_to_their_end(backend: Backend) {
    let (upstream, base_url) = Upstream::start().await;
    upstream.script("stream", stream());
    upstream.script("whole", Script::Metered { wants: WANTS, delay: Duration::ZERO });
    let config = tempfile::tempdir().unwrap();
    let file = config.path().join("upstreams.toml");
    let toml = format!(
        "[[upstream]]\nname = \"u\"\nbase_url = \"{base_url}\"\n\
         models = [{{ id = \"qwen3.6-27b\", price = {{ input = 1, output = 2 }} }}]"
    );
    std::fs::write(&file, toml).unwrap();
    let upstreams = format!("--latchkey-upstreams={}", file.display());
    let app = TestApp::with(backend, &[upstreams.as_str()]).await;
    let ada = app.sign_in("ada").await;
    app.set_tier(&ada, "enterprise").await;
    let limits = json!({"name": "k", "max_parallel": 1_000, "budgets": budgets(3 * DOLLARS)});
    let (key, id) = inference_key(&app, &ada, limits).await;
    let of_key = format!("/v1/keys/{id}");
    let project = format!("/v1/projects/{}", ada.project);
    let organization = format!("/v1/organizations/{}", ada.organization);
    for (path, billionths) in [(&project, 2 * DOLLARS), (&organization, DOLLARS)] {
        let body = json!({"budgets": budgets(billionths)});
        let changed = app.send(Method::PATCH, path, &ada, &body).await;
        assert_eq!(changed.status(), 200, "{path}");
    }
    let spent = Spent::default();
    join_all((0..CALLERS).map(|caller| exhaust(&app, &key, caller, &spent))).await;
    app.services.settled().await;
    app.services.checker.return_leases(true).await.unwrap();
    for path in [&of_key, &project, &organization] {
        let states = states(&app, &ada, path).await;
        assert_eq!([states[0][0], states[1][0], states[2][0]], spent.totals(), "{path}");
        for [used, reserved, remaining, limit] in states {
            assert_eq!((used + remaining, reserved), (limit, 0), "{path}");
        }
    }
    let left = DOLLARS - spent.totals()[0];
    let least = (PROMPT + 2) * 1_000;
    assert!(left < least, "{left} billionths are left, and the smallest call needs {least}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_and_streamed_calls_use_up_budgets_on_sqlite() {
    calls_use_budgets_to_their_end(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_and_streamed_calls_use_up_budgets_on_postgres() {
    calls_use_budgets_to_their_end(Backend::Postgres).await;
}
