//! Reservations: what a call may cost is taken before it is made, and what it did cost takes its
//! place after.
//!
//! A call whose cost is known only when it is done would otherwise let parallel calls overspend. A
//! reservation that is dropped gives back all of it; a crash gives back nothing, so a budget is
//! never overspent.
//!
//! Reserved is not spent: a call that would fit if the calls in progress had settled waits up to
//! [`SETTLEMENT_TIMEOUT`] for that.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::token_usage::TokenUsage;

use crate::acquire::{self, AcquiredTokens};
use crate::begun_call::BegunCall;
use crate::budget;
use crate::call_slot::CallSlot;
use crate::checker::Checker;
use crate::confirm;
use crate::in_progress::ReservedByCalls;
use crate::in_progress_call::InProgressCall;
use crate::outcome::Denial;
use crate::outcome::LimitStates;
use crate::rate_limit;
use crate::record::KeyRecord;
use crate::recording::count;
use crate::request::CheckRequest;
use crate::request::IdentifiedKey;
use crate::token_estimate::{ReservedTokens, TokenAmount, TokenEstimate};
use crate::usage::Use;

/// How long a call waits for others to settle.
const SETTLEMENT_TIMEOUT: Duration = Duration::from_secs(1);
/// Calls of other nodes settle without a word: the limit is looked at again as often.
const SETTLEMENT_INTERVAL: Duration = Duration::from_millis(100);

/// A count of a prompt's tokens that takes time: made only where it matters.
pub type ExactTokenCount<'a> = Pin<Box<dyn Future<Output = u32> + Send + 'a>>;

/// What a call may cost.
pub struct ReservationRequest<'a> {
    /// By the estimate of its prompt.
    pub need: TokenEstimate,
    /// Counts the prompt by the model's own tokenizer, if that is known.
    pub finer: Option<ExactTokenCount<'a>>,
}

impl From<TokenEstimate> for ReservationRequest<'_> {
    fn from(need: TokenEstimate) -> Self {
        Self { need, finer: None }
    }
}

/// An admitted call that holds what it may cost.
#[must_use]
pub struct Reservation {
    checker: Checker,
    held: Option<HeldReservation>,
    key: Arc<KeyRecord>,
    /// Where the key's limits stand, this call's reservation included.
    pub limits: LimitStates,
    granted: ReservedTokens,
}

/// What is learned when the call has settled.
struct RatioSample {
    pair: (KeyId, u64),
    /// The estimate of the prompt.
    estimate: u32,
}

/// What has to be settled.
struct HeldReservation {
    taken: AcquiredTokens,
    call: Use,
    ratio_sample: RatioSample,
    slot: CallSlot,
    /// Dropped last, when the rest has gone back.
    in_progress: InProgressCall,
}

impl Checker {
    /// Decides whether a key that was found admits a call that was begun, and reserves what it may
    /// cost: all limits or none. The prompt's estimate is taken times what the key's calls to the
    /// model settled at, unless there is a finer count.
    ///
    /// # Errors
    /// The [`Denial`] with the outcome; it is counted.
    pub async fn reserve(
        &self,
        found: &IdentifiedKey,
        call: CheckRequest<'_>,
        wanted: impl Into<ReservationRequest<'_>>,
        begun: BegunCall,
    ) -> Result<Reservation, Denial> {
        let ReservationRequest { need, mut finer } = wanted.into();
        let pair = self.prompt_ratios.pair(found.key.id, call.model);
        let ratio_sample = RatioSample { pair, estimate: need.prompt_estimate };
        let mut need = need.with_estimate(match &finer {
            // Until it is counted, the bound has to fit.
            Some(_) => need.prompt_bound,
            None => self.prompt_ratios.scaled(pair, need.prompt_estimate),
        });
        let mut timeout = pin!(tokio::time::sleep(SETTLEMENT_TIMEOUT));
        loop {
            let now = self.clock.now();
            // Before the decision: what settles after it is heard of.
            let reserved = self.in_progress.of(found.key.id);
            let settled = reserved.as_ref().map(|reserved| Arc::clone(&reserved.settled));
            let settled = settled.as_ref().map(|settled| settled.notified());
            let current = confirm::current(self, found, call.ip).await?;
            let confirmed = current.as_ref().unwrap_or(found);
            let mut decided = acquire::decide(
                self,
                confirmed,
                call,
                TokenAmount::CheckRequest(need),
                now,
                Some(&begun),
            )
            .await;
            if decided.as_ref().is_err_and(is_of_tokens)
                && let Some(count) = finer.take()
            {
                need = need.with_estimate(count.await);
                continue;
            }
            if let (Err(denial), Some(reserved), Some(settled)) = (&mut decided, &reserved, settled)
                && is_reserved(denial, reserved, need)
            {
                if !timeout.is_elapsed() {
                    tokio::select! {
                        () = settled => {}
                        () = tokio::time::sleep(SETTLEMENT_INTERVAL) => {}
                        () = &mut timeout => {}
                    }
                    continue;
                }
                say_what_is_reserved(denial, reserved);
            }
            count(self, confirmed, call, decided.as_ref().err(), now);
            let (limits, taken) = decided?;
            let used = confirmed.used(call, now, Outcome::Valid);
            let used = (used, ratio_sample);
            return Ok(reservation(self, confirmed, need, (limits, taken), used, begun.slot));
        }
    }
}

