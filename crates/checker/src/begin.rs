//! First half of a gateway call's check: everything that can be decided before the body arrives.
//!
//! A body takes time to arrive and to parse, and a caller may send one bad body after another. So
//! the key, its requests per minute and its calls in progress are checked first, those of its
//! project and organization too, and the request stays counted whatever becomes of the call. What
//! depends on the body (model, tokens) follows with [`Checker::reserve`] or
//! [`Checker::admit_pending`].

use latchkey_domain::outcome::Outcome;

use crate::acquire;
use crate::call_slot::CallSlot;
use crate::checker::Checker;
use crate::evaluate;
use crate::outcome::Denial;
use crate::outcome::LimitStates;
use crate::pending_call::PendingCall;
use crate::rate_limit::{self, MinuteLimits};
use crate::recording::record_denial;
use crate::request::CheckRequest;
use crate::request::IdentifiedKey;
use crate::token_estimate::TokenAmount;

impl Checker {
    /// Acquires one request of `rpm` and a slot for a call in progress, at every level.
    ///
    /// # Errors
    /// The [`Denial`] with the outcome; it is counted.
    pub async fn begin(
        &self,
        identity: &IdentifiedKey,
        call: CheckRequest<'_>,
    ) -> Result<PendingCall, Denial> {
        let now = self.clock.now();
        let pending = match evaluate::evaluate(&identity.key, identity.old, call, now) {
            Some(refused) => Err(acquire::refused(self, identity, refused, None).await),
            None => acquire_request(self, identity).await,
        };
        if let Err(denial) = &pending {
            record_denial(self, identity, call, denial, now);
        }
        pending
    }
}

async fn acquire_request(
    checker: &Checker,
    identity: &IdentifiedKey,
) -> Result<PendingCall, Denial> {
    const NO_TOKENS: TokenAmount = TokenAmount::Exactly(0);
    let key = &identity.key;
    let mut limits = LimitStates::default();
    let of_key = |denial: Denial, limits| Denial { key: Some(key.clone()), limits, ..denial };
    let of = MinuteLimits::of(key).requests();
    let acquired = rate_limit::acquire(checker, of, NO_TOKENS, &mut limits).await;
    let acquired = acquired.map_err(|denial| of_key(*denial, limits))?;
    let slot = CallSlot::acquire(checker, key).await;
    let slot = slot.map_err(|denial| of_key(*denial, limits))?;
    let LimitStates { requests, tokens } = limits;
    Ok(PendingCall { acquired_request: acquired.has_request(), requests, tokens, slot })
}

impl Checker {
    /// Counts a call that is refused for a reason other than its key, e.g. because the node is
    /// overloaded.
    pub fn refuse(
        &self,
        identity: &IdentifiedKey,
        call: CheckRequest<'_>,
        outcome: Outcome,
        detail: &'static str,
    ) -> Denial {
        let key = Some(identity.key.clone());
        let denial = Denial { detail: detail.to_owned(), key, ..Denial::of(outcome) };
        record_denial(self, identity, call, &denial, self.clock.now());
        denial
    }
}
