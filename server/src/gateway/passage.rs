//! Answers that are no streams of events, on their way to the client.
//!
//! A short one is passed on whole, so that an upstream that breaks off midway is told as an error.
//! A longer one passes as it comes: what a client does not take stays with the upstream. Its last
//! part is held back until the call is settled, as the client's next call may depend on it.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use latchkey_services::check::UsedTokens;

use super::error::Refused;
use super::in_flight::InFlightCall;
use super::usage_reader::UsageReader;
use crate::room::Held;

/// The longest answer that is held until it is whole.
const WHOLE: usize = 64 * 1024;

/// An answer on its way.
pub(super) struct Passage {
    answer: reqwest::Response,
    patience: Duration,
    call: InFlightCall,
    prompt_tokens: u64,
    usage: UsageReader,
    /// What has come and is not passed on yet.
    last: Bytes,
    /// What is held takes of the room for bodies.
    held: Held,
    is_over: bool,
}

/// Passes an answer on. The upstream's first part is waited for, so that what fails before is an
/// error.
pub(super) async fn pass_on(
    answer: reqwest::Response,
    kind: Option<HeaderValue>,
    call: InFlightCall,
    patience: Duration,
    prompt_tokens: u64,
) -> Result<Response, Refused> {
    let passage = Passage {
        answer,
        patience,
        call,
        prompt_tokens,
        usage: UsageReader::default(),
        last: Bytes::new(),
        held: Held::default(),
        is_over: false,
    };
    let kind = kind.unwrap_or(HeaderValue::from_static("application/json"));
    let body = passage.begin().await?;
    Ok((StatusCode::OK, [(CONTENT_TYPE, kind)], body).into_response())
}

impl Passage {
    /// Reads until the answer is whole, or is longer than what is held of one.
    async fn begin(mut self) -> Result<Body, Refused> {
        let mut parts = Vec::new();
        let mut length = 0;
        loop {
            match self.part().await {
                Ok(Some(part)) => {
                    length += part.len();
                    let fits = self.held.take(part.len());
                    parts.push(part);
                    if length > WHOLE || !fits {
                        self.last = joined(parts);
                        break;
                    }
                }
                Ok(None) => {
                    self.call.has_used(self.used());
                    self.call.settle().await;
                    return Ok(joined(parts).into());
                }
                Err(refused) => return Err(refused),
            }
        }
        // From here on something of it reaches the client.
        self.call.has_used(self.used());
        Ok(Body::from_stream(futures::stream::unfold(self, async |mut passage| {
            let next = passage.next().await?;
            Some((next, passage))
        })))
    }

    /// The next part for the client.
    async fn next(&mut self) -> Option<Result<Bytes, std::io::Error>> {
        if self.is_over {
            return None;
        }
        match self.part().await {
            Ok(Some(part)) => {
                self.call.has_used(self.used());
                self.held = Held::default();
                Some(Ok(std::mem::replace(&mut self.last, part)))
            }
            Ok(None) => {
                self.call.settle().await;
                self.is_over = true;
                Some(Ok(std::mem::take(&mut self.last)))
            }
            // There is no way to tell, but that the answer is not whole.
            Err(refused) => {
                self.is_over = true;
                Some(Err(std::io::Error::other(refused.message().to_owned())))
            }
        }
    }

    /// The next part of the upstream's answer. An upstream that fails costs nothing; a key that
    /// ends costs what had come.
    async fn part(&mut self) -> Result<Option<Bytes>, Refused> {
        let part = tokio::select! {
            // First: an upstream may always have something to say.
            biased;
            refused = self.call.key_ended() => return Err(refused),
            part = tokio::time::timeout(self.patience, self.answer.chunk()) => part,
        };
        let failed = match part {
            Ok(Ok(part)) => {
                if let Some(part) = &part {
                    self.usage.read(part);
                }
                return Ok(part);
            }
            Ok(Err(_)) => Refused::upstream_error(),
            Err(_) => Refused::upstream_timeout(),
        };
        self.call.release();
        Err(failed)
    }

    /// What the answer says that it has used, or an estimate.
    fn used(&self) -> UsedTokens {
        let Some(usage) = self.usage.told() else {
            let (prompt, completion) = (self.prompt_tokens, self.usage.length() / 4);
            let estimated = prompt.saturating_add(completion);
            return UsedTokens { prompt, completion, estimated };
        };
        usage.into()
    }
}

fn joined(mut parts: Vec<Bytes>) -> Bytes {
    match parts.len() {
        0 => Bytes::new(),
        1 => parts.remove(0),
        _ => parts.concat().into(),
    }
}
