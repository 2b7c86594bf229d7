//! Forwards the body of a stored response. A stream of events is told apart from a cut one, and its
//! key must stay valid, as for the call that made the response.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use latchkey_checker::{BackgroundUsage, Error, KeyWatch};
use latchkey_listener::BufferPermit;
use tokio::sync::OwnedSemaphorePermit;

use super::background_reader::BackgroundReader;
use crate::accounting::{EventKind, StreamEnd, StreamUsage, data, next_event};
use crate::error::GatewayError;
use crate::response_body::{BodyError, CUT_STREAM, ResponseBody};
use crate::upstream_endpoint::UpstreamEndpoint;
use crate::upstream_error;

/// A longer incomplete event is accounted to the memory budget for bodies.
const UNACCOUNTED_EVENT_BYTES: usize = 64 * 1024;

/// A body that is being forwarded.
pub(super) struct StoredBody {
    body: ResponseBody,
    key: KeyWatch,
    upstream: Arc<UpstreamEndpoint>,
    idle_timeout: Duration,
    /// None if it is one JSON object.
    events: Option<StoredEvents>,
    /// Settles the response if it was made in the background and has ended.
    reader: Option<BackgroundReader>,
    ended: bool,
    /// One of the server's concurrent calls to upstreams.
    _permit: OwnedSemaphorePermit,
}

/// The events of a stream.
struct StoredEvents {
    /// Tells whether the stream is complete. What it costs was counted when it was made.
    usage: StreamUsage,
    /// Beginning of an event whose end has not arrived.
    pending: Vec<u8>,
    /// Share of the memory budget that a long incomplete event uses.
    permit: BufferPermit,
}

impl StoredBody {
    /// `stream_of` is the ID of the response if the body is a stream of its events.
    pub(super) fn new(
        body: ResponseBody,
        key: KeyWatch,
        (upstream, idle_timeout): (Arc<UpstreamEndpoint>, Duration),
        stream_of: Option<&str>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let events = stream_of.map(StoredEvents::of);
        Self {
            body,
            key,
            upstream,
            idle_timeout,
            events,
            reader: None,
            ended: false,
            _permit: permit,
        }
    }

    /// The body of a response that may be one of the background.
    pub(super) fn with_reader(mut self, reader: BackgroundReader) -> Self {
        self.reader = Some(reader);
        self
    }

    pub(super) fn into_body(self) -> Body {
        Body::from_stream(futures::stream::unfold(self, async |mut stored| {
            let next = stored.next().await?;
            Some((next, stored))
        }))
    }

    async fn next(&mut self) -> Option<Result<Bytes, io::Error>> {
        while !self.ended {
            let chunk = tokio::select! {
                // Checked first, as the upstream may always be ready.
                biased;
                denial = self.key.ended() => {
                    Err(GatewayError::from(Error::from(Box::new(denial))))
                }
                chunk = self.body.next(self.idle_timeout) => {
                    let has_end = self.events.as_ref().is_some_and(StoredEvents::has_end);
                    chunk.map_err(|error| to_error(&self.upstream, has_end, error))
                }
            };
            self.ended = !matches!(chunk, Ok(Some(_)));
            let out = {
                let secrets = self.upstream.secrets();
                match (chunk, &mut self.events) {
                    (Ok(Some(chunk)), None) => {
                        if let Some(reader) = &mut self.reader {
                            reader.read(&chunk).await;
                        }
                        chunk
                    }
                    (Ok(Some(chunk)), Some(events)) => events.feed(&chunk, &secrets).into(),
                    (Ok(None), None) => return None,
                    (Ok(None), Some(events)) => {
                        let last = events.finish(&self.upstream.name, &secrets);
                        if events.usage.end() == StreamEnd::Cut {
                            self.upstream.count_broken_answer(CUT_STREAM);
                        }
                        last.into()
                    }
                    // The status is already sent. Breaking off tells the client that the body is
                    // incomplete.
                    (Err(error), None) => {
                        return Some(Err(io::Error::other(error.message().to_owned())));
                    }
                    (Err(error), Some(events)) => events.fail(&error).into(),
                }
            };
            self.settle_ended().await;
            if !out.is_empty() {
                return Some(Ok(out));
            }
        }
        None
    }

    /// Settles a background response whose last event has come, before the client has it.
    async fn settle_ended(&mut self) {
        let used = self.events.as_ref().and_then(StoredEvents::used);
        if let (Some(reader), Some(used)) = (&mut self.reader, used) {
            reader.settle(used).await;
        }
    }
}

impl StoredEvents {
    /// The events of the response with this ID.
    fn of(id: &str) -> Self {
        let usage = StreamUsage::of_response(id);
        Self { usage, pending: Vec::new(), permit: BufferPermit::default() }
    }

    /// Adds a chunk and returns the events that are now complete.
    fn feed<'a>(
        &mut self,
        chunk: &[u8],
        secrets: &(impl Iterator<Item = &'a str> + Clone),
    ) -> Vec<u8> {
        let from = self.pending.len();
        self.pending.extend_from_slice(chunk);
        let (mut out, mut at) = (Vec::new(), 0);
        while let Some(length) = next_event(&self.pending[at..], from.saturating_sub(at)) {
            let event = &self.pending[at..at + length];
            match self.usage.read(event) {
                EventKind::Hidden => {}
                EventKind::Error => out.extend_from_slice(self.error(event, secrets).as_bytes()),
                EventKind::Plain
                | EventKind::UsageOnly
                | EventKind::Done
                | EventKind::LacksUsage => out.extend_from_slice(event),
            }
            at += length;
        }
        self.pending.drain(..at);
        self.forward_too_long(&mut out);
        out
    }

