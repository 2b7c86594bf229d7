//! Acquires what a call needs of its key's limits: all of them or none.

use std::sync::Arc;

use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;

use crate::budget;
use crate::budget::BudgetPermit;
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

/// Decides a call at `now`. Returns the states of the limits and the call's reservation. A
/// `pending` call has already acquired its request.
pub(crate) async fn decide(
    checker: &Checker,
    identity: &IdentifiedKey,
    call: CheckRequest<'_>,
    amount: TokenAmount,
    now: Timestamp,
    pending: Option<&PendingCall>,
) -> Result<(LimitStates, AcquiredTokens), Denial> {
    let key = &identity.key;
    if let Some(refusal) = evaluate(key, identity.old, call, now) {
        return Err(refused(checker, identity, refusal, pending).await);
    }
    let mut acquired = AcquiredLimits { checker, key, rates: RatePermit::default(), quota: None };
    let mut of = MinuteLimits::of(key);
    if pending.is_some_and(|pending| pending.acquired_request) {
        of = of.tokens();
    }
    let mut limits = LimitStates::default();
    let decided = acquired.acquire_all(of, amount, now, &mut limits).await;
    limits.requests = limits.requests.or(pending.and_then(|pending| pending.requests));
    match decided {
        Ok(budget) => {
            let most = amount.of(u64::MAX);
            Ok((limits, AcquiredTokens { rates: acquired.keep(), budget, most }))
        }
        Err(denied) => Err(Denial { key: Some(Arc::clone(key)), limits, ..denied }),
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

/// What a call holds of its key's token limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AcquiredTokens {
    pub(crate) rates: RatePermit,
    pub(crate) budget: Option<BudgetPermit>,
    most: u64,
}

impl AcquiredTokens {
    /// Number of tokens that the call may use.
    pub(crate) fn granted(self) -> u64 {
        let window = self.rates.tokens().unwrap_or(self.most);
        window.min(self.budget.map_or(self.most, BudgetPermit::tokens))
    }
}

/// States of the key's limits per minute. Acquires nothing.
pub(crate) async fn current_rates(checker: &Checker, key: &KeyRecord) -> LimitStates {
    let rates = rate_limit::peek(checker, key, 0).await;
    LimitStates {
        requests: rates.requests.map(|rate| rate.state),
        tokens: rates.tokens.map(|rate| rate.state),
        budget: None,
    }
}

/// What a call holds until it is decided. Dropping it releases everything: if the call is refused,
/// and if it is cancelled during a query.
struct AcquiredLimits<'a> {
    checker: &'a Checker,
    key: &'a KeyRecord,
    rates: RatePermit,
    quota: Option<CountedCall>,
}

impl AcquiredLimits<'_> {
    /// Acquires everything. The budget is last because it cannot be released.
    async fn acquire_all(
        &mut self,
        of: MinuteLimits,
        amount: TokenAmount,
        now: Timestamp,
        limits: &mut LimitStates,
    ) -> Result<Option<BudgetPermit>, Denial> {
        let (checker, key) = (self.checker, self.key);
        self.rates =
            rate_limit::acquire(checker, of, amount, limits).await.map_err(|denial| *denial)?;
        if quota::counts(key.kind, key.environment) {
            self.quota = Some(acquire_quota(checker, key, now).await?);
        }
        // At most what the rate limit has granted.
        let most = self.rates.tokens().unwrap_or(u64::MAX);
        acquire_budget(checker, key, (amount, most), now, limits).await
    }

    /// Disarms the release: the call is admitted and owns the permits.
    fn keep(mut self) -> RatePermit {
        self.quota = None;
        std::mem::take(&mut self.rates)
    }
}

impl Drop for AcquiredLimits<'_> {
    fn drop(&mut self) {
        rate_limit::release(self.checker, self.key.id, std::mem::take(&mut self.rates));
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
) -> Result<CountedCall, Denial> {
    let limit = key.plan_limits().requests_per_month;
    let acquired =
        quota_check::acquire(checker, key.project, limit, now).await.map_err(|error| {
            tracing::error!(%error, "Failed to query a quota");
            Denial::of(Outcome::Unavailable)
        })?;
    acquired.map_err(|hit| Denial {
        detail: hit.detail(),
        retry_after: Some(hit.resets_at.since(now)),
        ..Denial::of(Outcome::QuotaExceeded)
    })
}

async fn acquire_budget(
    checker: &Checker,
    key: &KeyRecord,
    (amount, most): (TokenAmount, u64),
    now: Timestamp,
    limits: &mut LimitStates,
) -> Result<Option<BudgetPermit>, Denial> {
    let Some(budget) = key.extended().budget else { return Ok(None) };
    let answer =
        budget::acquire(checker, key, budget, (amount, most), now).await.map_err(|error| {
            tracing::error!(%error, "Failed to query a budget");
            Denial::of(Outcome::Unavailable)
        })?;
    match answer {
        Ok((spent, state)) => {
            limits.budget = Some(state);
            Ok(Some(spent))
        }
        Err(state) => {
            limits.budget = Some(state);
            Err(Denial {
                detail: format!(
                    "The budget of {} tokens per {} is not enough for this call: {} used, {} \
                     requested. It resets at {}.",
                    state.limit,
                    state.period.as_str(),
                    state.used,
                    amount.least(),
                    state.resets_at
                ),
                retry_after: Some(state.resets_at.since(now)),
                ..Denial::of(Outcome::TokenBudgetExhausted)
            })
        }
    }
}
