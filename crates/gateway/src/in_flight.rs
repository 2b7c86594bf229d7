//! A call that an upstream has: what it holds until it is known what it cost.

use latchkey_services::Error;
use latchkey_services::check::{KeyWatch, Reservation, UsedTokens};
use tokio::sync::OwnedSemaphorePermit;

use super::error::GatewayError;

/// A call in progress. When it is dropped before it was settled it costs what it has used as far as
/// is known.
pub(super) struct InFlightCall {
    reservation: Option<Reservation>,
    key: KeyWatch,
    /// The estimate of the prompt.
    prompt: u64,
    /// What dropping settles by.
    used: UsedTokens,
    /// One of the node's calls in progress to upstreams.
    _permit: OwnedSemaphorePermit,
}

impl InFlightCall {
    /// A call that is sent now. Until its answer comes, whoever leaves pays for `answers` tokens
    /// beside the prompt, which the upstream has.
    pub(super) const fn new(
        reservation: Reservation,
        key: KeyWatch,
        (prompt, answers): (u64, u64),
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let estimated = prompt.saturating_add(answers);
        let used = UsedTokens { prompt, completion: answers, estimated };
        Self { reservation: Some(reservation), key, prompt, used, _permit: permit }
    }

    /// What the call costs if it ends now.
    pub(super) const fn has_used(&mut self, used: UsedTokens) {
        self.used = used;
    }

    /// The same, if it is more than what was to be paid until now.
    pub(super) const fn has_used_at_least(&mut self, used: UsedTokens) {
        if used.completion > self.used.completion {
            self.used = used;
        }
    }

    /// The call costs its prompt if it ends now.
    pub(super) const fn pays_for_prompt(&mut self) {
        let prompt = self.prompt;
        self.used = UsedTokens { prompt, completion: 0, estimated: prompt };
    }

    /// Settles by what the call has used. The next call may depend on it.
    pub(super) async fn settle(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            reservation.settle(self.used).await;
        }
    }

    /// The upstream failed: the call costs nothing.
    pub(super) fn release(&mut self) {
        drop(self.reservation.take());
    }

    /// Waits until the call's key is no good any more.
    pub(super) async fn key_invalidated(&mut self) -> GatewayError {
        Error::from(Box::new(self.key.ended().await)).into()
    }
}

impl Drop for InFlightCall {
    fn drop(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            reservation.settle_later(self.used);
        }
    }
}
