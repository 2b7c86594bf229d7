//! Looks at a key and its limits. Nothing is acquired, and nothing is counted.

use std::sync::Arc;

use crate::acquire::current_rates;
use crate::checker::Checker;
use crate::evaluate;
use crate::lookup_limiter::LookupCaller;
use crate::outcome::{Denial, LimitStates};
use crate::record::KeyRecord;
use crate::request::{CheckRequest, IdentifiedKey};
use latchkey_store::Error;

/// Where a key's limits stand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeekedLimits {
    /// States of the key's limits. What is reserved counts as used.
    pub limits: LimitStates,
    /// Tokens that calls in progress on this node have reserved.
    pub reserved_tokens: u64,
}

impl Checker {
    /// Evaluates a call by the key alone, its limits aside.
    ///
    /// # Errors
    /// The [`Denial`] with the outcome. It is not counted.
    pub fn evaluate(
        &self,
        identity: &IdentifiedKey,
        call: CheckRequest<'_>,
    ) -> Result<(), Box<Denial>> {
        let key = &identity.key;
        match evaluate::evaluate(key, identity.old, call, self.clock.now()) {
            None => Ok(()),
            Some((outcome, detail)) => {
                let key = Some(Arc::clone(key));
                Err(Box::new(Denial { detail, key, ..Denial::of(outcome) }))
            }
        }
    }

    /// Where a key's limits stand, here or in Redis, and for a budget in the database.
    ///
    /// # Errors
    /// The database fails, and the key has a budget.
    pub async fn peek(&self, key: &KeyRecord) -> Result<PeekedLimits, Error> {
        let mut limits = current_rates(self, key).await;
        if let Some(budget) = key.extended().budget {
            let caller = LookupCaller::Organization(key.organization);
            let state = self.budget_state(key.id, budget, self.clock.now());
            limits.budget = Some(Box::pin(self.lookup_limiter.of(caller, state)).await?);
        }
        let reserved_tokens = self.in_progress.of(key.id).map_or(0, |reserved| reserved.tokens);
        Ok(PeekedLimits { limits, reserved_tokens })
    }
}
