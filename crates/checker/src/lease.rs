//! Token budget leased by this process ahead of the calls that will use it.
//!
//! A budget is a row in the database. Charging it per call would cost two statements a call. A
//! *lease* acquires more than one call needs, and later calls draw on it in memory. This module
//! holds the leases; `super::budget` talks to the database. Only budgets are leased: rate limits
//! and the monthly quota are counted without one.
//!
//! A *window* here is one period of a key's budget, from a minute to a month, and not the sliding
//! window of a rate limit.
//!
//! ```text
//! used in the database = used by calls + leased by nodes and not returned
//!
//! draw      a call draws on the lease; `None` if the lease is too small: query the database
//! ask       how much to lease: what the call needs plus AHEAD times as much, but at most what
//!           remains divided by REMAINDER_DIVISOR, so that nodes hold nothing near the limit
//! deposit   add what the database granted
//! refund    a call used less than it drew: return it to the lease, or set it aside if that ended
//! pay       a call used more than it drew: the lease covers it first
//! withdraw  once a second: what was set aside, leases that are IDLE, and the excess over FULL
//! ```
//!
//! *Consistency.* Leased tokens count as used in the database, so neither another node nor a crash
//! can spend them twice. Unused tokens are returned soon. Every step runs under the lock of the
//! key's shard. The database is queried under the key's gate, so one of many concurrent callers
//! does it. A lease belongs to one window and one limit; a new period or a changed limit ends it.
//! The usage that a node reports exceeds actual usage by what other nodes have leased. For the same
//! reason a call may be refused although another node's lease would cover it, until that lease is
//! returned.
//!
//! *Life.* A lease does not expire: it lasts while calls draw on it. It is returned one to two
//! seconds after the last draw, since the node looks for idle leases once a second.
//!
//! *Failure.* A crash loses the leased tokens until the period ends, a month at most. A return that
//! was not attempted is retried. A return that failed may have been committed, so its tokens stay
//! charged. While the database is unavailable, calls draw on the lease; when it is used up, they
//! are `unavailable`.
//!
//! Refunds go to memory, even if the lease has ended since, and reach the database in one write per
//! key and second. If calls wrote their own refunds, a client with a few hundred concurrent calls
//! would fill the queue of the single writer and delay other tenants' revocations.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::limit::Period;
use latchkey_domain::time::Timestamp;

use latchkey_store::id_map::IdMap;

/// Number of lock shards. A lock is held for a few additions.
const SHARDS: usize = 64;
/// Number of calls' worth to lease ahead, capped by [`REMAINDER_DIVISOR`].
const AHEAD: u64 = 64;
/// A node leases ahead at most one part in this many of what remains: little compared with what all
/// nodes may still use, and nothing near the limit.
const REMAINDER_DIVISOR: u64 = 16;
/// Calls' worth that a lease in use may hold. The excess is returned, since other nodes may need
/// it.
const FULL: u64 = 2 * AHEAD;
/// A lease that no call drew on for this long is returned.
const IDLE: Duration = Duration::from_secs(1);

/// One period of a key's budget: a row of `budgets`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BudgetWindow {
    pub(crate) key: KeyId,
    pub(crate) period: Period,
    pub(crate) starts_at: Timestamp,
}

/// Tokens charged in the database but not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnusedLease {
    pub(crate) window: BudgetWindow,
    pub(crate) tokens: u64,
}

/// Tokens drawn from a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DrawnTokens {
    pub(crate) tokens: u64,
    /// Tokens used of the budget after the draw, as far as this node knows.
    pub(crate) used: u64,
}

#[derive(Debug)]
struct Lease {
    window: BudgetWindow,
    /// Limit of the budget when the lease was acquired.
    limit: u64,
    /// Usage according to the database, leases included.
    used: u64,
    left: u64,
    drawn_at: Duration,
    /// Largest draw requested since the last check for excess.
    wanted: u64,
}

impl Lease {
    fn is_idle(&self, now: Duration, all: bool) -> bool {
        all || now.saturating_sub(self.drawn_at) >= IDLE
    }

