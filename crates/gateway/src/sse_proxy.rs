//! Forwards streams of server-sent events.
//!
//! Events are forwarded byte for byte. The gateway asks the upstream for usage at the end and
//! removes that event if the client did not ask for it. If the client disconnects, it is charged
//! for what had arrived. Every stream gets a proper end: some clients take a truncated stream for
//! the whole answer, and some repeat the call forever.

use axum::body::Bytes;
use futures::Stream;
use latchkey_domain::token_usage::TokenUsage;
use latchkey_listener::BufferPermit;
use serde::de::IgnoredAny;

use super::accounting::{EventKind, StreamEnd, StreamUsage, data, next_event};
use super::endpoint::Endpoint;
use super::error::GatewayError;
use super::in_flight::InFlightCall;
use super::response_body::{BodyError, CUT_STREAM, ResponseBody};
use super::response_context::ResponseContext;
use super::upstream_error;

/// A longer incomplete event is accounted to the memory budget for bodies.
const UNACCOUNTED_EVENT_BYTES: usize = 64 * 1024;

/// Events are merged into one write until it has this size.
const MAX_WRITE_BYTES: usize = 16 * 1024;

/// How much of a stream is still read after the client has disconnected. Some upstreams never stop.
const MAX_READ_AFTER_DISCONNECT_BYTES: usize = 64 * 1024;

/// A stream that is being forwarded.
pub(super) struct SseProxy {
    body: ResponseBody,
    call: InFlightCall,
    context: ResponseContext,
    /// Beginning of an event whose end has not arrived.
    pending: Vec<u8>,
    /// Share of the memory budget that a long incomplete event uses.
    permit: BufferPermit,
    ended: bool,
}

impl SseProxy {
    pub(super) fn new(
        body: ResponseBody,
        mut call: InFlightCall,
        context: ResponseContext,
    ) -> Self {
        // The response has started, so a client that disconnects now pays for what has arrived.
        call.set_usage(context.usage.usage_so_far());
        Self {
            body,
            call,
            context,
            pending: Vec::new(),
            permit: BufferPermit::default(),
            ended: false,
        }
    }

    /// The events for the client.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
        futures::stream::unfold(self, async |mut proxy| {
            let chunk = proxy.next().await?;
            Some((Ok(chunk), proxy))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        while !self.ended {
            let chunk = tokio::select! {
                // Checked first, as the upstream may always be ready.
                biased;
                error = self.call.key_invalidated() => Err(error),
                chunk = self.body.next(self.context.idle_timeout) => chunk.map_err(|error| self.to_error(error)),
            };
            let out = self.process(chunk);
            let mut out = self.drain_ready(out);
            if let Err(error) = self.call.keep_background().await {
                drop(self.fail(&error));
                // The client has nothing of the answer yet, even if all of it has come.
                out = self.context.usage.error_events(&error).into();
            }
            if self.ended {
                // Settles before the client reads the last bytes, as its next call may depend on
                // it.
                if self.context.usage.is_refused() {
                    self.call.release().await;
                } else {
                    self.call.settle().await;
                }
            } else if self.call.has_ended_in_background() {
                self.call.settle().await;
            }
            if !out.is_empty() {
                return Some(out);
            }
        }
        None
    }

    /// Handles a chunk, the end, or an error of the upstream; returns the bytes for the client.
    fn process(&mut self, chunk: Result<Option<Bytes>, GatewayError>) -> Bytes {
        let out = match chunk {
            Ok(Some(chunk)) => self.feed(chunk),
            Ok(None) => self.finish(),
            Err(error) => self.fail(&error),
        };
        let usage = &self.context.usage;
        // Whoever has cancelled it is told so, or we ask; then it costs what was reserved.
        if let Some(used) = usage.ended_usage().filter(|_| !usage.is_cancelled_untold()) {
            self.call.end_background(used);
        }
        out
    }

    /// Usage if the stream ended now. After its last event nobody leaves early any more.
    fn current_usage(&self) -> TokenUsage {
        let usage = &self.context.usage;
        match usage.end() {
            StreamEnd::Whole => usage.usage(),
            StreamEnd::LacksDone | StreamEnd::Cut => usage.usage_so_far(),
        }
    }

    /// Appends chunks that have already arrived, so that they are sent in one write.
    fn drain_ready(&mut self, first: Bytes) -> Bytes {
        let mut all = Vec::new();
        while !self.ended && first.len() + all.len() < MAX_WRITE_BYTES {
            let Some(chunk) = self.body.next_if_ready() else { break };
            let chunk = self.process(chunk.map_err(|error| self.to_error(error)));
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&chunk);
        }
        if all.is_empty() { first } else { all.into() }
    }

