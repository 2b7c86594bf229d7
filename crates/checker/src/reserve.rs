//! Reservations: the maximum cost of a call is reserved before it runs and replaced with its actual
//! cost afterwards.
//!
//! The cost of a call is known only when it is done. Without reservations, concurrent calls would
//! overspend. Dropping a reservation releases all of it. A crash releases nothing, so a budget is
//! never overspent.
//!
//! Reserved is not spent: a call that would fit once the calls in progress have settled waits for
//! them, up to [`SETTLEMENT_TIMEOUT`].

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use latchkey_domain::budget::BudgetUnit;
use latchkey_domain::id::KeyId;
use latchkey_domain::money::Usd;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::price::Price;
use latchkey_domain::time::Timestamp;
use latchkey_domain::token_usage::TokenUsage;
use tokio::sync::futures::Notified;
use tokio::time::Sleep;

use crate::acquire::{self, AcquiredTokens, LimitNeed};
use crate::budget::{self, BudgetMode};
use crate::call_slot::CallSlot;
use crate::checker::Checker;
use crate::confirm;
use crate::evaluate;
use crate::in_progress::ReservedByCalls;
use crate::in_progress_call::InProgressCall;
use crate::outcome::Denial;
use crate::outcome::LimitStates;
use crate::pending_call::PendingCall;
use crate::rate_limit;
use crate::record::KeyRecord;
use crate::recording::count;
use crate::request::CheckRequest;
use crate::request::IdentifiedKey;
use crate::token_estimate::{ReservedTokens, TokenAmount, TokenEstimate};
use crate::usage::Use;

/// How long a call waits for others to settle.
const SETTLEMENT_TIMEOUT: Duration = Duration::from_secs(1);
/// Settlements on other nodes are not announced, so the limit is retried this often.
const SETTLEMENT_INTERVAL: Duration = Duration::from_millis(100);

/// Exact token count of a prompt. It takes time, so it runs only if the decision depends on it.
pub type ExactTokenCount<'a> = Pin<Box<dyn Future<Output = u32> + Send + 'a>>;

/// Cost that a call asks to reserve.
pub struct ReservationRequest<'a> {
    /// Estimated cost of the call.
    pub estimate: TokenEstimate,
    /// Counts the prompt with the model's own tokenizer, if that is known.
    pub exact_count: Option<ExactTokenCount<'a>>,
    /// Price of the model. `None`: it has none, and a spend limit refuses the call.
    pub price: Option<Price>,
}

/// An admitted call and the cost that it has reserved.
#[must_use]
pub struct Reservation {
    checker: Checker,
    unsettled: Option<UnsettledReservation>,
    key: Arc<KeyRecord>,
    /// States of the key's limits, including this reservation.
    pub limits: LimitStates,
    granted: ReservedTokens,
    price: Option<Price>,
}

/// Sample to learn from when the call settles.
struct RatioSample {
    pair: (KeyId, u64),
    /// Estimated tokens of the prompt.
    estimate: u32,
}

/// What a call holds until it settles.
pub(crate) struct UnsettledReservation {
    pub(crate) acquired: AcquiredTokens,
    pub(crate) call: Use,
    /// Model that the gateway has found for the call.
    pub(crate) model: Option<Arc<str>>,
    ratio_sample: RatioSample,
    pub(crate) slot: CallSlot,
    /// Dropped last, after everything else was released.
    pub(crate) in_progress: InProgressCall,
}

impl Checker {
    /// Decides whether an identified key admits a pending call, and reserves its maximum cost: of
    /// all limits or of none. Without an exact count, the prompt's estimate is scaled by the ratio
    /// at which the key's previous calls to the model settled.
    ///
    /// # Errors
    /// The [`Denial`] with the outcome. It is counted.
    pub async fn reserve(
        &self,
        identity: &IdentifiedKey,
        call: CheckRequest<'_>,
        wanted: ReservationRequest<'_>,
        pending: PendingCall,
    ) -> Result<Reservation, Denial> {
        let ReservationRequest { estimate, mut exact_count, price } = wanted;
        let pair = self.prompt_ratios.pair(identity.key.id, call.model);
        let ratio_sample = RatioSample { pair, estimate: estimate.prompt_estimate };
        let model: Option<Arc<str>> = call.model.map(Arc::from);
        let mut estimate = estimate.with_estimate(match &exact_count {
            // Until the exact count is known, the upper bound has to fit.
            Some(_) => estimate.prompt_bound,
            None => self.prompt_ratios.scaled(pair, estimate.prompt_estimate),
        });
        // Made for the few calls that wait.
        let mut timeout: Option<Pin<Box<Sleep>>> = None;
        loop {
            let now = self.clock.now();
            // Subscribe before deciding, so that no settlement after the decision is missed.
            let reserved = self.in_progress.of(identity.key.id);
            let settled = reserved.as_ref().map(|reserved| Arc::clone(&reserved.settled));
            let settled = settled.as_ref().map(|settled| settled.notified());
            let current = confirm::current(self, identity, call.ip).await?;
            let confirmed = current.as_ref().unwrap_or(identity);
            let need = LimitNeed {
                tokens: TokenAmount::Estimated(estimate),
                price: price.as_ref(),
                mode: BudgetMode::Reserve,
            };
            let mut decided = if price.is_none() && confirmed.key.has_spend_limit() {
                // Boxed, as the wait below: few calls need these futures.
                Err(Box::pin(self.not_priced(confirmed, call, now, &pending)).await)
            } else {
                acquire::decide(self, confirmed, call, need, now, Some(&pending)).await
            };
            if decided.as_ref().is_err_and(is_of_tokens)
                && let Some(count) = exact_count.take()
            {
                estimate = estimate.with_estimate(count.await);
                continue;
            }
            if let Err(denial) = &mut decided
                && let Some((calls, tokens)) = reserved_by(denial, reserved.as_ref(), estimate)
            {
                let timeout =
                    timeout.get_or_insert_with(|| Box::pin(tokio::time::sleep(SETTLEMENT_TIMEOUT)));
                if !timeout.is_elapsed() {
                    Box::pin(wait_for_settlement(settled, timeout.as_mut())).await;
                    continue;
                }
                mention_reserved(denial, calls, &tokens);
            }
            count(self, confirmed, call, decided.as_ref().err(), now);
            if let (Err(denial), Some(model)) = (&decided, &model) {
                self.usage.record_model(&confirmed.used(call, now, denial.outcome), model);
            }
            let acquired = decided?;
            let used = confirmed.used(call, now, Outcome::Valid);
            let used = (used, model, ratio_sample);
            let acquired = (acquired, price);
            return Ok(reservation(self, confirmed, estimate, acquired, used, pending.slot));
        }
    }

