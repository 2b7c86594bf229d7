//! An upstream over HTTP that does as the test says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use serde_json::{Value, json};

/// What the upstream does with a call, by its `user` field; with a form or no body, by its path.
#[derive(Clone)]
pub(super) enum Script {
    /// Answers with these bytes as JSON.
    Json(StatusCode, Bytes),
    /// Answers with this status, these headers and this body.
    Raw(u16, Vec<(&'static str, String)>, Bytes),
    /// Streams these parts, one write each.
    Stream(Vec<Bytes>),
    /// Streams these parts and breaks off.
    Break(Vec<Bytes>),
    /// Streams a part after the other, for ever.
    Endless(Bytes),
    /// Streams these parts and falls silent.
    Hang(Vec<Bytes>),
    /// Streams these parts, and is silent for so long before each but the first.
    Paused(Vec<Bytes>, Duration),
    /// Says nothing at all.
    Silent,
    /// Takes its time, and says as many tokens as it wants to or may.
    Metered { wants: u64, delay: Duration },
}

/// The prompt's tokens where the script counts: what the gateway estimates for [`super::asks`].
const PROMPT: u64 = 6;

/// A call as it came.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    /// Null if it is no JSON.
    pub(super) body: Value,
    pub(super) raw: Bytes,
}

/// The upstream; it goes away with the test.
#[derive(Clone, Default)]
pub(super) struct Upstream {
    scripts: Arc<Mutex<HashMap<String, Script>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Streams that the gateway has broken off.
    cancelled: Arc<Mutex<u32>>,
}

impl Upstream {
    /// Starts it; returns it with its base URL.
    pub(super) async fn start() -> (Self, String) {
        let upstream = Self::default();
        let app = Router::new()
            .route("/v1/{*path}", post(answer))
            .route("/v1/responses/{*path}", any(answer))
            .layer(DefaultBodyLimit::disable())
            .with_state(upstream.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (upstream, format!("http://{address}/v1"))
    }

    pub(super) fn script(&self, user: &str, script: Script) {
        self.scripts.lock().unwrap().insert(user.to_owned(), script);
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// What all calls of a metered script have used, answered or not.
    pub(super) fn metered(&self, wants: u64) -> u64 {
        let seen = self.seen.lock().unwrap();
        let said = |call: &Seen| wants.min(call.body["max_tokens"].as_u64().unwrap_or(u64::MAX));
        seen.iter().map(|call| PROMPT + said(call)).sum()
    }

    pub(super) fn cancelled(&self) -> u32 {
        *self.cancelled.lock().unwrap()
    }
}

/// Tells when it is dropped before its time.
struct Guard {
    upstream: Upstream,
    done: bool,
}

impl Guard {
    /// The stream has come to its end.
    fn finish(mut self) {
        self.done = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.done {
            *self.upstream.cancelled.lock().unwrap() += 1;
        }
    }
}

async fn answer(
    State(upstream): State<Upstream>,
    (method, uri): (Method, Uri),
    headers: HeaderMap,
    raw: Bytes,
) -> Response {
    let path = uri.path().trim_start_matches("/v1/").to_owned();
    let query = uri.query().unwrap_or_default().to_owned();
    let body: Value = serde_json::from_slice(&raw).unwrap_or_default();
    let user = match &body {
        Value::Null => path.clone(),
        body => body["user"].as_str().unwrap_or_default().to_owned(),
    };
    let kind = match body["stream"].as_bool() {
        Some(true) => "text/event-stream",
        _ if path == "audio/speech" => "audio/mpeg",
        _ => "application/json",
    };
    let cap = body["max_tokens"].as_u64().unwrap_or(u64::MAX);
    upstream.seen.lock().unwrap().push(Seen { method, path, query, headers, body, raw });
    let script = upstream.scripts.lock().unwrap().get(&user).cloned();
    let script = script.unwrap_or_else(|| Script::Json(StatusCode::OK, said(7, 3)));
    match script {
        Script::Json(status, bytes) => {
            (status, [("content-type", "application/json"), ("retry-after", "7")], bytes)
                .into_response()
        }
        Script::Raw(status, headers, body) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            response.headers_mut().remove("content-type");
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Script::Stream(parts) => events(&upstream, kind, parts, After::End),
        Script::Break(parts) => events(&upstream, kind, parts, After::Break),
        Script::Hang(parts) => events(&upstream, kind, parts, After::Hang),
        Script::Paused(parts, pause) => paused(kind, parts, pause),
        Script::Endless(part) => events(&upstream, kind, vec![part], After::Again),
        Script::Silent => std::future::pending().await,
        Script::Metered { wants, delay } => {
            tokio::time::sleep(delay).await;
            let bytes = said(PROMPT, wants.min(cap));
            ([("content-type", "application/json")], bytes).into_response()
        }
    }
}

/// A completion that used as much.
fn said(prompt: u64, completion: u64) -> Bytes {
    let answer = json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        },
    });
    answer.to_string().into()
}

#[derive(Clone, Copy)]
enum After {
    End,
    Break,
    Hang,
    Again,
}

fn events(upstream: &Upstream, kind: &'static str, parts: Vec<Bytes>, after: After) -> Response {
    let guard = Guard { upstream: upstream.clone(), done: false };
    let stream = futures::stream::unfold((0_usize, guard), move |(at, guard)| {
        let part = parts.get(at).cloned();
        let first = parts.first().cloned();
        async move {
            if let Some(part) = part {
                return Some((Ok(part), (at + 1, guard)));
            }
            match after {
                After::End => {
                    guard.finish();
                    None
                }
                After::Break => {
                    // So that what came before is on its way.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Some((Err(std::io::Error::other("broken off")), (at, guard)))
                }
                After::Hang => std::future::pending().await,
                After::Again => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    Some((Ok(first?), (at, guard)))
                }
            }
        }
    });
    ([("content-type", kind)], Body::from_stream(stream)).into_response()
}

fn paused(kind: &'static str, parts: Vec<Bytes>, pause: Duration) -> Response {
    let parts = parts.into_iter().enumerate();
    let stream = futures::stream::unfold(parts, move |mut parts| async move {
        let (at, part) = parts.next()?;
        if at > 0 {
            tokio::time::sleep(pause).await;
        }
        Some((Ok::<_, std::io::Error>(part), parts))
    });
    ([("content-type", kind)], Body::from_stream(stream)).into_response()
}
