//! What a gateway call holds between the two halves of its check.

use latchkey_domain::api::RateLimitState;

use crate::call_slot::CallSlot;
use crate::outcome::LimitStates;

/// What a call has acquired before its body arrived.
#[must_use]
pub struct PendingCall {
    /// Whether it acquired a request of `rpm`, at any level. False if it had no such limit then.
    pub(crate) acquired_request: bool,
    /// State of requests per minute at that time.
    pub(crate) requests: Option<RateLimitState>,
    /// State of tokens per minute at that time. None were acquired.
    pub(crate) tokens: Option<RateLimitState>,
    pub(crate) slot: CallSlot,
}

impl PendingCall {
    /// States of the limits that were checked before the body.
    pub fn limits(&self) -> LimitStates {
        LimitStates { requests: self.requests, tokens: self.tokens }
    }
}
