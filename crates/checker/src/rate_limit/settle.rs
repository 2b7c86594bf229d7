//! Ends of reservations: in this node's own windows and in Redis.

use crate::budget_owner::BudgetOwner;
use crate::checker::Checker;
use crate::rate_limit::node::NodeWindows;
use crate::rate_limit::permit::{LevelPermit, RatePermit};
use crate::redis_limiter::SharedPermit;

/// Releases the reservation of a call that was refused for another reason.
pub(crate) fn release(checker: &Checker, permit: RatePermit) {
    for LevelPermit { owner, shared, .. } in &permit.0 {
        if let Some(acquired) = shared {
            settle_later(checker, *owner, *acquired, None);
        }
    }
    permit.release_on(NodeWindows::of(checker));
}

/// Replaces the reserved tokens with those used, and returns the new reservation.
pub(crate) fn settle_tokens(checker: &Checker, mut permit: RatePermit, used: u64) -> RatePermit {
    for level in &mut permit.0 {
        if let (Some(_), Some(acquired)) = (level.tokens, level.shared) {
            settle_later(checker, level.owner, acquired, Some(used));
            level.shared = Some(acquired.reduced_to(used));
        }
    }
    permit.settle_on(NodeWindows::of(checker), used);
    permit
}

/// Settles in Redis without waiting, see [`crate::redis_limiter::RedisLimiter::settle`]. If that
/// fails, the reservation leaves the window within a minute.
pub(super) fn settle_later(
    checker: &Checker,
    owner: BudgetOwner,
    acquired: SharedPermit,
    used: Option<u64>,
) {
    let checker = checker.clone();
    let unsettled = checker.unsettled.clone();
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let settle = async move {
        if let Some(shared) = &checker.shared {
            let _ = shared.settle(owner, acquired, used).await;
        }
    };
    unsettled.spawn_on(settle, &runtime);
}