fn reservation(
    checker: &Checker,
    found: &IdentifiedKey,
    need: TokenEstimate,
    (limits, mut taken): (LimitStates, AcquiredTokens),
    (call, ratio_sample): (Use, RatioSample),
    slot: CallSlot,
) -> Reservation {
    let granted = taken.granted();
    // The minute may have had more to give than the budget.
    if taken.rates.tokens().is_some_and(|tokens| tokens > granted) {
        taken.rates = rate_limit::settle_tokens(checker, found.key.id, taken.rates, granted);
    }
    let in_progress = InProgressCall::new(checker, found.key.id, granted);
    Reservation {
        checker: checker.clone(),
        held: Some(HeldReservation { taken, call, ratio_sample, slot, in_progress }),
        key: Arc::clone(&found.key),
        limits,
        granted: need.split(granted),
    }
}

/// Whether a call is refused for its tokens.
fn is_of_tokens(denial: &Denial) -> bool {
    matches!(denial.outcome, Outcome::TokenRateLimited | Outcome::TokenBudgetExhausted)
}

/// Whether a call would fit its limits on tokens if the calls in progress came to nothing.
fn is_reserved(denial: &Denial, reserved: &ReservedByCalls, need: TokenEstimate) -> bool {
    let (limit, used) = match (denial.outcome, denial.limits.tokens, denial.limits.budget) {
        (Outcome::TokenRateLimited, Some(tokens), _) => {
            (tokens.limit, tokens.limit.saturating_sub(tokens.remaining))
        }
        (Outcome::TokenBudgetExhausted, _, Some(budget)) => (budget.limit, budget.used),
        _ => return false,
    };
    let spent = used.saturating_sub(reserved.tokens);
    reserved.calls > 0 && spent.saturating_add(need.least()) <= limit
}

/// What a call is told that waited in vain.
fn say_what_is_reserved(denial: &mut Denial, reserved: &ReservedByCalls) {
    let ReservedByCalls { calls, tokens, .. } = *reserved;
    let calls = if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") };
    denial.detail = format!(
        "{} Of these, {tokens} are reserved by {calls} in progress. Retry in a second.",
        denial.detail
    );
    denial.retry_after = Some(SETTLEMENT_TIMEOUT);
}

impl Reservation {
    /// Record of the key that made the call.
    pub const fn key(&self) -> &Arc<KeyRecord> {
        &self.key
    }

    /// Number of tokens that were reserved.
    pub const fn granted(&self) -> ReservedTokens {
        self.granted
    }

    /// Puts what the call did cost in the place of what it might have, and counts the call. Its
    /// place among the key's calls goes back, for as long as the answer still takes.
    pub async fn settle(mut self, used: TokenUsage) -> Option<CallSlot> {
        match self.held.take() {
            Some(held) => Some(settle(&self.checker, held, used).await),
            None => None,
        }
    }

    /// The same without waiting, for where nothing can.
    pub fn settle_later(mut self, used: TokenUsage) {
        if let Some(held) = self.held.take() {
            spawn_settle(&self.checker, held, used);
        }
    }
}

/// A call that came to nothing cost nothing, but it was a call.
impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            spawn_settle(&self.checker, held, TokenUsage::default());
        }
    }
}

fn spawn_settle(checker: &Checker, held: HeldReservation, used: TokenUsage) {
    let checker = checker.clone();
    // Without a runtime there is nobody left to call; what was reserved stays taken, which is the
    // safe side.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let unsettled = checker.unsettled.clone();
        unsettled.spawn_on(async move { drop(settle(&checker, held, used).await) }, &runtime);
    }
}

async fn settle(checker: &Checker, held: HeldReservation, used: TokenUsage) -> CallSlot {
    let HeldReservation { taken, mut call, ratio_sample, slot, in_progress } = held;
    let is_limited = taken.budget.is_some() || taken.rates.tokens().is_some();
    if is_limited && used.prompt > 0 && used.estimated == 0 {
        checker.prompt_ratios.learn(
            ratio_sample.pair,
            ratio_sample.estimate,
            used.prompt.min(TokenUsage::MAX_PER_CALL),
        );
    }
    let cost = used.total().min(TokenUsage::MAX_PER_CALL);
    rate_limit::settle_tokens(checker, call.key, taken.rates, cost);
    if let Some(spent) = taken.budget
        && let Err(error) = budget::settle(checker, spent, cost).await
    {
        // What was reserved stays taken: the budget is not overspent.
        tracing::error!(%error, key = %call.key, "Failed to settle a budget");
    }
    call.tokens = used;
    checker.usage.record(&call);
    drop(in_progress);
    slot
}
