//! The check as a rehearsal: what would a call of this key come to now? It asks in the same order
//! and comes to the same, but takes nothing of any limit and counts nothing.

use std::time::Duration;

use latchkey_domain::api::{DryRun, DryRunRequest};
use latchkey_domain::key::KeyKind;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;

use crate::call_slot;
use crate::checker::Checker;
use crate::evaluate;
use crate::lookup::query;
use crate::outcome::Denial;
use crate::rate_limit;
use crate::rate_limit::PeekedRate;
use crate::record::KeyRecord;
use crate::request::CheckRequest;
use crate::usage::quota;
use latchkey_domain::digest::KeyDigest;
use latchkey_store::Error;
use latchkey_store::clock::whole_seconds;

impl Checker {
    /// What a check of the key with this digest would come to, for a call like that one. None:
    /// there is no such key any more.
    ///
    /// # Errors
    /// The database fails. That the key would be refused is an answer, not an error.
    pub async fn dry_run(
        &self,
        digest: &KeyDigest,
        request: &DryRunRequest,
    ) -> Result<Option<DryRun>, Error> {
        let Some(key) = query(self, digest).await? else { return Ok(None) };
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

/// What the key itself would refuse the call with.
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
    }
}

/// An answer that is being put together.
struct DryRunCheck<'a> {
    checker: &'a Checker,
    now: Timestamp,
    answer: DryRun,
}

impl DryRunCheck<'_> {
    /// The whole check, up to the first that refuses the call. The gateway looks at requests before
    /// it knows the model, everybody else after.
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
        let looks = rate_limit::peek(checker, key, tokens).await;
        if let Some(look) = looks.requests {
            self.answer.ratelimit = Some(look.state);
            if look.is_full {
                return Ok(Some(wait_for(Outcome::RateLimited, look.frees_in)));
            }
        }
        if at_gateway
            && let Some(denial) =
                call_slot::peek(checker, key).or_else(|| evaluated(key, call, now))
        {
            return Ok(Some(denial));
        }
        self.limits(key, looks.tokens, tokens).await
    }

    /// The limits beside requests, in the order in which a call takes of them.
    async fn limits(
        &mut self,
        key: &KeyRecord,
        of_tokens: Option<PeekedRate>,
        tokens: u64,
    ) -> Result<Option<Denial>, Error> {
        let Self { checker, now, .. } = *self;
        if let Some(look) = of_tokens {
            self.answer.token_ratelimit = Some(look.state);
            if look.is_full {
                return Ok(Some(wait_for(Outcome::TokenRateLimited, look.frees_in)));
            }
        }
        if quota::counts(key.kind, key.environment) {
            let limit = key.plan_limits().requests_per_month;
            let month = checker.quota_state(key.project, limit, now).await?;
            self.answer.quota = Some(month);
            if month.is_used_up() {
                return Ok(Some(wait_for(
                    Outcome::QuotaExceeded,
                    Some(month.resets_at.since(now)),
                )));
            }
        }
        if let Some(limit) = key.extended().budget {
            let state = checker.budget_state(key.id, limit, now).await?;
            self.answer.budget = Some(state);
            // Even a call without a token needs a budget that is not spent.
            if state.remaining < tokens.max(1) {
                let wait = Some(state.resets_at.since(now));
                return Ok(Some(wait_for(Outcome::TokenBudgetExhausted, wait)));
            }
        }
        Ok(None)
    }

    fn finish(mut self, denial: Option<Denial>) -> DryRun {
        if let Some(Denial { outcome, detail, retry_after, .. }) = denial {
            self.answer.code = outcome;
            self.answer.detail = detail;
            self.answer.retry_after_seconds = retry_after.map(whole_seconds);
        }
        self.answer
    }
}

/// What is told of a limit stands in the answer beside it.
fn wait_for(outcome: Outcome, retry_after: Option<Duration>) -> Denial {
    Denial { retry_after, ..Denial::of(outcome) }
}
