//! What checks hold on this node: kept tidy, given back when the node stops, and told to operators.

use super::{CacheSize, CheckCounts, SharedWindows, budget, shared};
use crate::services::Services;
use latchkey_store::Error;

/// Forgets what no check needs any more.
pub fn forget_idle(services: &Services) {
    let now = services.clock.monotonic();
    services.requests.forget_idle(now);
    services.tokens.forget_idle(now);
}

/// Gives back what is leased of token budgets and not used: what idle leases hold, what is too much
/// in others, and what came back when its lease was gone; or `all` when the node stops.
///
/// # Errors
/// The database fails. What was being given back stays taken, as it may have gone through: the
/// budgets are not overspent. The rest waits for the next time.
pub async fn return_leases(services: &Services, all: bool) -> Result<(), Error> {
    budget::return_leases(services, all).await
}

/// How much is cached.
pub fn cache_size(services: &Services) -> CacheSize {
    services.key_cache.size()
}

/// How many checks there were since the process started.
pub fn counts(services: &Services) -> CheckCounts {
    services.tally.counts()
}

/// How many token budgets this node holds something of, ahead of the calls that will use it.
pub fn leases(services: &Services) -> usize {
    services.leases.len()
}

/// Leaves the nodes that share limits: the others' shares grow at once.
///
/// # Errors
/// The database fails. They find out within ten seconds.
pub async fn leave(services: &Services) -> Result<(), Error> {
    shared::leave(services).await
}

/// How many checks wait to ask the database.
pub fn waiting(services: &Services) -> usize {
    services.look_ups.waiting()
}

/// Whether limits per minute are shared with other nodes at the moment; none: they are not meant to
/// be.
pub fn shares_limits(services: &Services) -> Option<bool> {
    services.shared.as_ref().map(SharedWindows::is_up)
}

/// Whether this node hears of other nodes' changes, so that a check may use what is cached.
pub fn hears_of_changes(services: &Services) -> bool {
    services.key_cache.is_trusted(services.clock.monotonic())
}
