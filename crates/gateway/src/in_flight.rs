//! A call in progress at an upstream, with its reservation and what it would cost now.

use latchkey_checker::{Checker, Error};
use latchkey_checker::{KeyWatch, Reservation, ResponseStore};
use latchkey_domain::id::ProjectId;
use latchkey_domain::price::Price;
use latchkey_domain::token_usage::TokenUsage;
use tokio::sync::OwnedSemaphorePermit;

use super::accounting::ItemId;
use super::error::GatewayError;

/// A call in progress. Dropping it settles the reservation with the usage known so far.
pub(super) struct InFlightCall {
    reservation: Option<Reservation>,
    key: KeyWatch,
    /// Estimated prompt tokens.
    prompt: u64,
    /// Tokens that are charged beside the prompt if the client disconnects before the response.
    unanswered: u64,
    /// The usage that dropping settles with.
    usage: TokenUsage,
    /// Remembers what later calls of a project may refer to. None if the call makes no response.
    memory: Option<(Checker, ProjectId)>,
    /// Whether the upstream stores the response and its items.
    is_stored: bool,
    is_remembered: bool,
    /// One of the server's concurrent calls to upstreams.
    _permit: OwnedSemaphorePermit,
}

impl InFlightCall {
    /// Starts with the prompt, which the upstream has from now on, and `answers` tokens, which are
    /// charged if the client disconnects before the response.
    pub(super) const fn new(
        reservation: Reservation,
        key: KeyWatch,
        (prompt, completion): (u64, u64),
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let usage = estimated_call(prompt, completion);
        let reservation = Some(reservation);
        let unanswered = completion;
        Self {
            reservation,
            key,
            prompt,
            unanswered,
            usage,
            memory: None,
            is_stored: false,
            is_remembered: false,
            _permit: permit,
        }
    }

    /// The same for a call that makes a response for a project. `is_stored` says whether the
    /// upstream stores it.
    pub(super) fn making_response(
        mut self,
        checker: &Checker,
        project: ProjectId,
        is_stored: bool,
    ) -> Self {
        self.memory = Some((checker.clone(), project));
        self.is_stored = is_stored;
        self
    }

    /// Goes to an upstream, at its price. One that `cancels` stops generating if the client
    /// disconnects.
    pub(super) const fn begin_attempt(&mut self, price: Option<Price>, cancels: bool) {
        if let Some(reservation) = &mut self.reservation {
            reservation.set_price(price);
        }
        let completion = if cancels { 0 } else { self.unanswered };
        self.usage = estimated_call(self.prompt, completion);
    }

    /// Remembers whose the response is and which upstream has it, once, if it is stored.
    pub(super) fn remember_response(&mut self, id: &str, upstream: &str) {
        if let Some((checker, project)) = &self.memory
            && self.is_stored
            && !self.is_remembered
        {
            self.is_remembered = true;
            checker.remember_response(*project, id, ResponseStore::Upstream(upstream.into()));
        }
    }

    /// Remembers the same of an output item or its container, which later calls may refer to.
    /// Containers are there even if the response is not stored.
    pub(super) fn remember_item(&self, item: &ItemId, upstream: &str) {
        if let Some((checker, project)) = &self.memory
            && (self.is_stored || item.is_container)
        {
            checker.remember_item(*project, &item.id, ResponseStore::Upstream(upstream.into()));
        }
    }

    /// Sets the usage that the call would settle with now.
    pub(super) const fn set_usage(&mut self, usage: TokenUsage) {
        self.usage = usage;
    }

    /// Like [`Self::set_usage`], but never lowers the completion.
    pub(super) const fn raise_usage(&mut self, usage: TokenUsage) {
        if usage.completion > self.usage.completion {
            self.usage = usage;
        }
    }

    /// Charges only the prompt from now on.
    pub(super) const fn charge_prompt(&mut self) {
        self.usage = estimated_prompt(self.prompt);
    }

    /// Settles with the current usage. Done before the response ends, as the client's next call may
    /// depend on it.
    pub(super) async fn settle(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            reservation.settle(self.usage).await;
        }
    }

    /// The upstream refused the call or failed: it costs a request, no tokens and no money.
    /// Done before the response, as the client's next call may need what was reserved.
    pub(super) async fn release(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            reservation.settle_refused().await;
        }
    }

    /// Same as [`Self::release`], for callers that cannot await.
    pub(super) fn release_later(&mut self) {
        drop(self.reservation.take());
    }

    /// Resolves when the key is no longer valid.
    pub(super) async fn key_invalidated(&mut self) -> GatewayError {
        Error::from(Box::new(self.key.ended().await)).into()
    }
}

/// Usage of an estimated prompt and a completion of so many tokens.
const fn estimated_call(prompt: u64, completion: u64) -> TokenUsage {
    let estimated = prompt.saturating_add(completion);
    TokenUsage { completion, estimated, ..estimated_prompt(prompt) }
}

/// Usage of an estimated prompt without a completion.
const fn estimated_prompt(prompt: u64) -> TokenUsage {
    TokenUsage { prompt, completion: 0, cached: 0, cache_written: 0, estimated: prompt }
}

impl Drop for InFlightCall {
    fn drop(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            reservation.settle_later(self.usage);
        }
    }
}
