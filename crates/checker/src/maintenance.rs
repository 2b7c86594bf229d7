//! What checks hold on this node: kept tidy, given back when the node stops, and told to operators.

use crate::budget;
use crate::cache::CacheSize;
use crate::checker::Checker;
use crate::counters::CheckCounts;
use crate::redis_heartbeat;
use crate::redis_limiter::RedisLimiter;
use latchkey_store::Error;

impl Checker {
    /// Forgets what no check needs any more.
    pub fn forget_idle(&self) {
        let now = self.clock.monotonic();
        self.requests.forget_idle(now);
        self.tokens.forget_idle(now);
        self.failed_keys.forget_idle(now);
    }

    /// Gives back what is leased of token budgets and not used: what idle leases hold, what is too
    /// much in others, and what came back when its lease was gone; or `all` when the node stops.
    ///
    /// # Errors
    /// The database fails. What was being given back stays taken, as it may have gone through: the
    /// budgets are not overspent. The rest waits for the next time.
    pub async fn return_leases(&self, all: bool) -> Result<(), Error> {
        budget::return_leases(self, all).await
    }
}

impl Checker {
    /// How much is cached.
    pub fn cache_size(&self) -> CacheSize {
        self.key_cache.size()
    }

    /// How many checks there were since the process started.
    pub fn check_counts(&self) -> CheckCounts {
        self.counters.counts()
    }
}

impl Checker {
    /// How many token budgets this node holds something of, ahead of the calls that will use it.
    pub fn lease_count(&self) -> usize {
        self.leases.len()
    }

    /// Leaves the nodes that share limits: the others' shares grow at once.
    ///
    /// # Errors
    /// The database fails. They find out within ten seconds.
    pub async fn leave_redis(&self) -> Result<(), Error> {
        redis_heartbeat::leave(self).await
    }
}

impl Checker {
    /// How many checks wait to ask the database.
    pub fn waiting_look_ups(&self) -> usize {
        self.lookup_limiter.waiting()
    }

    /// Whether limits per minute are shared with other nodes at the moment; none: they are not
    /// meant to be.
    pub fn shares_limits(&self) -> Option<bool> {
        self.shared.as_ref().map(RedisLimiter::is_up)
    }
}

impl Checker {
    /// Whether this node hears of other nodes' changes, so that a check may use what is cached.
    pub fn is_listening(&self) -> bool {
        self.key_cache.is_trusted(self.clock.monotonic())
    }
}