    fn is_of(&self, window: BudgetWindow, limit: u64) -> bool {
        self.window == window && self.limit == limit
    }

    /// Tokens beyond what upcoming calls need. Zero if no call came since the last check: their
    /// need is unknown then.
    fn excess(&self) -> u64 {
        if self.wanted == 0 {
            0
        } else {
            self.left.saturating_sub(self.wanted.saturating_mul(FULL))
        }
    }
}

#[derive(Default)]
struct Slot {
    lease: Option<Lease>,
    /// Tokens to return that no call can draw, since their lease has ended. One entry per window.
    aside: Vec<UnusedLease>,
    /// Held while querying the database for more, so that concurrent callers of one key query once.
    gate: Arc<tokio::sync::Mutex<()>>,
    /// Number of the last usage query that was started, and the last response.
    queries: u64,
    last: Option<PeekedUsage>,
}

impl Slot {
    fn set_aside(&mut self, unused: UnusedLease) {
        let known = self.aside.iter_mut().find(|known| known.window == unused.window);
        match known {
            Some(known) => known.tokens = known.tokens.saturating_add(unused.tokens),
            None if unused.tokens == 0 => {}
            None => self.aside.push(unused),
        }
    }

    fn end_lease_if(&mut self, ends: impl FnOnce(&Lease) -> bool) {
        if let Some(lease) = self.lease.take_if(|lease| ends(lease)) {
            self.set_aside(UnusedLease { window: lease.window, tokens: lease.left });
        }
    }

    /// Takes the tokens set aside, to be written to the database.
    fn drain_aside(&mut self) -> Vec<UnusedLease> {
        let aside = std::mem::take(&mut self.aside);
        for unused in &aside {
            if let Some(lease) = self.lease.as_mut().filter(|lease| lease.window == unused.window) {
                lease.used = lease.used.saturating_sub(unused.tokens);
            }
        }
        aside
    }

    fn is_empty(&self) -> bool {
        self.lease.is_none() && self.aside.is_empty()
    }

    fn is_due(&self, now: Duration, all: bool) -> bool {
        let due = |lease: &Lease| lease.is_idle(now, all) || lease.excess() > 0;
        !self.aside.is_empty() || self.lease.as_ref().is_some_and(due)
    }
}

/// Tokens used of a window according to the database; the response to usage query `number`.
#[derive(Debug, Clone, Copy)]
struct PeekedUsage {
    number: u64,
    window: BudgetWindow,
    used: u64,
}

type Slots = IdMap<KeyId, Slot>;

/// All leases of this process.
pub(crate) struct Leases([Mutex<Slots>; SHARDS]);

impl Leases {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    /// Draws as much as is left, at least `min` and at most `max`. An empty lease always returns
    /// `None`, even for zero tokens: it does not tell what is left of the budget.
    pub(crate) fn draw(
        &self,
        window: BudgetWindow,
        limit: u64,
        (min, max): (u64, u64),
        now: Duration,
    ) -> Option<DrawnTokens> {
        let mut slots = self.shard(window.key);
        let lease = slots.get_mut(&window.key)?.lease.as_mut()?;
        let tokens = max.min(lease.left);
        if !lease.is_of(window, limit) || lease.left == 0 || tokens < min {
            return None;
        }
        lease.left -= tokens;
        lease.drawn_at = now;
        lease.wanted = lease.wanted.max(max);
        Some(DrawnTokens { tokens, used: lease.used.saturating_sub(lease.left) })
    }

    /// Number of tokens charged in the database but unused, as far as this node knows.
    pub(crate) fn unused(&self, window: BudgetWindow) -> u64 {
        let slots = self.shard(window.key);
        let Some(slot) = slots.get(&window.key) else { return 0 };
        let leased = slot.lease.as_ref().filter(|lease| lease.window == window);
        let aside = slot.aside.iter().find(|unused| unused.window == window);
        leased.map_or(0, |lease| lease.left).saturating_add(aside.map_or(0, |unused| unused.tokens))
    }

