//! Calls that count the tokens of a prompt and generate nothing.
//!
//! They cost nothing, and some clients make dozens at once, one for each part of their context. So
//! they have a limit of their own, on each node, and use none of the key's.

use latchkey_domain::api::{LimitUnit, RefusingLimit};
use latchkey_domain::budget::{BudgetAmount, LimitScope};
use latchkey_domain::limit::Period;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;
use latchkey_domain::window::WindowFull;
use latchkey_store::clock::whole_seconds;

use crate::budget_owner::BudgetOwner;
use crate::checker::Checker;
use crate::outcome::{Denial, LimitStates, full_state, rate_state};
use crate::recording::record_denial;
use crate::request::{CheckRequest, IdentifiedKey};

/// Such calls of a key in any 60 seconds.
const LIMIT: u64 = 600;

impl Checker {
    /// Admits a call that counts a prompt, by the key itself and by the limit of such calls.
    /// Returns the state of that limit.
    ///
    /// # Errors
    /// The [`Denial`] with the outcome; it is counted.
    pub fn begin_prompt_count(
        &self,
        identity: &IdentifiedKey,
        call: CheckRequest<'_>,
    ) -> Result<LimitStates, Box<Denial>> {
        self.confirm_prompt_count(identity, call)?;
        let owner = BudgetOwner::Key(identity.key.id);
        let requests = match self.prompt_counts.acquire(owner, self.clock.monotonic(), 1, LIMIT) {
            Ok((_, state)) => rate_state(state, LIMIT),
            Err(full) => {
                let now = self.clock.now();
                let denial = denial(identity, full, now);
                record_denial(self, identity, call, &denial, now);
                return Err(Box::new(denial));
            }
        };
        self.counters.checked(Outcome::Valid);
        Ok(LimitStates { requests: Some(requests), tokens: None })
    }

    /// Evaluates a call that has begun by the key alone, now that its model is known.
    ///
    /// # Errors
    /// The [`Denial`] with the outcome; it is counted.
    pub fn confirm_prompt_count(
        &self,
        identity: &IdentifiedKey,
        call: CheckRequest<'_>,
    ) -> Result<(), Box<Denial>> {
        let evaluated = self.evaluate(identity, call);
        if let Err(denial) = &evaluated {
            record_denial(self, identity, call, denial, self.clock.now());
        }
        evaluated
    }
}

fn denial(identity: &IdentifiedKey, full: WindowFull, now: Timestamp) -> Denial {
    let wait = full.retry_after.unwrap_or_default();
    let limit = RefusingLimit {
        scope: LimitScope::Key,
        unit: LimitUnit::Requests,
        period: Some(Period::Minute),
        limit: BudgetAmount::Count(LIMIT),
        used: BudgetAmount::Count(full.used),
        reserved: BudgetAmount::Count(0),
        resets_at: full.retry_after.map(|wait| now + wait),
    };
    Denial {
        detail: format!(
            "{LIMIT} token counts per minute reached: {} in the last 60 s. Retry in {} s.",
            full.used,
            whole_seconds(wait)
        ),
        key: Some(identity.key.clone()),
        limits: LimitStates { requests: Some(full_state(full, LIMIT)), tokens: None },
        retry_after: Some(wait),
        limit: Some(Box::new(limit)),
        ..Denial::of(Outcome::RateLimited)
    }
}
