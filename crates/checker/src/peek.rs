//! Looks at a key and its limits. Nothing is acquired, and nothing is counted.

use std::sync::Arc;

use crate::acquire::current_rates;
use crate::checker::Checker;
use crate::evaluate;
use crate::outcome::{Denial, LimitStates};
use crate::record::KeyRecord;
use crate::request::{CheckRequest, IdentifiedKey};

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

    /// Where a key's limits per minute stand, here or in Redis: of the key, its project and its
    /// organization, the tightest. What is reserved counts as used. For its budgets see
    /// [`Checker::key_budget_states`].
    pub async fn peek(&self, key: &KeyRecord) -> LimitStates {
        current_rates(self, key).await
    }
}
