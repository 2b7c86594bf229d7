//! State of checks on this node: cleaned up, released when the node stops, and reported as metrics.

use crate::budget_lease;
use crate::cache::CacheSize;
use crate::checker::Checker;
use crate::counters::CheckCounts;
use crate::pepper_rotation;
use crate::redis_heartbeat;
use crate::redis_limiter::RedisLimiter;
use latchkey_store::Error;

impl Checker {
    /// Drops state that no check needs any more.
    pub fn forget_idle(&self) {
        let now = self.clock.monotonic();
        self.requests.forget_idle(now);
        self.tokens.forget_idle(now);
        self.prompt_counts.forget_idle(now);
        self.failed_keys.forget_idle(now);
        self.slow_keys.forget_idle(now);
        self.budget_slots.forget_idle();
        self.forget_held_rates();
    }

    /// Returns idle leases, the excess of active ones, and refunds whose lease has ended; with
    /// `all`, when the node stops, everything.
    ///
    /// # Errors
    /// The database fails. Tokens being returned at that moment stay charged, since the write may
    /// have been committed: budgets are never overspent. The rest is retried with the next call.
    pub async fn return_leases(&self, all: bool) -> Result<(), Error> {
        budget_lease::return_leases(self, all).await
    }

    /// Writes an event for each budget that has reached 80 or 100 per cent since the last call.
    ///
    /// # Errors
    /// The database fails. The events are kept for the next call.
    pub async fn write_budget_events(&self) -> Result<(), Error> {
        self.budget_events.write(&self.database, &self.random).await
    }
}

impl Checker {
    /// Number of cache entries.
    pub fn cache_size(&self) -> CacheSize {
        self.key_cache.size()
    }

    /// Check counts since the process started.
    pub fn check_counts(&self) -> CheckCounts {
        self.counters.counts()
    }
}

impl Checker {
    /// Number of budgets of which this node holds a lease.
    pub fn lease_count(&self) -> usize {
        self.budget_slots.len()
    }

    /// Removes this node from the nodes that share limits, as the database counts them, and from
    /// those that have to know a new pepper. Redis,
    /// which usually decides, forgets the node by itself: see `redis_limiter::membership`.
    ///
    /// # Errors
    /// The database fails. Its count drops after ten seconds without this node's heartbeat.
    pub async fn leave_membership(&self) -> Result<(), Error> {
        pepper_rotation::leave(self).await?;
        redis_heartbeat::leave(self).await
    }
}

impl Checker {
    /// Number of checks waiting for a database lookup.
    pub fn waiting_look_ups(&self) -> usize {
        self.lookup_limiter.waiting()
    }

    /// Whether limits per minute are shared with other nodes at the moment. `None` if sharing is
    /// not configured.
    pub fn shares_limits(&self) -> Option<bool> {
        self.shared.as_ref().map(RedisLimiter::is_up)
    }
}

impl Checker {
    /// Whether this node receives other nodes' invalidations, so that checks may use the cache.
    pub fn is_listening(&self) -> bool {
        self.key_cache.is_valid(self.clock.monotonic())
    }
}