    /// Tokens left of a budget, as far as this node knows. `None` without a lease.
    pub(crate) fn known_left(&self, window: BudgetWindow, limit: u64) -> Option<u64> {
        let slots = self.shard(window.key);
        let lease = slots.get(&window.key)?.lease.as_ref()?;
        let unleased = limit.saturating_sub(lease.used);
        lease.is_of(window, limit).then(|| unleased.saturating_add(lease.left))
    }

    /// Number of tokens left in the lease.
    pub(crate) fn left(&self, window: BudgetWindow) -> u64 {
        let slots = self.shard(window.key);
        let lease = slots.get(&window.key).and_then(|slot| slot.lease.as_ref());
        lease.filter(|lease| lease.window == window).map_or(0, |lease| lease.left)
    }

    /// Number of tokens to lease from the database, which has `remaining`, so that a call can draw
    /// `most` with `left` in the lease.
    pub(crate) fn ask(most: u64, left: u64, remaining: u64) -> u64 {
        let most = most.max(1);
        let shortfall = most.saturating_sub(left);
        let remainder = remaining.saturating_sub(shortfall);
        let ahead = (remainder / REMAINDER_DIVISOR).min(most.saturating_mul(AHEAD));
        shortfall.saturating_add(ahead).min(remaining)
    }

    /// Adds `tokens` that the database granted. `used` is its usage after that.
    pub(crate) fn deposit(
        &self,
        window: BudgetWindow,
        limit: u64,
        tokens: u64,
        used: u64,
        now: Duration,
    ) {
        let mut slots = self.shard(window.key);
        let slot = slots.entry(window.key).or_default();
        slot.end_lease_if(|lease| !lease.is_of(window, limit));
        let (left, wanted) = slot.lease.as_ref().map_or((0, 0), |lease| (lease.left, lease.wanted));
        let left = left.saturating_add(tokens);
        slot.lease = Some(Lease { window, limit, used, left, drawn_at: now, wanted });
    }

    /// Returns tokens that a call drew and did not use: to the lease, or set aside if there is
    /// none.
    pub(crate) fn refund(&self, unused: UnusedLease) {
        if unused.tokens == 0 {
            return;
        }
        let mut slots = self.shard(unused.window.key);
        let slot = slots.entry(unused.window.key).or_default();
        match slot.lease.as_mut().filter(|lease| lease.window == unused.window) {
            Some(lease) => lease.left = lease.left.saturating_add(unused.tokens),
            None => slot.set_aside(unused),
        }
    }

    /// Keeps tokens whose return was not written, for the next attempt.
    pub(crate) fn keep(&self, unused: UnusedLease) {
        self.shard(unused.window.key).entry(unused.window.key).or_default().set_aside(unused);
        self.changed(unused.window, unused.tokens);
    }

    /// Covers a call that used more than it drew from the lease, up to `tokens`. Returns the tokens
    /// covered.
    pub(crate) fn pay(&self, window: BudgetWindow, tokens: u64) -> u64 {
        let mut slots = self.shard(window.key);
        let lease = slots.get_mut(&window.key).and_then(|slot| slot.lease.as_mut());
        let Some(lease) = lease.filter(|lease| lease.window == window) else { return 0 };
        let paid = tokens.min(lease.left);
        lease.left -= paid;
        paid
    }

    /// Adds `tokens` to the known database usage. The lease itself does not change.
    pub(crate) fn changed(&self, window: BudgetWindow, tokens: u64) {
        let mut slots = self.shard(window.key);
        let lease = slots.get_mut(&window.key).and_then(|slot| slot.lease.as_mut());
        if let Some(lease) = lease.filter(|lease| lease.window == window) {
            lease.used = lease.used.saturating_add(tokens);
        }
    }

    /// Records that the database took `unused` back. A caller waiting at the gate must not be
    /// refused because of the usage before.
    pub(crate) fn record_return(&self, unused: UnusedLease) {
        let mut slots = self.shard(unused.window.key);
        let last = slots.get_mut(&unused.window.key).and_then(|slot| slot.last.as_mut());
        if let Some(last) = last.filter(|last| last.window == unused.window) {
            last.used = last.used.saturating_sub(unused.tokens);
        }
    }

