//! The baseline: a handler that answers every request like Latchkey answers an allowed one.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::routing::any;

/// Serves until it is killed. `head` has the headers of the answer, a line each.
pub(crate) fn serve(head: &str) -> anyhow::Result<()> {
    let mut headers = HeaderMap::new();
    for line in head.lines() {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        headers.append(name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?);
    }
    let handler = move || {
        let headers = headers.clone();
        async move { headers }
    };
    latchkey_bench::bare::serve(axum::Router::new().route(super::CHECK, any(handler)))
}

/// The headers of an answer that are not made anew by every server.
pub(crate) fn head(headers: &HeaderMap) -> anyhow::Result<String> {
    let mut head = String::new();
    for (name, value) in headers {
        if !matches!(name.as_str(), "date" | "content-length") {
            writeln!(head, "{name}: {}", value.to_str()?)?;
        }
    }
    Ok(head)
}
