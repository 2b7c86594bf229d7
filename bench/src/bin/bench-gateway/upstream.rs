//! The upstream: it responds at once, and streams as fast as the client reads, one write per event.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use serde_json::json;

/// Number of chunks of a streamed response.
const PARTS: usize = 50;

/// Starts the upstream on its own thread. It runs as long as the bench.
pub(crate) fn start() -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            // Without it, every other event of a stream waits for an ACK.
            let listener = listener.tap_io(|connection| {
                // If this fails, the figures show it.
                let _ = connection.set_nodelay(true);
            });
            axum::serve(listener, Router::new().route("/v1/chat/completions", post(answer))).await
        })
    });
    Ok(address)
}

async fn answer(body: Bytes) -> Response {
    // Do not parse JSON: that cost would be charged to the gateway.
    let says = |text: &[u8]| body.windows(text.len()).any(|part| part == text);
    if !says(b"\"stream\":true") {
        return ([(CONTENT_TYPE, "application/json")], whole()).into_response();
    }
    let told = says(b"\"include_usage\":true");
    let mut events = vec![event(&json!({ "delta": { "role": "assistant", "content": "Hi" } }))];
    events.extend((1..PARTS).map(|_| event(&json!({ "delta": { "content": " there" } }))));
    if told {
        let usage = json!({ "id": "x", "choices": [], "usage": usage() });
        events.push(format!("data: {usage}\n\n").into());
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    let stream = futures::stream::unfold(events.into_iter(), async |mut events| {
        let event = events.next()?;
        // Yield, so that the previous event is written separately.
        tokio::task::yield_now().await;
        Some((Ok::<_, Infallible>(event), events))
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response()
}

fn usage() -> serde_json::Value {
    json!({ "prompt_tokens": 9, "completion_tokens": 50, "total_tokens": 59 })
}

fn whole() -> String {
    let message =
        json!({ "role": "assistant", "content": "Hi there. ".repeat(20), "refusal": null });
    let choice =
        json!({ "index": 0, "message": message, "logprobs": null, "finish_reason": "stop" });
    json!({
        "id": "chatcmpl-x", "object": "chat.completion", "created": 1_795_000_000, "model": "m",
        "choices": [choice], "usage": usage(),
    })
    .to_string()
}

fn event(part: &serde_json::Value) -> Bytes {
    let mut choice = json!({ "index": 0, "logprobs": null, "finish_reason": null });
    if let (Some(choice), Some(part)) = (choice.as_object_mut(), part.as_object()) {
        choice.extend(part.clone());
    }
    let event = json!({
        "id": "chatcmpl-x", "object": "chat.completion.chunk", "created": 1_795_000_000, "model": "m",
        "choices": [choice],
    });
    format!("data: {event}\n\n").into()
}