    /// Takes the tokens that no call of this window and limit may draw: those set aside, and the
    /// rest of a lease of another window or limit.
    pub(crate) fn withdraw_other(&self, window: BudgetWindow, limit: u64) -> Vec<UnusedLease> {
        let mut slots = self.shard(window.key);
        let Some(slot) = slots.get_mut(&window.key) else { return Vec::new() };
        slot.end_lease_if(|lease| !lease.is_of(window, limit));
        slot.drain_aside()
    }

    /// Keys with tokens due for return; with `all`, every key that holds any. Drops empty slots.
    pub(crate) fn due(&self, now: Duration, all: bool) -> Vec<KeyId> {
        let mut keys = Vec::new();
        for shard in &self.0 {
            lock(shard).retain(|key, slot| {
                slot.lease.take_if(|lease| lease.left == 0 && lease.is_idle(now, all));
                if slot.is_due(now, all) {
                    keys.push(*key);
                } else if let Some(lease) = &mut slot.lease {
                    lease.wanted = 0;
                }
                // A caller that holds the gate is about to deposit.
                !slot.is_empty() || Arc::strong_count(&slot.gate) > 1
            });
        }
        keys
    }

    /// Takes the tokens of a key that are due for return: those set aside, the rest of an idle
    /// lease, and the excess of an active one. One sum per window.
    pub(crate) fn withdraw_due(&self, key: KeyId, now: Duration, all: bool) -> Vec<UnusedLease> {
        let mut slots = self.shard(key);
        let Some(slot) = slots.get_mut(&key) else { return Vec::new() };
        slot.end_lease_if(|lease| lease.is_idle(now, all));
        if let Some(lease) = &mut slot.lease {
            let excess = UnusedLease { window: lease.window, tokens: lease.excess() };
            lease.left -= excess.tokens;
            lease.wanted = 0;
            slot.set_aside(excess);
        }
        slot.drain_aside()
    }

    /// Gate to hold while querying the database for more, and the number of usage queries started
    /// so far.
    pub(crate) fn gate(&self, key: KeyId) -> (Arc<tokio::sync::Mutex<()>>, u64) {
        let mut slots = self.shard(key);
        let slot = slots.entry(key).or_default();
        (Arc::clone(&slot.gate), slot.queries)
    }

    /// Starts a usage query and returns its number.
    pub(crate) fn begin_query(&self, key: KeyId) -> u64 {
        let mut slots = self.shard(key);
        let slot = slots.entry(key).or_default();
        slot.queries += 1;
        slot.queries
    }

    /// Stores the result of usage query `number`.
    pub(crate) fn finish_query(&self, number: u64, window: BudgetWindow, used: u64) {
        self.shard(window.key).entry(window.key).or_default().last =
            Some(PeekedUsage { number, window, used });
    }

    /// Result of a usage query that started after the first `queries`. A caller that has waited at
    /// the gate since then need not repeat it.
    pub(crate) fn read_since(&self, queries: u64, window: BudgetWindow) -> Option<u64> {
        let last = self.shard(window.key).get(&window.key)?.last?;
        (last.window == window && last.number > queries).then_some(last.used)
    }

    /// Number of keys that hold leased or set-aside tokens.
    pub(crate) fn len(&self) -> usize {
        let count = |slots: &Slots| slots.values().filter(|slot| !slot.is_empty()).count();
        self.0.iter().map(|shard| count(&lock(shard))).sum()
    }

    fn shard(&self, key: KeyId) -> MutexGuard<'_, Slots> {
        // The last byte of an id is random.
        let last = key.to_bytes()[15];
        lock(&self.0[usize::from(last) % SHARDS])
    }
}

fn lock(shard: &Mutex<Slots>) -> MutexGuard<'_, Slots> {
    // Each step leaves a lease consistent, even if a thread panicked while holding the lock.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