    fn to_error(&self, error: BodyError) -> GatewayError {
        let upstream = &self.context.target.upstream;
        if self.context.usage.end() != StreamEnd::Whole {
            upstream.count_broken_answer(error.message());
        }
        let BodyError::Failed(cause) = error else { return GatewayError::upstream_timeout() };
        tracing::warn!(upstream = upstream.name, cause, "Upstream stream was interrupted");
        GatewayError::upstream_error()
    }

    /// Ends the stream with an error event, unless it had its last event: clients would discard a
    /// whole answer. An incomplete event is discarded.
    fn fail(&mut self, error: &GatewayError) -> Bytes {
        self.ended = true;
        self.pending.clear();
        self.call.set_usage(self.current_usage());
        match self.context.usage.end() {
            StreamEnd::Whole => Bytes::new(),
            StreamEnd::LacksDone | StreamEnd::Cut => self.context.usage.error_events(error).into(),
        }
    }

    /// Handles the end of the upstream's stream. The last event may lack its empty line.
    fn finish(&mut self) -> Bytes {
        let mut last = std::mem::take(&mut self.pending);
        if is_event(&last) {
            last.extend_from_slice(b"\n\n");
            last = self.filter_events(&last.into(), 0).into();
        } else {
            last.clear();
        }
        if self.ended {
            return last.into();
        }
        match self.context.usage.end() {
            StreamEnd::Cut => {
                let upstream = &self.context.target.upstream;
                upstream.count_broken_answer(CUT_STREAM);
                let name = &upstream.name;
                tracing::warn!(upstream = name, "Upstream stream ended without a final event");
                return self.fail(&GatewayError::upstream_error());
            }
            StreamEnd::LacksDone => {
                last.extend_from_slice(self.context.usage.missing_events().as_bytes());
            }
            StreamEnd::Whole => {}
        }
        self.ended = true;
        self.call.set_usage(self.context.usage.usage());
        last.into()
    }

    /// Adds a chunk and returns the events that are now complete. Mostly without a copy.
    fn feed(&mut self, chunk: Bytes) -> Bytes {
        let (all, from) = if self.pending.is_empty() {
            (chunk, 0)
        } else {
            let from = self.pending.len();
            self.pending.extend_from_slice(&chunk);
            (std::mem::take(&mut self.pending).into(), from)
        };
        self.filter_events(&all, from)
    }

    /// Returns the complete events, without those that the client must not see, and keeps the rest.
    /// The first `from` bytes were searched before.
    fn filter_events(&mut self, all: &Bytes, from: usize) -> Bytes {
        // Set only if an event is removed or replaced.
        let mut changed: Option<Vec<u8>> = None;
        let mut at = 0;
        while let Some(length) = next_event(&all[at..], from.saturating_sub(at)) {
            let event = &all[at..at + length];
            let replaced = match self.context.usage.read(event) {
                EventKind::UsageOnly if !self.context.wants_usage => Some(Vec::new()),
                EventKind::Error => Some(self.error(event)),
                EventKind::LacksUsage => Some(self.context.usage.with_usage(event)),
                EventKind::Hidden => Some(Vec::new()),
                EventKind::UsageOnly | EventKind::Plain | EventKind::Done => None,
            };
            if let Some(id) = self.context.usage.take_response_id() {
                self.call.remember_response(id, &self.context.target.upstream.name);
            }
            for item in self.context.usage.take_item_ids() {
                self.call.remember_item(&item, &self.context.target.upstream.name);
            }
            if self.is_limit_exceeded() {
                let mut out = changed.unwrap_or_else(|| all[..at].to_vec());
                out.extend_from_slice(self.end_at_limit(event).as_bytes());
                return out.into();
            }
            match (&mut changed, replaced) {
                (None, None) => {}
                (None, Some(replaced)) => changed = Some([&all[..at], &replaced].concat()),
                (Some(out), None) => out.extend_from_slice(event),
                (Some(out), Some(replaced)) => out.extend_from_slice(&replaced),
            }
            at += length;
        }
        let out = changed.map_or_else(|| all.slice(..at), Bytes::from);
        self.buffer_rest(all.slice(at..), out)
    }

