//! A call that an upstream has: what it holds until it is known what it cost.

use latchkey_services::Error;
use latchkey_services::check::{KeyWatch, Reservation, UsedTokens};
use tokio::sync::OwnedSemaphorePermit;

use super::error::Refused;

/// A call in progress. When it is dropped before it was settled it costs what it has used as far as
/// is known.
pub(super) struct InFlightCall {
    reservation: Option<Reservation>,
    key: KeyWatch,
    /// What dropping settles by.
    used: UsedTokens,
    /// One of the node's calls in progress to upstreams.
    _permit: OwnedSemaphorePermit,
}

impl InFlightCall {
    /// A call that is sent now. Whoever goes away before the answer pays for the prompt, which the
    /// upstream has.
    pub(super) const fn new(
        reservation: Reservation,
        key: KeyWatch,
        prompt_tokens: u64,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let used = UsedTokens { prompt: prompt_tokens, completion: 0, estimated: prompt_tokens };
        Self { reservation: Some(reservation), key, used, _permit: permit }
    }

    /// What the call costs if it ends now.
    pub(super) const fn has_used(&mut self, used: UsedTokens) {
        self.used = used;
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
    pub(super) async fn key_ended(&mut self) -> Refused {
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
