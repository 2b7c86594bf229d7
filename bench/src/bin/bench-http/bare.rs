//! The baseline for a check: a handler that only does HTTP and JSON.

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use serde::Deserialize;

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing is what it is for")]
struct Body {
    key: String,
    application_id: Option<String>,
    model: Option<String>,
    cost: Option<u64>,
    ip: Option<String>,
}

/// Responds with `answer` to every body that can be parsed, until it is killed.
pub(crate) fn serve(answer: String) -> anyhow::Result<()> {
    let answer = axum::body::Bytes::from(answer);
    let handler = move |Json(_): Json<Body>| {
        let answer = answer.clone();
        async move { ([(CONTENT_TYPE, "application/json")], answer).into_response() }
    };
    latchkey_bench::bare::serve(axum::Router::new().route(super::PATH, post(handler)))
}
