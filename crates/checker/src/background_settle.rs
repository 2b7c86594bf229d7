//! The end of background responses: each is counted once, however often and wherever it is read.

use std::sync::Arc;

use latchkey_domain::budget::BudgetUnit;
use latchkey_domain::id::ProjectId;
use latchkey_domain::key::KeyKind;
use latchkey_domain::money::Usd;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::price::Price;
use latchkey_domain::token_usage::TokenUsage;
use latchkey_store::Error;
use latchkey_store::database::in_time;
use latchkey_store::entity::background_response::Model;

use crate::background::place_of;
use crate::background_store;
use crate::budget_crossing::Crossings;
use crate::budget_owner::BudgetOwner;
use crate::budget_slot::BudgetTenant;
use crate::budget_store;
use crate::checker::Checker;
use crate::rate_limit;
use crate::reserve::cost_of;
use crate::reserved_budget::ReservedBudget;
use crate::usage::Use;

/// What a background response has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackgroundUsage {
    /// What its upstream has told. A prompt of 0 is one that was not told: it counts as estimated.
    Told(TokenUsage),
    /// Nobody can tell: what was reserved for its prompt and its answer.
    Unread,
}

impl Checker {
    /// Settles a background response that has ended. Returns whether this has settled it: false if
    /// the project has none of this ID, or if it was settled before. A caller that is cancelled
    /// loses nothing.
    ///
    /// # Errors
    /// The database fails. It can be settled later.
    pub async fn settle_background(
        &self,
        project: ProjectId,
        id: &str,
        used: BackgroundUsage,
    ) -> Result<bool, Error> {
        let place = place_of(project, id);
        // Most responses that are read are none of these.
        let Some(row) = in_time(background_store::find(&self.database, &place)).await? else {
            return Ok(false);
        };
        let settling = settle(self.clone(), row, used);
        self.unsettled.spawn(settling).await.map_err(Error::unavailable)?
    }

    /// Same as [`Self::settle_background`] in a background task, for callers that cannot await.
    pub fn settle_background_later(&self, project: ProjectId, id: String, used: BackgroundUsage) {
        let checker = self.clone();
        let settling = async move {
            if let Err(error) = checker.settle_background(project, &id, used).await {
                tracing::warn!(%error, "Failed to settle a background response; retrying later");
            }
        };
        // Without a runtime the process is ending, and the response is settled after the restart.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.unsettled.spawn_on(settling, &runtime);
        }
    }

    /// Reads a background response of the sandbox, which ends with the second reading, or with the
    /// first one `to_end`. Returns whether it is still in progress.
    ///
    /// # Errors
    /// The database fails.
    pub async fn read_in_sandbox(
        &self,
        project: ProjectId,
        id: &str,
        to_end: bool,
    ) -> Result<bool, Error> {
        let place = place_of(project, id);
        let Some(row) = in_time(background_store::find(&self.database, &place)).await? else {
            return Ok(false);
        };
        let is_first = !to_end && row.reads == 0;
        if is_first && in_time(background_store::count_first_read(&self.database, &row)).await? {
            return Ok(true);
        }
        self.settle_background(project, id, BackgroundUsage::Unread).await?;
        Ok(false)
    }

    /// Lets go of what background responses hold of limits that have forgotten it.
    pub(crate) fn forget_held_rates(&self) {
        for held in self.held_rates.take_expired(self.clock.monotonic()) {
            self.in_progress.remove(held.key, held.tokens);
        }
    }
}

async fn settle(checker: Checker, row: Model, used: BackgroundUsage) -> Result<bool, Error> {
    let used = tokens_of(&row, used);
    let cost = cost_of(price_of(&row), used);
    let tokens = used.total().min(TokenUsage::MAX_PER_CALL);
    let amount = |unit| match unit {
        BudgetUnit::Requests => 1,
        BudgetUnit::Tokens => tokens,
        BudgetUnit::Usd => cost.billionths(),
    };
    let taken = in_time(background_store::take(&checker.database, &row, amount)).await?;
    let Some(budgets) = taken else { return Ok(false) };
    let call = use_of(&row, used, cost);
    checker.usage.settle(&call);
    if let Some(model) = row.model.as_deref() {
        checker.usage.settle_model(&call, &Arc::from(model));
    }
    if let Some(held) = checker.held_rates.take(&(row.project_id, row.id.clone())) {
        let _ = rate_limit::settle_tokens(&checker, held.rates, tokens);
        checker.in_progress.remove(held.key, held.tokens);
    }
    for reserved in &budgets {
        if let Err(error) = in_time(refresh(&checker, &row, reserved)).await {
            // The next call that needs more of the budget asks again.
            tracing::debug!(%error, "Failed to query a budget after a background response");
        }
    }
    Ok(true)
}

/// Asks what is used of a budget now, and notes the thresholds that it has crossed.
async fn refresh(checker: &Checker, row: &Model, reserved: &ReservedBudget) -> Result<(), Error> {
    let project = match reserved.id.owner {
        BudgetOwner::Key(_) | BudgetOwner::Project(_) => Some(row.project_id),
        BudgetOwner::Organization(_) => None,
    };
    let tenant = BudgetTenant { organization: row.organization_id, project };
    let slot = checker.budget_slots.slot(reserved.id, tenant);
    let _alone = slot.gate.lock().await;
    let number = {
        let mut state = slot.lock_at(checker.clock.now());
        if state.starts_at() != reserved.starts_at {
            return Ok(());
        }
        state.begin_query()
    };
    let known = budget_store::used_of(&checker.database, reserved.period()).await?;
    let crossings = {
        let mut state = slot.lock();
        state.finish_query(number, reserved.starts_at, known);
        state.crossings(reserved.limit)
    };
    if crossings != Crossings::default() {
        checker.budget_events.note(&slot, &crossings, checker.clock.now());
    }
    Ok(())
}

/// Tokens that a response is charged.
fn tokens_of(row: &Model, used: BackgroundUsage) -> TokenUsage {
    let amount = |stored: i64| u64::try_from(stored).unwrap_or_default();
    let (prompt, completion) = (amount(row.prompt_tokens), amount(row.completion_tokens));
    match used {
        BackgroundUsage::Told(told) if told.prompt > 0 => told,
        BackgroundUsage::Told(told) => {
            TokenUsage { prompt, estimated: told.estimated.saturating_add(prompt), ..told }
        }
        BackgroundUsage::Unread => {
            // The sandbox knows in advance what it will say.
            let is_exact = row.upstream.is_none();
            let estimated = if is_exact { 0 } else { prompt.saturating_add(completion) };
            TokenUsage { prompt, completion, estimated, ..TokenUsage::default() }
        }
    }
}

/// Price at which the call was made.
fn price_of(row: &Model) -> Option<Price> {
    let usd = |stored: i64| Usd::from_billionths(u64::try_from(stored).unwrap_or_default());
    Some(Price {
        input: usd(row.input_price?),
        cached_input: row.cached_input_price.map(usd),
        cache_write: row.cache_write_price.map(usd),
        output: usd(row.output_price?),
        request: usd(row.request_price?),
    })
}

/// The call as usage knows it. Its request was recorded when the response was accepted.
fn use_of(row: &Model, tokens: TokenUsage, cost: Usd) -> Use {
    Use {
        key: row.key_id,
        project: row.project_id,
        kind: KeyKind::Inference,
        environment: row.environment,
        old_secret: false,
        outcome: Outcome::Valid,
        at: row.created_at,
        ip: None,
        tokens,
        cost,
    }
}