    /// Denial of a call for a model without a price. What the key itself refuses comes first.
    async fn not_priced(
        &self,
        identity: &IdentifiedKey,
        call: CheckRequest<'_>,
        now: Timestamp,
        pending: &PendingCall,
    ) -> Denial {
        let refusal = evaluate::evaluate(&identity.key, identity.old, call, now);
        let refusal = refusal.unwrap_or_else(|| {
            let outcome = Outcome::ModelNotPriced;
            (outcome, outcome.detail().to_owned())
        });
        acquire::refused(self, identity, refusal, Some(pending)).await
    }
}

/// Waits until a call may be decided again.
async fn wait_for_settlement(settled: Option<Notified<'_>>, timeout: Pin<&mut Sleep>) {
    tokio::select! {
        () = settled_or_never(settled) => {}
        () = tokio::time::sleep(SETTLEMENT_INTERVAL) => {}
        () = timeout => {}
    }
}

async fn settled_or_never(settled: Option<Notified<'_>>) {
    match settled {
        Some(settled) => settled.await,
        None => std::future::pending().await,
    }
}

fn reservation(
    checker: &Checker,
    identity: &IdentifiedKey,
    estimate: TokenEstimate,
    ((limits, mut acquired), price): ((LimitStates, AcquiredTokens), Option<Price>),
    (call, model, ratio_sample): (Use, Option<Arc<str>>, RatioSample),
    slot: CallSlot,
) -> Reservation {
    let granted = acquired.budgets.granted;
    // The rate limit may have granted more than the budgets.
    if acquired.rates.tokens().is_some_and(|tokens| tokens > granted) {
        let rates = std::mem::take(&mut acquired.rates);
        acquired.rates = rate_limit::settle_tokens(checker, rates, granted);
    }
    let in_progress = InProgressCall::new(checker, identity.key.id, granted);
    Reservation {
        checker: checker.clone(),
        unsettled: Some(UnsettledReservation {
            acquired,
            call,
            model,
            ratio_sample,
            slot,
            in_progress,
        }),
        key: Arc::clone(&identity.key),
        limits,
        granted: estimate.split(granted),
        price,
    }
}

/// Whether the exact count of the prompt could admit a call.
const fn is_of_tokens(denial: &Denial) -> bool {
    matches!(
        denial.outcome,
        Outcome::TokenRateLimited | Outcome::TokenBudgetExhausted | Outcome::SpendLimitReached
    )
}

/// Number of calls in progress, and what they have reserved, if a refused call would fit once they
/// have used nothing.
fn reserved_by(
    denial: &Denial,
    of_key: Option<&ReservedByCalls>,
    estimate: TokenEstimate,
) -> Option<(u64, String)> {
    if denial.reserved_by > 0 {
        let limit = denial.limit.as_ref()?;
        return Some((denial.reserved_by, limit.reserved.to_string()));
    }
    let (Outcome::TokenRateLimited, Some(tokens), Some(of_key)) =
        (denial.outcome, denial.limits.tokens, of_key)
    else {
        return None;
    };
    let spent = tokens.limit.saturating_sub(tokens.remaining).saturating_sub(of_key.tokens);
    let fits = of_key.calls > 0 && spent.saturating_add(estimate.least()) <= tokens.limit;
    fits.then(|| (of_key.calls, of_key.tokens.to_string()))
}

