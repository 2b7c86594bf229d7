//! Acquires what a call needs of its key's limits: all of them or none.

use std::sync::Arc;

use latchkey_domain::budget::BudgetUnit;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::price::Price;
use latchkey_domain::time::Timestamp;

use crate::budget::{self, AcquiredBudgets, BudgetMode};
use crate::budget_denial;
use crate::budget_need::BudgetNeed;
use crate::budget_slots::LimitedBudget;
use crate::checker::Checker;
use crate::evaluate::evaluate;
use crate::outcome::Denial;
use crate::outcome::LimitStates;
use crate::pending_call::PendingCall;
use crate::rate_limit;
use crate::rate_limit::{MinuteLimits, RatePermit};
use crate::record::KeyRecord;
use crate::request::CheckRequest;
use crate::request::IdentifiedKey;
use crate::token_estimate::TokenAmount;
use crate::usage::quota::{self, CountedCall};
use crate::usage::quota_check;

/// What a call asks of its limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LimitNeed<'a> {
    pub(crate) tokens: TokenAmount,
    /// Price of the model, if the call has one and it is known.
    pub(crate) price: Option<&'a Price>,
    pub(crate) mode: BudgetMode,
}

impl LimitNeed<'_> {
    /// A call that has used these tokens when it is admitted.
    pub(crate) const fn spent(tokens: u64) -> Self {
        Self { tokens: TokenAmount::Exactly(tokens), price: None, mode: BudgetMode::Spend }
    }

    /// A call that reads what an earlier call was charged for.
    pub(crate) const fn reading() -> Self {
        Self { mode: BudgetMode::Read, ..Self::spent(0) }
    }
}

/// Decides a call at `now`. Returns the states of the limits and the call's reservation. A
/// `pending` call has already acquired its request.
pub(crate) async fn decide(
    checker: &Checker,
    identity: &IdentifiedKey,
    call: CheckRequest<'_>,
    need: LimitNeed<'_>,
    now: Timestamp,
    pending: Option<&PendingCall>,
) -> Result<(LimitStates, AcquiredTokens), Denial> {
    let key = &identity.key;
    if let Some(refusal) = evaluate(key, identity.old, call, now) {
        // Boxed: few calls need the future of asking for the limits' states.
        return Err(Box::pin(refused(checker, identity, refusal, pending)).await);
    }
    let mut acquired = AcquiredLimits { checker, rates: RatePermit::default(), quota: None };
    let mut of = MinuteLimits::of(key);
    if pending.is_some_and(|pending| pending.acquired_request) {
        of = of.tokens();
    }
    let mut limits = LimitStates::default();
    let decided = acquired.acquire_all(key, of, need, now, &mut limits).await;
    limits.requests = limits.requests.or(pending.and_then(|pending| pending.requests));
    match decided {
        Ok(budgets) => Ok((limits, AcquiredTokens { rates: acquired.keep(), budgets })),
        Err(denied) => Err(Denial { key: Some(Arc::clone(key)), limits, ..*denied }),
    }
}

/// Builds the denial of a call that the key itself does not admit.
pub(crate) async fn refused(
    checker: &Checker,
    identity: &IdentifiedKey,
    (outcome, detail): (Outcome, String),
    pending: Option<&PendingCall>,
) -> Denial {
    let limits = match pending {
        Some(pending) => pending.limits(),
        None => current_rates(checker, &identity.key).await,
    };
    Denial { detail, key: Some(Arc::clone(&identity.key)), limits, ..Denial::of(outcome) }
}

/// What a call holds of its token limits and budgets.
#[derive(Debug)]
pub(crate) struct AcquiredTokens {
    pub(crate) rates: RatePermit,
    /// With the number of tokens that the call may use.
    pub(crate) budgets: AcquiredBudgets,
}

/// States of the key's limits per minute. Acquires nothing.
pub(crate) async fn current_rates(checker: &Checker, key: &KeyRecord) -> LimitStates {
    let rates = rate_limit::peek(checker, key, 0).await;
    LimitStates {
        requests: rates.requests.map(|rate| rate.state),
        tokens: rates.tokens.map(|rate| rate.state),
    }
}

/// What a call holds until it is decided. Dropping it releases everything: if the call is refused,
/// and if it is cancelled during a query.
struct AcquiredLimits<'a> {
    checker: &'a Checker,
    rates: RatePermit,
    quota: Option<CountedCall>,
}

impl AcquiredLimits<'_> {
    /// Acquires everything, budgets last: nothing after them refuses the call.
    async fn acquire_all(
        &mut self,
        key: &KeyRecord,
        of: MinuteLimits<'_>,
        need: LimitNeed<'_>,
        now: Timestamp,
        limits: &mut LimitStates,
    ) -> Result<AcquiredBudgets, Box<Denial>> {
        let checker = self.checker;
        self.rates = rate_limit::acquire(checker, of, need.tokens, limits).await?;
        if quota::counts(key.kind, key.environment) {
            self.quota = Some(acquire_quota(checker, key, now).await?);
        }
        // At most what the rate limit has granted.
        let most = self.rates.tokens().unwrap_or(u64::MAX);
        acquire_budgets(checker, key, need, most, now).await
    }

    /// Disarms the release: the call is admitted and owns the permits.
    fn keep(mut self) -> RatePermit {
        self.quota = None;
        std::mem::take(&mut self.rates)
    }
}

impl Drop for AcquiredLimits<'_> {
    fn drop(&mut self) {
        rate_limit::release(self.checker, std::mem::take(&mut self.rates));
        if let Some(counted) = self.quota.take() {
            self.checker.usage.quota.release(counted);
        }
    }
}

/// Counts a call against the project's monthly quota.
async fn acquire_quota(
    checker: &Checker,
    key: &KeyRecord,
    now: Timestamp,
) -> Result<CountedCall, Box<Denial>> {
    let limit = key.plan_limits().requests_per_month;
    let acquired =
        quota_check::acquire(checker, key.project, limit, now).await.map_err(|error| {
            tracing::error!(%error, "Failed to query a quota");
            Box::new(Denial::of(Outcome::Unavailable))
        })?;
    acquired.map_err(|hit| {
        Box::new(Denial {
            detail: hit.detail(),
            retry_after: Some(hit.resets_at.since(now)),
            limit: Some(Box::new(hit.refusing())),
            ..Denial::of(Outcome::QuotaExceeded)
        })
    })
}

async fn acquire_budgets(
    checker: &Checker,
    key: &KeyRecord,
    need: LimitNeed<'_>,
    most: u64,
    now: Timestamp,
) -> Result<AcquiredBudgets, Box<Denial>> {
    let LimitNeed { tokens, price, mode } = need;
    let budgets = &key.extended().limited_budgets;
    if budgets.is_empty() {
        let granted = tokens.of(u64::MAX).min(most);
        return Ok(AcquiredBudgets { granted, ..AcquiredBudgets::default() });
    }
    let in_requests: Vec<_>;
    let budgets = if mode == BudgetMode::Read {
        let is_in_requests = |budget: &&LimitedBudget| budget.slot.id.unit == BudgetUnit::Requests;
        in_requests = budgets.iter().filter(is_in_requests).cloned().collect();
        &in_requests
    } else {
        budgets
    };
    let need = BudgetNeed { tokens, most, price };
    let acquired = budget::acquire(checker, budgets, &need, mode, now).await.map_err(|error| {
        tracing::error!(%error, "Failed to query a budget");
        Box::new(Denial::of(Outcome::Unavailable))
    })?;
    acquired.map_err(|refusal| Box::new(budget_denial::denial(&refusal, now)))
}
