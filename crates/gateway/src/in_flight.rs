//! A call in progress at an upstream, with its reservation and what it would cost now.

use latchkey_checker::{BackgroundResponse, BackgroundUsage, Checker, Error};
use latchkey_checker::{KeyWatch, Reservation, ResponseStore};
use latchkey_domain::id::ProjectId;
use latchkey_domain::price::Price;
use latchkey_domain::token_usage::TokenUsage;
use tokio::sync::OwnedSemaphorePermit;

use super::accounting::ItemId;
use super::background_call::BackgroundCall;
use super::error::GatewayError;
use super::model_span::ModelSpan;

/// A call in progress. Dropping it settles the reservation with the usage known so far.
///
/// If it makes a response in the background, the reservation goes to the database as soon as the ID
/// of the response is known, and is settled when the response has ended, wherever that is read.
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
    /// None if the response ends with the call.
    background: Option<BackgroundCall>,
    /// The span of the attempt, until the call is settled.
    pub(super) span: ModelSpan,
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
            background: None,
            span: ModelSpan::NONE,
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

    /// The same for one that is made in the background.
    pub(super) fn in_background(mut self) -> Self {
        self.background = Some(BackgroundCall::default());
        self
    }

    /// Whether the response goes on when the call has ended.
    pub(super) const fn is_in_background(&self) -> bool {
        self.background.is_some()
    }

    /// Goes to an upstream, at its price. One that `cancels` stops generating if the client
    /// disconnects, unless it does so in the background.
    pub(super) const fn begin_attempt(&mut self, price: Option<Price>, cancels: bool) {
        if let Some(reservation) = &mut self.reservation {
            reservation.set_price(price);
        }
        let ends = cancels && self.background.is_none();
        let completion = if ends { 0 } else { self.unanswered };
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
            if let Some(background) = &mut self.background {
                background.place = Some((id.to_owned(), upstream.to_owned()));
            }
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

    /// Whether that response has ended, and is still to be settled.
    pub(super) fn has_ended_in_background(&self) -> bool {
        self.background.as_ref().is_some_and(|background| background.has_ended)
    }

    /// Leaves the reservation of a background response to the database, once the ID of the response
    /// is known. Done before the client gets any of it.
    ///
    /// # Errors
    /// 503: the database fails. What was reserved is charged.
    pub(super) async fn keep_background(&mut self) -> Result<(), GatewayError> {
        let Some(background) = &mut self.background else { return Ok(()) };
        let Some((id, upstream)) = background.place.clone() else { return Ok(()) };
        let Some(reservation) = self.reservation.take() else { return Ok(()) };
        let unread = self.usage;
        let response = BackgroundResponse { id, upstream: Some(upstream), unread };
        match reservation.into_background(response).await {
            Ok(slot) => {
                let (place, has_ended) = (background.place.take(), background.has_ended);
                *background = BackgroundCall { place, has_ended, _slot: slot };
                Ok(())
            }
            // It is in the log.
            Err(_) => Err(GatewayError::background_unavailable()),
        }
    }

    /// Notes what a background response has used, which has ended.
    pub(super) const fn end_background(&mut self, usage: TokenUsage) {
        if let Some(background) = &mut self.background {
            background.has_ended = true;
            self.usage = usage;
        }
    }

    /// Sets the usage that the call would settle with now. What has come of a background response
    /// says nothing of what it will have used.
    pub(super) const fn set_usage(&mut self, usage: TokenUsage) {
        if self.background.is_none() {
            self.usage = usage;
        }
    }

    /// Like [`Self::set_usage`], but never lowers the completion.
    pub(super) const fn raise_usage(&mut self, usage: TokenUsage) {
        if usage.completion > self.usage.completion {
            self.set_usage(usage);
        }
    }

    /// Charges only the prompt from now on.
    pub(super) const fn charge_prompt(&mut self) {
        self.usage = estimated_prompt(self.prompt);
    }

    /// Settles with the current usage. Done before the response ends, as the client's next call may
    /// depend on it.
    pub(super) async fn settle(&mut self) {
        self.end_span();
        if let Some(reservation) = self.reservation.take() {
            reservation.settle(self.usage).await;
        } else if let Some((checker, project, id)) = self.take_ended() {
            let used = BackgroundUsage::Told(self.usage);
            if let Err(error) = checker.settle_background(project, &id, used).await {
                tracing::warn!(%error, "Failed to settle a background response; retrying later");
            }
        }
    }

    /// Ends the span with the usage. While a response goes on in the background, it is not known.
    fn end_span(&mut self) {
        let is_known = self.background.as_ref().is_none_or(|background| background.has_ended);
        self.span.end(is_known.then_some(self.usage));
    }

    /// The background response that is to be settled, the first time that it has ended.
    fn take_ended(&mut self) -> Option<(Checker, ProjectId, String)> {
        let background = self.background.as_mut()?;
        if !std::mem::replace(&mut background.has_ended, false) {
            return None;
        }
        let (id, _) = background.place.clone()?;
        let (checker, project) = self.memory.as_ref()?;
        Some((checker.clone(), *project, id))
    }

    /// The upstream refused the call or failed: it costs a request, no tokens and no money.
    /// Done before the response, as the client's next call may need what was reserved.
    pub(super) async fn release(&mut self) {
        self.span.end(None);
        if let Some(reservation) = self.reservation.take() {
            reservation.settle_refused().await;
        }
    }

    /// Same as [`Self::release`], for callers that cannot await.
    pub(super) fn release_later(&mut self) {
        self.span.end(None);
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
        self.end_span();
        if let Some(reservation) = self.reservation.take() {
            reservation.settle_later(self.usage);
        } else if let Some((checker, project, id)) = self.take_ended() {
            checker.settle_background_later(project, id, BackgroundUsage::Told(self.usage));
        }
    }
}
