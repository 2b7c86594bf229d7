//! What a call holds of its limits per minute until its outcome is known.

use latchkey_domain::api::RateLimitState;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::window::WindowPermit;
use smallvec::SmallVec;

use crate::budget_owner::BudgetOwner;
use crate::outcome::{Denial, LimitStates};
use crate::redis_limiter::SharedPermit;

/// What a call holds of its limits per minute: of each level that has any. In place for one level,
/// on the heap for more.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RatePermit(pub(super) SmallVec<[LevelPermit; 1]>);

/// What a call holds of the limits of one level. Shared reservations also count in this node's own
/// windows, so that the node knows what it has admitted if Redis goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LevelPermit {
    pub(super) owner: BudgetOwner,
    /// In this node's own windows.
    pub(super) requests: Option<WindowPermit>,
    pub(super) tokens: Option<WindowPermit>,
    pub(super) shared: Option<SharedPermit>,
}

impl LevelPermit {
    pub(super) const fn nothing(owner: BudgetOwner) -> Self {
        Self { owner, requests: None, tokens: None, shared: None }
    }

    /// Tokens that the level grants. `None` if it does not limit them.
    fn tokens(&self) -> Option<u64> {
        let own = self.tokens?.amount();
        Some(self.shared.map_or(own, |shared| own.min(shared.tokens)))
    }

    const fn is_nothing(&self) -> bool {
        self.requests.is_none() && self.tokens.is_none() && self.shared.is_none()
    }
}

impl RatePermit {
    /// Tokens that the call may use: the least of all levels. `None` if tokens are not limited.
    pub(crate) fn tokens(&self) -> Option<u64> {
        self.0.iter().filter_map(LevelPermit::tokens).min()
    }

    /// Whether it holds a request at any level.
    pub(crate) fn has_request(&self) -> bool {
        self.0.iter().any(|level| level.requests.is_some())
    }

    /// Adds what the next level grants, or returns its denial. The states told to the caller are
    /// those of the tightest level, or of the one that refuses.
    pub(super) fn add(
        &mut self,
        acquired: Result<LevelPermit, Box<Denial>>,
        states: LimitStates,
        limits: &mut LimitStates,
    ) -> Result<(), Box<Denial>> {
        if let Ok(level) = &acquired
            && let (Some(before), Some(granted)) = (self.tokens(), level.tokens())
            && let Some(state) = &mut limits.tokens
        {
            // The levels before are reduced to what this one grants.
            state.remaining = state.remaining.saturating_add(before.saturating_sub(granted));
        }
        limits.requests = tighter(limits.requests, states.requests);
        limits.tokens = tighter(limits.tokens, states.tokens);
        match acquired {
            Ok(level) if level.is_nothing() => Ok(()),
            Ok(level) => {
                self.0.push(level);
                Ok(())
            }
            Err(denial) => {
                match denial.outcome {
                    Outcome::RateLimited => limits.requests = states.requests,
                    _ => limits.tokens = states.tokens,
                }
                Err(denial)
            }
        }
    }

    /// The least of all levels, if some level has granted more.
    pub(super) fn excess_over(&self) -> Option<u64> {
        let least = self.tokens()?;
        let has_more = self.0.iter().filter_map(LevelPermit::tokens).any(|tokens| tokens > least);
        has_more.then_some(least)
    }
}

/// The state with less remaining.
pub(super) fn tighter(
    one: Option<RateLimitState>,
    other: Option<RateLimitState>,
) -> Option<RateLimitState> {
    match (one, other) {
        (Some(one), Some(other)) if other.remaining < one.remaining => Some(other),
        (one, other) => one.or(other),
    }
}
