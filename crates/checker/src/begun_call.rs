//! What a gateway call holds between the two halves of its check.

use latchkey_domain::api::RateLimitState;

use crate::call_slot::CallSlot;
use crate::outcome::LimitStates;

/// What a call has taken before its body came.
#[must_use]
pub struct BegunCall {
    /// Whether a request of `rpm` is among it; a key that gets the limit meanwhile has none taken.
    pub(crate) took_request: bool,
    /// Where requests per minute stood then.
    pub(crate) requests: Option<RateLimitState>,
    /// Where tokens per minute stood then; none of them was taken.
    pub(crate) tokens: Option<RateLimitState>,
    pub(crate) slot: CallSlot,
}

impl BegunCall {
    /// Where the key's limits stand, as far as they were asked.
    pub fn limits(&self) -> LimitStates {
        LimitStates { requests: self.requests, tokens: self.tokens, budget: None }
    }
}