    /// Forwards the beginning of an event unparsed if it is too long to be kept.
    fn forward_too_long(&mut self, out: &mut Vec<u8>) {
        let length = self.pending.len();
        if length <= UNACCOUNTED_EVENT_BYTES {
            self.permit = BufferPermit::default();
            return;
        }
        let more = length.saturating_sub(self.permit.bytes());
        if length > self.usage.max_event_bytes() || !self.permit.acquire(more) {
            self.usage.read_beginning(&self.pending);
            out.append(&mut self.pending);
            self.permit = BufferPermit::default();
        }
    }

    /// What the response has used, once its last event has come.
    fn used(&self) -> Option<BackgroundUsage> {
        let told = self.usage.ended_usage()?;
        let is_untold = self.usage.is_cancelled_untold();
        Some(if is_untold { BackgroundUsage::Unread } else { BackgroundUsage::Told(told) })
    }

    /// Whether the last event of the stream has come.
    fn has_end(&self) -> bool {
        self.usage.end() == StreamEnd::Whole
    }

    /// Ends the stream with an error, unless it had its last event.
    fn fail(&self, error: &GatewayError) -> String {
        match self.usage.end() {
            StreamEnd::Whole => String::new(),
            StreamEnd::Cut | StreamEnd::LacksDone => self.usage.error_events(error),
        }
    }

    /// Handles the end of the upstream's stream. The last event may lack its empty line.
    fn finish<'a>(
        &mut self,
        upstream: &str,
        secrets: &(impl Iterator<Item = &'a str> + Clone),
    ) -> Vec<u8> {
        let mut last = Vec::new();
        if data(&self.pending).is_some_and(|data| is_json(&data)) {
            last = self.feed(b"\n\n", secrets);
        }
        if self.usage.end() == StreamEnd::Cut {
            tracing::warn!(upstream, "Upstream stream ended without a final event");
            last.extend_from_slice(self.fail(&GatewayError::upstream_error()).as_bytes());
        }
        last
    }

    /// Replaces an upstream's error by one without hosts and credentials.
    fn error<'a>(&self, event: &[u8], secrets: &(impl Iterator<Item = &'a str> + Clone)) -> String {
        let data = data(event).unwrap_or_default();
        let error = upstream_error::read(&data, secrets);
        self.usage.error_events(&GatewayError::upstream_answered(error))
    }
}

fn is_json(data: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok()
}

/// The error of an upstream that broke off, which counts unless it had sent everything.
fn to_error(upstream: &UpstreamEndpoint, has_end: bool, error: BodyError) -> GatewayError {
    if !has_end {
        upstream.count_broken_answer(error.message());
    }
    let BodyError::Failed(cause) = error else { return GatewayError::upstream_timeout() };
    tracing::warn!(upstream = upstream.name, cause, "Upstream stream was interrupted");
    GatewayError::upstream_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: &str =
        "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0}\n\n";
    const COMPLETED: &str = "data: {\"type\":\"response.completed\",\"sequence_number\":1,\
                             \"response\":{\"usage\":null}}\n\n";

    /// What a client gets of a stream that arrives in parts of this size.
    fn forwarded(stream: &str, size: usize) -> String {
        let secrets = std::iter::once("secret.example");
        let mut events = StoredEvents::of("resp_1");
        let mut out = Vec::new();
        for part in stream.as_bytes().chunks(size) {
            out.extend(events.feed(part, &secrets));
        }
        out.extend(events.finish("u", &secrets));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn events_of_a_stored_response_pass_unchanged() {
        let whole = format!("{CREATED}: comment\n\n{COMPLETED}");
        for size in [1, 7, 1_000] {
            assert_eq!(forwarded(&whole, size), whole);
        }
        assert_eq!(forwarded(whole.trim_end(), 1_000), whole, "the last one lacks its empty line");
    }

    #[test]
    fn no_error_follows_the_last_event() {
        let secrets = std::iter::empty::<&str>();
        let (mut whole, mut open) = (StoredEvents::of("resp_1"), StoredEvents::of("resp_1"));
        whole.feed(format!("{CREATED}{COMPLETED}").as_bytes(), &secrets);
        open.feed(CREATED.as_bytes(), &secrets);
        let error = GatewayError::upstream_error();
        assert_eq!(whole.fail(&error), "");
        assert!(open.fail(&error).contains("response.failed"));
    }

    #[test]
    fn stored_stream_that_breaks_off_ends_with_an_error() {
        let sent = forwarded(&format!("{CREATED}data: {{\"half"), 9);
        let rest = sent.strip_prefix(CREATED).unwrap();
        assert!(rest.starts_with("event: error\n") && !rest.contains("half"), "{rest}");
        assert!(rest.contains("\"id\":\"resp_1\"") && rest.contains("\"sequence_number\":2"));
        let error = "data: {\"type\":\"error\",\"message\":\"at secret.example\"}\n\n";
        let sent = forwarded(&format!("{CREATED}{error}{COMPLETED}"), 1_000);
        assert!(!sent.contains("secret.example") && !sent.contains("response.completed"));
        assert!(sent.contains("response.failed"));
    }
}
