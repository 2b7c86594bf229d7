//! The denial of a call that a limit per minute refuses: which limit, whose, and until when.

use std::time::Duration;

use latchkey_domain::api::{LimitUnit, RefusingLimit};
use latchkey_domain::budget::{BudgetAmount, LimitScope};
use latchkey_domain::limit::Period;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;
use latchkey_domain::window::WindowFull;

use crate::outcome::{Denial, LimitStates, full_state};
use latchkey_store::clock::whole_seconds;

/// A limit that a call does not fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct FullLimit {
    pub(super) scope: LimitScope,
    pub(super) full: WindowFull,
    /// What this node may admit of it at the moment.
    pub(super) limit: u64,
    pub(super) whole: u64,
}

impl FullLimit {
    /// Builds the denial of a call that `rpm` refuses at `now`.
    pub(super) fn of_requests(self, now: Timestamp, limits: &mut LimitStates) -> Box<Denial> {
        let Self { scope, full, limit, whole } = self;
        limits.requests = Some(full_state(full, limit));
        let wait = full.retry_after.unwrap_or_default();
        Box::new(Denial {
            detail: format!(
                "rpm {} reached: {} used in the last 60 s. Retry in {} s.",
                self.in_words(),
                full.used,
                whole_seconds(wait)
            ),
            retry_after: Some(wait),
            limit: Some(Box::new(refusing(
                (scope, LimitUnit::Requests),
                whole,
                full.used,
                full.retry_after,
                now,
            ))),
            ..Denial::of(Outcome::RateLimited)
        })
    }

    /// Builds the denial of a call that `tpm` refuses at `now`. It needs `least` tokens.
    pub(super) fn of_tokens(
        self,
        least: u64,
        now: Timestamp,
        limits: &mut LimitStates,
    ) -> Box<Denial> {
        let Self { scope, full, limit, whole } = self;
        limits.tokens = Some(full_state(full, limit));
        let when = match full.retry_after {
            Some(wait) => format!("retry in {} s", whole_seconds(wait)),
            None => "a call of this size never fits".to_owned(),
        };
        Box::new(Denial {
            detail: format!(
                "tpm {} reached: {} used in the last 60 s, {least} requested; {when}.",
                self.in_words(),
                full.used,
            ),
            retry_after: full.retry_after,
            limit: Some(Box::new(refusing(
                (scope, LimitUnit::Tokens),
                whole,
                full.used,
                full.retry_after,
                now,
            ))),
            ..Denial::of(Outcome::TokenRateLimited)
        })
    }

    /// The limit, with this node's current share if that is less, and whose it is.
    fn in_words(self) -> String {
        let Self { limit, whole, .. } = self;
        let share = if limit == whole {
            String::new()
        } else {
            format!(" (currently {limit} on this node)")
        };
        let whose = match self.scope {
            LimitScope::Key => "",
            LimitScope::Project => " of the project",
            LimitScope::Organization => " of the organization",
        };
        format!("{whole}{share}{whose}")
    }
}

/// The refusing limit as answers tell it. `frees_in`: when the same call would fit, if ever.
pub(super) fn refusing(
    (scope, unit): (LimitScope, LimitUnit),
    whole: u64,
    used: u64,
    frees_in: Option<Duration>,
    now: Timestamp,
) -> RefusingLimit {
    RefusingLimit {
        scope,
        unit,
        period: Some(Period::Minute),
        limit: BudgetAmount::Count(whole),
        used: BudgetAmount::Count(used),
        reserved: BudgetAmount::Count(0),
        resets_at: frees_in.map(|wait| now + wait),
    }
}
