//! Streams: server-sent events, passed through as they come.
//!
//! Every event's bytes go on as they are. The gateway asks for the usage at the end; if the client
//! did not, that one event is left out again. Whoever goes away midway pays for what had come until
//! then.

use std::time::Duration;

use axum::body::Bytes;
use futures::Stream;
use latchkey_services::check::UsedTokens;
use reqwest::Response;
use serde::Deserialize;

use super::error::Refused;
use super::forward::Usage;
use super::in_flight::InFlightCall;
use crate::room::Held;

/// An event that is longer is passed on unread.
const LONGEST_EVENT: usize = 1024 * 1024;

/// One that is longer takes of the room for bodies while it is not whole.
const SHORT_EVENT: usize = 64 * 1024;

/// A stream on its way to the client.
pub(super) struct Relay {
    answer: Response,
    patience: Duration,
    call: InFlightCall,
    meter: Meter,
    hides_usage: bool,
    /// What has come of an event that is not whole yet.
    pending: Vec<u8>,
    /// What that takes of the room for bodies, if it is long.
    held: Held,
    ended: bool,
}

/// What a stream has cost so far.
struct Meter {
    prompt_tokens: u64,
    told: Option<Usage>,
    /// Events with content: a token each, about.
    events: u64,
}

impl Meter {
    fn used(&self) -> UsedTokens {
        match self.told {
            Some(usage) => usage.into(),
            None => UsedTokens {
                prompt: self.prompt_tokens,
                completion: self.events,
                estimated: self.prompt_tokens.saturating_add(self.events),
            },
        }
    }
}

impl Meter {
    /// Reads an event; whether it tells the usage and nothing else.
    fn read(&mut self, event: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Chunk {
            #[serde(default)]
            choices: Vec<serde::de::IgnoredAny>,
            usage: Option<Usage>,
        }
        let Some(chunk) = data(event).and_then(|data| serde_json::from_slice::<Chunk>(data).ok())
        else {
            return false;
        };
        let is_usage = chunk.choices.is_empty() && chunk.usage.is_some();
        if let Some(usage) = chunk.usage {
            self.told = Some(usage);
        }
        if !chunk.choices.is_empty() {
            self.events += 1;
        }
        is_usage
    }
}

impl Relay {
    pub(super) fn new(
        answer: Response,
        patience: Duration,
        call: InFlightCall,
        prompt_tokens: u64,
        wants_usage: bool,
    ) -> Self {
        Self {
            answer,
            patience,
            call,
            meter: Meter { prompt_tokens, told: None, events: 0 },
            hides_usage: !wants_usage,
            pending: Vec::new(),
            held: Held::default(),
            ended: false,
        }
    }

    /// The events for the client.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
        futures::stream::unfold(self, async |mut relay| {
            let part = relay.next().await?;
            Some((Ok(part), relay))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        while !self.ended {
            let chunk = tokio::select! {
                // First: an upstream may always have something to say.
                biased;
                refused = self.call.key_ended() => Err(refused),
                chunk = tokio::time::timeout(self.patience, self.answer.chunk()) => match chunk {
                    Ok(Ok(chunk)) => Ok(chunk),
                    Ok(Err(_)) => Err(Refused::upstream_error()),
                    Err(_) => Err(Refused::upstream_timeout()),
                },
            };
            let out = match chunk {
                Ok(Some(chunk)) => self.take(chunk),
                Ok(None) => {
                    self.ended = true;
                    std::mem::take(&mut self.pending).into()
                }
                Err(refused) => self.fail(&refused),
            };
            self.call.has_used(self.meter.used());
            if self.ended {
                // Now, not when the client has taken the rest: the next call may depend on it.
                self.call.settle().await;
            }
            if !out.is_empty() {
                return Some(out);
            }
        }
        None
    }

    /// Ends the stream with an event that says why. Half an event is left out.
    fn fail(&mut self, refused: &Refused) -> Bytes {
        self.ended = true;
        self.pending.clear();
        refused.event().into()
    }

    /// Takes what has come and returns the events that are whole now: as the bytes that came,
    /// mostly.
    fn take(&mut self, chunk: Bytes) -> Bytes {
        let (all, from) = if self.pending.is_empty() {
            (chunk, 0)
        } else {
            // An end may lie across two chunks.
            let from = self.pending.len().saturating_sub(3);
            self.pending.extend_from_slice(&chunk);
            (std::mem::take(&mut self.pending).into(), from)
        };
        let Some(end) = last_end(&all, from) else {
            let more = all.len().saturating_sub(self.held.bytes());
            // A short one is there anyway, as a part of what was read.
            let fits = all.len() <= SHORT_EVENT || self.held.take(more);
            if all.len() > LONGEST_EVENT || !fits {
                self.held = Held::default();
                return all;
            }
            // The same memory again, if it was pending before.
            self.pending = all.into();
            return Bytes::new();
        };
        self.pending = all[end..].to_vec();
        self.held = Held::default();
        self.let_through(all.slice(..end))
    }

    /// Events without those that the client is not to see.
    fn let_through(&mut self, events: Bytes) -> Bytes {
        // Only where something is left out.
        let mut rest: Option<Vec<u8>> = None;
        let mut at = 0;
        while let Some(length) = first_end(&events[at..]) {
            let event = &events[at..at + length];
            let passes = self.passes(event);
            match &mut rest {
                Some(rest) if passes => rest.extend_from_slice(event),
                None if !passes => rest = Some(events[..at].to_vec()),
                _ => {}
            }
            at += length;
        }
        match rest {
            Some(mut rest) => {
                rest.extend_from_slice(&events[at..]);
                rest.into()
            }
            None => events,
        }
    }

    /// Reads an event's usage; whether the client is to see the event.
    fn passes(&mut self, event: &[u8]) -> bool {
        let is_usage = self.meter.read(event);
        !(is_usage && self.hides_usage)
    }
}

/// Reads whole events and goes no further, for [`crate::parsers`].
pub(super) fn read_events(mut events: &[u8]) {
    let mut meter = Meter { prompt_tokens: 0, told: None, events: 0 };
    let _ = last_end(events, 0);
    while let Some(length) = first_end(events) {
        meter.read(&events[..length]);
        events = &events[length..];
    }
}

/// The data of an event of one line, which is how this protocol has them.
fn data(event: &[u8]) -> Option<&[u8]> {
    event.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data:"))
}

/// Where the first whole event ends: after an empty line.
fn first_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).find_map(|at| match &bytes[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// Where the last whole event ends, if one ends at `from` or later.
fn last_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut end = None;
    let mut start = from;
    while let Some(next) = first_end(&bytes[start..]) {
        start += next;
        end = Some(start);
    }
    end
}