/// Adds the reserved amount to the denial of a call that waited in vain.
fn mention_reserved(denial: &mut Denial, calls: u64, reserved: &str) {
    denial.reserved_by = calls;
    let calls = if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") };
    denial.detail = format!(
        "{} Of these, {reserved} are reserved by {calls} in progress. Retry in a second.",
        denial.detail
    );
    denial.retry_after = Some(SETTLEMENT_TIMEOUT);
}

impl Reservation {
    /// Record of the key that made the call.
    pub const fn key(&self) -> &Arc<KeyRecord> {
        &self.key
    }

    /// Sets the price that the call settles at. In no part it is above the one that it reserved at.
    pub const fn set_price(&mut self, price: Option<Price>) {
        self.price = price;
    }

    /// Number of tokens that were reserved.
    pub const fn granted(&self) -> ReservedTokens {
        self.granted
    }

    /// Takes what is to be settled, and the price at which: dropping the reservation settles
    /// nothing then.
    pub(crate) fn take(&mut self) -> (Checker, Option<UnsettledReservation>, Option<Price>) {
        (self.checker.clone(), self.unsettled.take(), self.price)
    }

    /// Replaces the reserved cost with the actual one, and records the call. Returns the call's
    /// slot, to be held until the response is complete.
    pub async fn settle(mut self, used: TokenUsage) -> Option<CallSlot> {
        let cost = cost_of(self.price, used);
        match self.unsettled.take() {
            Some(unsettled) => Some(settle(&self.checker, unsettled, (used, cost)).await),
            None => None,
        }
    }

    /// Same as [`Self::settle`] in a background task, for callers that cannot await.
    pub fn settle_later(mut self, used: TokenUsage) {
        let cost = cost_of(self.price, used);
        if let Some(unsettled) = self.unsettled.take() {
            spawn_settle(&self.checker, unsettled, (used, cost));
        }
    }

    /// Settles a call that the upstream refused: it costs no tokens and no money.
    pub async fn settle_refused(mut self) -> Option<CallSlot> {
        match self.unsettled.take() {
            Some(unsettled) => Some(settle(&self.checker, unsettled, Cost::default()).await),
            None => None,
        }
    }
}

/// What a call has used.
pub(crate) type Cost = (TokenUsage, Usd);

/// What a call costs that has used these tokens.
pub(crate) fn cost_of(price: Option<Price>, used: TokenUsage) -> Usd {
    let cost = price.map_or(Usd::ZERO, |price| price.cost(used.bounded()));
    cost.min(Usd::MAX_PER_CALL)
}

/// A dropped call costs nothing but counts as a request.
impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(unsettled) = self.unsettled.take() {
            spawn_settle(&self.checker, unsettled, Cost::default());
        }
    }
}

fn spawn_settle(checker: &Checker, reservation: UnsettledReservation, used: Cost) {
    let checker = checker.clone();
    // Without a runtime the process is ending. The reservation stays charged, which is the safe
    // side.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let unsettled = checker.unsettled.clone();
        let settled = async move { drop(settle(&checker, reservation, used).await) };
        unsettled.spawn_on(settled, &runtime);
    }
}

/// Replaces the reserved cost with the actual one, and records the call.
pub(crate) async fn settle(
    checker: &Checker,
    unsettled: UnsettledReservation,
    (used, cost): Cost,
) -> CallSlot {
    let UnsettledReservation { acquired, mut call, model, ratio_sample, slot, in_progress } =
        unsettled;
    let AcquiredTokens { rates, budgets } = acquired;
    let is_limited = !budgets.permits.is_empty() || rates.tokens().is_some();
    if is_limited && used.prompt > 0 && used.estimated == 0 {
        checker.prompt_ratios.learn(
            ratio_sample.pair,
            ratio_sample.estimate,
            used.prompt.min(TokenUsage::MAX_PER_CALL),
        );
    }
    let tokens = used.total().min(TokenUsage::MAX_PER_CALL);
    let _ = rate_limit::settle_tokens(checker, rates, tokens);
    let amount = |unit| match unit {
        BudgetUnit::Requests => 1,
        BudgetUnit::Tokens => tokens,
        BudgetUnit::Usd => cost.billionths(),
    };
    // Before anything that waits, where the caller may be cancelled.
    call.tokens = used;
    call.cost = cost;
    checker.usage.record(&call);
    if let Some(model) = &model {
        checker.usage.record_model(&call, model);
    }
    if let Err(error) = budget::settle(checker, budgets.permits, amount).await {
        // What was reserved is charged; what was used beyond it may not be.
        tracing::error!(%error, key = %call.key, "Failed to settle a budget");
    }
    drop(in_progress);
    slot
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_costs_so_much_that_a_budget_overflows() {
        let dear = Price { output: Usd::dollars(1_000_000), ..Price::SANDBOX };
        let cost = |used| cost_of(Some(dear), used).billionths();
        assert_eq!(cost(TokenUsage { completion: 3, ..TokenUsage::default() }), 3_000_000_000);
        let impossible = TokenUsage { completion: u64::MAX, ..TokenUsage::default() };
        let largest_budget = 1_000_000_000_000_000_000;
        assert!(largest_budget + 1_000 * cost(impossible) <= Usd::MAX.billionths());
        assert_eq!(cost_of(None, impossible), Usd::ZERO);
    }
}
