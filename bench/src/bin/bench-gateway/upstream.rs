//! The upstream: it responds at once, and streams as fast as the client reads, one write per event.
//! A stream that is asked for at a pace has 50 events a second instead, each with its time.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use latchkey_bench::stopwatch::Stopwatch;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use crate::stamp;

/// Number of chunks of a streamed response.
const PARTS: usize = 50;
/// A prompt that asks for a stream at a pace.
pub(crate) const PACED: &str = "At a pace";
/// Time between two events of such a stream, which goes on until the client leaves.
pub(crate) const PACE: Duration = Duration::from_millis(20);

/// Starts the upstream on its own thread. It runs as long as the bench, and stamps the events of
/// paced streams with the time of `clock`.
pub(crate) fn start(clock: Stopwatch) -> anyhow::Result<SocketAddr> {
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
            let routes = Router::new().route("/v1/chat/completions", post(answer));
            axum::serve(listener, routes.with_state(clock)).await
        })
    });
    Ok(address)
}

async fn answer(State(clock): State<Stopwatch>, body: Bytes) -> Response {
    // Do not parse JSON: that cost would be charged to the gateway.
    let says = |text: &[u8]| body.windows(text.len()).any(|part| part == text);
    if !says(b"\"stream\":true") {
        return ([(CONTENT_TYPE, "application/json")], whole()).into_response();
    }
    if says(PACED.as_bytes()) {
        return ([(CONTENT_TYPE, "text/event-stream")], paced(clock)).into_response();
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

fn paced(clock: Stopwatch) -> Body {
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Body::from_stream(futures::stream::unfold(pace, move |mut pace| async move {
        pace.tick().await;
        // Written by hand: this thread and the load generator's have to be faster than the gateway.
        let event = format!(
            "data: {{\"id\":\"chatcmpl-x\",\"object\":\"chat.completion.chunk\",\
             \"created\":1795000000,\"model\":\"m\",\"choices\":[{{\"index\":0,\
             \"delta\":{{\"content\":\"{}\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n",
            stamp::write(clock.elapsed()),
        );
        Some((Ok::<_, Infallible>(Bytes::from(event)), pace))
    }))
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
