//! Dry run of a check: what would a call of this key result in now? It runs the same steps in the
//! same order, but acquires and counts nothing.

use std::time::Duration;

use latchkey_domain::api::{BudgetState, DryRun, DryRunRequest, LimitUnit, RefusingLimit};
use latchkey_domain::budget::BudgetUnit;
use latchkey_domain::key::KeyKind;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;

use crate::budget_denial;
use crate::budget_owner::BudgetOwner;
use crate::call_slot;
use crate::checker::Checker;
use crate::evaluate;
use crate::key_digests::KeyDigests;
use crate::lookup::{FoundRecord, query};
use crate::outcome::Denial;
use crate::rate_limit;
use crate::rate_limit::PeekedRate;
use crate::record::KeyRecord;
use crate::request::CheckRequest;
use crate::usage::quota::{self, QuotaHit};
use latchkey_domain::digest::KeyDigest;
use latchkey_store::Error;
use latchkey_store::clock::whole_seconds;

impl Checker {
    /// Result of checking the key with this digest for a given call. `None` if the key no longer
    /// exists.
    ///
    /// # Errors
    /// The database fails. A refusal by the key is a result, not an error.
    pub async fn dry_run(
        &self,
        digest: &KeyDigest,
        request: &DryRunRequest,
    ) -> Result<Option<DryRun>, Error> {
        let found = query(self, &KeyDigests::one(*digest)).await?;
        let Some(FoundRecord { record: key, .. }) = found else { return Ok(None) };
        let call = CheckRequest {
            ip: request.ip.map(|ip| ip.to_canonical()),
            model: request.model.as_deref(),
            ..CheckRequest::default()
        };
        let now = self.clock.now();
        let mut rehearsal = DryRunCheck { checker: self, now, answer: nothing_yet() };
        let denial = rehearsal.call(&key, call, request.tokens).await?;
        Ok(Some(rehearsal.finish(denial)))
    }
}

/// Denial by the key itself, if any.
fn evaluated(key: &KeyRecord, call: CheckRequest<'_>, now: Timestamp) -> Option<Denial> {
    let (outcome, detail) = evaluate::evaluate(key, false, call, now)?;
    Some(Denial { detail, ..Denial::of(outcome) })
}

fn nothing_yet() -> DryRun {
    DryRun {
        code: Outcome::Valid,
        detail: Outcome::Valid.detail().to_owned(),
        retry_after_seconds: None,
        ratelimit: None,
        token_ratelimit: None,
        quota: None,
        budget: None,
        limit: None,
    }
}

/// A dry run and its result so far.
struct DryRunCheck<'a> {
    checker: &'a Checker,
    now: Timestamp,
    answer: DryRun,
}

impl DryRunCheck<'_> {
    /// Runs the check up to the first denial. The gateway checks the request limit before it knows
    /// the model, other callers after.
    async fn call(
        &mut self,
        key: &KeyRecord,
        call: CheckRequest<'_>,
        tokens: u64,
    ) -> Result<Option<Denial>, Error> {
        let Self { checker, now, .. } = *self;
        let at_gateway = key.kind == KeyKind::Inference;
        let first = if at_gateway { CheckRequest { model: None, ..call } } else { call };
        if let Some(denial) = evaluated(key, first, now) {
            return Ok(Some(denial));
        }
        let rates = rate_limit::peek(checker, key, tokens).await;
        if let Some(rate) = rates.requests {
            self.answer.ratelimit = Some(rate.state);
            if rate.is_full {
                let limit = Some(rate.refusing(LimitUnit::Requests, now));
                return Ok(Some(wait_for(Outcome::RateLimited, rate.frees_in, limit)));
            }
        }
        if at_gateway {
            let full = call_slot::peek(checker, key).await;
            if let Some(denial) = full.or_else(|| evaluated(key, call, now)) {
                return Ok(Some(denial));
            }
        }
        self.limits(key, rates.tokens, tokens).await
    }

    /// Limits other than requests, in the order in which a call acquires them.
    async fn limits(
        &mut self,
        key: &KeyRecord,
        of_tokens: Option<PeekedRate>,
        tokens: u64,
    ) -> Result<Option<Denial>, Error> {
        let Self { checker, now, .. } = *self;
        if let Some(rate) = of_tokens {
            self.answer.token_ratelimit = Some(rate.state);
            if rate.is_full {
                let limit = Some(rate.refusing(LimitUnit::Tokens, now));
                return Ok(Some(wait_for(Outcome::TokenRateLimited, rate.frees_in, limit)));
            }
        }
        if quota::counts(key.kind, key.environment) {
            let limit = key.plan_limits().requests_per_month;
            let month = checker.quota_state(key.project, limit, now).await?;
            self.answer.quota = Some(month);
            if month.is_used_up() {
                let wait = Some(month.resets_at.since(now));
                let limit = limit.map(|limit| {
                    QuotaHit { limit, used: month.used, resets_at: month.resets_at }.refusing()
                });
                return Ok(Some(wait_for(Outcome::QuotaExceeded, wait, limit)));
            }
        }
        self.budgets(key, tokens).await
    }

    /// Budgets of the key, its project and its organization.
    async fn budgets(&mut self, key: &KeyRecord, tokens: u64) -> Result<Option<Denial>, Error> {
        let Self { checker, now, .. } = *self;
        let extended = key.extended();
        let of_key = BudgetOwner::Key(key.id);
        let owners = [
            (of_key, extended.budgets.clone()),
            (BudgetOwner::Project(key.project), extended.project_limits.budgets.clone()),
            (
                BudgetOwner::Organization(key.organization),
                extended.organization_limits.budgets.clone(),
            ),
        ];
        let mut states = checker.budget_states(&owners, now).await?;
        let of_tokens = states.get(&of_key).into_iter().flatten();
        let of_tokens = of_tokens.clone().find(|state| state.unit == BudgetUnit::Tokens);
        self.answer.budget = of_tokens.map(BudgetState::as_token_budget);
        for (owner, _) in owners {
            let mut states = states.remove(&owner).unwrap_or_default();
            // As in `LimitedBudget::order`: the first that is too small refuses.
            states.sort_by_key(|state| (state.unit, state.period));
            for state in states {
                // Even a call without tokens needs a budget that is not exhausted.
                let least = if state.unit == BudgetUnit::Tokens { tokens.max(1) } else { 1 };
                if state.remaining.counted() < least {
                    let resets_at = state.resets_at.filter(|_| least <= state.limit.counted());
                    let wait = resets_at.map(|at| at.since(now));
                    let limit = Some(RefusingLimit {
                        scope: owner.scope(),
                        unit: state.unit.into(),
                        period: Some(state.period),
                        limit: state.limit,
                        used: state.used,
                        reserved: state.reserved,
                        resets_at,
                    });
                    let outcome = budget_denial::outcome(state.unit);
                    return Ok(Some(wait_for(outcome, wait, limit)));
                }
            }
        }
        Ok(None)
    }

    fn finish(mut self, denial: Option<Denial>) -> DryRun {
        if let Some(Denial { outcome, detail, retry_after, limit, .. }) = denial {
            self.answer.limit = limit.map(|limit| *limit);
            self.answer.code = outcome;
            self.answer.detail = detail;
            self.answer.retry_after_seconds = retry_after.map(whole_seconds);
        }
        self.answer
    }
}

/// Needs no detail: the response already contains the limit.
fn wait_for(
    outcome: Outcome,
    retry_after: Option<Duration>,
    limit: Option<RefusingLimit>,
) -> Denial {
    Denial { retry_after, limit: limit.map(Box::new), ..Denial::of(outcome) }
}