    /// Keeps the beginning of an incomplete event. Forwards it unparsed if it is too long.
    fn buffer_rest(&mut self, rest: Bytes, out: Bytes) -> Bytes {
        let more = rest.len().saturating_sub(self.permit.bytes());
        // A short rest is part of the read buffer, which exists anyway.
        let fits = rest.len() <= UNACCOUNTED_EVENT_BYTES || self.permit.acquire(more);
        if rest.len() > self.context.usage.max_event_bytes() || !fits {
            self.context.usage.read_beginning(&rest);
            self.permit = BufferPermit::default();
            return if out.is_empty() { rest } else { [out, rest].concat().into() };
        }
        if rest.len() <= UNACCOUNTED_EVENT_BYTES {
            self.permit = BufferPermit::default();
        }
        // Reuses the allocation if the rest was pending before.
        self.pending = rest.into();
        out
    }

    /// Whether the upstream has sent more than was reserved.
    fn is_limit_exceeded(&self) -> bool {
        let usage = &self.context.usage;
        usage.end() == StreamEnd::Cut
            && self.context.limit.is_some_and(|limit| usage.delivered() > limit)
    }

    /// Ends the stream before the event that exceeds the reservation, like a stream that reached
    /// `max_tokens`.
    fn end_at_limit(&mut self, last: &[u8]) -> String {
        self.ended = true;
        let ResponseContext { usage, limit, choices, .. } = &self.context;
        let charged = usage.usage_within(limit.unwrap_or(u64::MAX));
        self.call.set_usage(charged);
        usage.cap_events(last, *choices, charged)
    }

    /// Replaces an upstream's error by one without hosts and credentials.
    fn error(&self, event: &[u8]) -> Vec<u8> {
        let data = data(event).unwrap_or_default();
        let upstream = &self.context.target.upstream;
        let error = upstream_error::read(&data, &upstream.secrets());
        upstream.count_broken_answer(&error.message);
        let error = GatewayError::upstream_answered(error);
        self.context.usage.error_events(&error).into_bytes()
    }
}

impl Drop for SseProxy {
    /// Charges a client that disconnects for everything that has arrived, even if it was not read
    /// yet.
    fn drop(&mut self) {
        let mut read = 0;
        while !self.ended
            && read < MAX_READ_AFTER_DISCONNECT_BYTES
            && let Some(Ok(Some(chunk))) = self.body.next_if_ready()
        {
            read += chunk.len();
            drop(self.process(Ok(Some(chunk))));
        }
        if self.context.usage.is_refused() {
            self.call.release_later();
        } else if !self.ended {
            // Not computed for each event: nobody settles a stream before its end.
            self.call.set_usage(self.current_usage());
        }
    }
}

/// Whether the rest of a stream is a complete event that only lacks its empty line.
fn is_event(bytes: &[u8]) -> bool {
    let is_whole = |data: &[u8]| {
        data.trim_ascii() == b"[DONE]" || serde_json::from_slice::<IgnoredAny>(data).is_ok()
    };
    data(bytes).is_some_and(|data| is_whole(&data))
}

/// Parses complete events, for [`crate::parsers`].
pub(super) fn read_events(mut events: &[u8]) {
    let mut forms = Endpoint::ALL.map(|endpoint| StreamUsage::new(endpoint, 0));
    while let Some(length) = next_event(events, 0) {
        for usage in &mut forms {
            usage.read(&events[..length]);
        }
        events = &events[length..];
    }
}
