//! What this process has taken of token budgets ahead of the calls that will use it.
//!
//! A budget is a row of the database. Taking from it for each call would cost two statements a
//! call; a *lease* takes some more at once, and the next calls draw on it in memory. This module is
//! the memory; `super::budget` talks to the database.
//!
//! ```text
//! used in the database = what calls have used + what nodes have leased and not given back
//!
//! draw      a call takes of the lease; none: there is too little, the database has to be asked
//! ask       how much to ask it for: what the call needs, and AHEAD times as much on top, but of
//!           what is left no more than one in SHARE, so that nothing is held near the end
//! deposit   the database has given it
//! refund    a call has used less than it drew: back into the lease, or aside if that is gone
//! pay       a call has used more than it drew: the lease pays first
//! withdraw  once a second: what was put aside, leases that are IDLE, and what is beyond FULL
//! ```
//!
//! *Consistency.* What is leased counts as used in the database, so that neither other nodes nor a
//! crash can spend it twice; what a lease does not use goes back soon. Each step is taken under the
//! lock of the key's shard, and the database is asked under the key's gate, so that of many callers
//! one asks. A lease is of one window and one limit: a new period or another limit ends it. What a
//! node shows as used is ahead of the truth by what other nodes have leased.
//!
//! *Failure.* A crash loses what was leased, until the period ends. What could not be written back
//! is kept for the next time, unless it may have gone through: then it stays taken.
//!
//! What a call had drawn and did not use goes back into memory, whatever has become of its lease
//! meanwhile, and from there to the database by one write a key and second. If calls wrote it
//! themselves, whoever has a few hundred of them at once would fill the line before the one writer,
//! where others' revocations wait.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::limit::Period;
use latchkey_domain::time::Timestamp;

use latchkey_store::id_map::IdMap;

/// Keys are spread over this many locks, each held for the time of a few additions.
const SHARDS: usize = 64;
/// A lease takes as many calls' worth ahead, of what is left no more than one in [`SHARE`].
const AHEAD: u64 = 64;
/// So that what one node holds is little of what all nodes may still use, and nothing near the end.
const SHARE: u64 = 16;
/// What a lease in use may hold, in calls' worth: what is beyond goes back, as other nodes may need
/// it.
const FULL: u64 = 2 * AHEAD;
/// A lease that nobody drew on for so long goes back.
const IDLE: Duration = Duration::from_secs(1);

/// One window of a key's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BudgetWindow {
    pub(crate) key: KeyId,
    pub(crate) period: Period,
    pub(crate) starts_at: Timestamp,
}

/// Tokens that count as used in the database and are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnusedLease {
    pub(crate) window: BudgetWindow,
    pub(crate) tokens: u64,
}

/// What was drawn of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DrawnTokens {
    pub(crate) tokens: u64,
    /// What is used of the budget then, as far as this node knows.
    pub(crate) used: u64,
}

#[derive(Debug)]
struct Lease {
    window: BudgetWindow,
    /// The budget's limit when it was taken.
    limit: u64,
    /// What the database said that is used, leases included.
    used: u64,
    left: u64,
    drawn_at: Duration,
    /// The most that a call wanted of it since the last look for what is to go back.
    wanted: u64,
}

impl Lease {
    fn is_idle(&self, now: Duration, all: bool) -> bool {
        all || now.saturating_sub(self.drawn_at) >= IDLE
    }

    fn is_of(&self, window: BudgetWindow, limit: u64) -> bool {
        self.window == window && self.limit == limit
    }

    /// What is left beyond what the calls that come need. While none comes, nobody knows what they
    /// need.
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
    /// What no call draws on and is to go back: of calls whose lease is gone, once per window.
    aside: Vec<UnusedLease>,
    /// Held while the database is asked for more, so that callers of one key don't each ask.
    gate: Arc<tokio::sync::Mutex<()>>,
    /// How often the database was asked what is used, and what it said last.
    looks: u64,
    last: Option<PeekedUsage>,
}

impl Slot {
    fn put_aside(&mut self, unused: UnusedLease) {
        let known = self.aside.iter_mut().find(|known| known.window == unused.window);
        match known {
            Some(known) => known.tokens = known.tokens.saturating_add(unused.tokens),
            None if unused.tokens == 0 => {}
            None => self.aside.push(unused),
        }
    }

    fn end_lease_if(&mut self, ends: impl FnOnce(&Lease) -> bool) {
        if let Some(lease) = self.lease.take_if(|lease| ends(lease)) {
            self.put_aside(UnusedLease { window: lease.window, tokens: lease.left });
        }
    }

    /// Takes what was put aside: it is about to be written.
    fn take_aside(&mut self) -> Vec<UnusedLease> {
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

/// What the database said that is used of a window: the answer to look `number`.
#[derive(Debug, Clone, Copy)]
struct PeekedUsage {
    number: u64,
    window: BudgetWindow,
    used: u64,
}

type Slots = IdMap<KeyId, Slot>;

/// The leases of this process.
pub(crate) struct Leases([Mutex<Slots>; SHARDS]);

impl Leases {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    /// Draws as much as is left, at least `least` and at most `most`; never from an empty lease,
    /// not even nothing: an empty one says nothing of what is left of the budget.
    pub(crate) fn draw(
        &self,
        window: BudgetWindow,
        limit: u64,
        (least, most): (u64, u64),
        now: Duration,
    ) -> Option<DrawnTokens> {
        let mut slots = self.shard(window.key);
        let held = slots.get_mut(&window.key)?.lease.as_mut()?;
        let tokens = most.min(held.left);
        if !held.is_of(window, limit) || held.left == 0 || tokens < least {
            return None;
        }
        held.left -= tokens;
        held.drawn_at = now;
        held.wanted = held.wanted.max(most);
        Some(DrawnTokens { tokens, used: held.used.saturating_sub(held.left) })
    }

    /// How many tokens count as used in the database and are not, as far as this node knows.
    pub(crate) fn unused(&self, window: BudgetWindow) -> u64 {
        let slots = self.shard(window.key);
        let Some(slot) = slots.get(&window.key) else { return 0 };
        let leased = slot.lease.as_ref().filter(|lease| lease.window == window);
        let aside = slot.aside.iter().find(|unused| unused.window == window);
        leased.map_or(0, |lease| lease.left).saturating_add(aside.map_or(0, |unused| unused.tokens))
    }

    /// What is left of a budget, as far as this node knows; none: it has no lease.
    pub(crate) fn known_left(&self, window: BudgetWindow, limit: u64) -> Option<u64> {
        let slots = self.shard(window.key);
        let lease = slots.get(&window.key)?.lease.as_ref()?;
        let unleased = limit.saturating_sub(lease.used);
        lease.is_of(window, limit).then(|| unleased.saturating_add(lease.left))
    }

    /// How many tokens are at hand.
    pub(crate) fn left(&self, window: BudgetWindow) -> u64 {
        let slots = self.shard(window.key);
        let lease = slots.get(&window.key).and_then(|slot| slot.lease.as_ref());
        lease.filter(|lease| lease.window == window).map_or(0, |lease| lease.left)
    }

    /// How many tokens to ask the database for, which has `remaining`, to draw `most` with `left`
    /// at hand.
    pub(crate) fn ask(most: u64, left: u64, remaining: u64) -> u64 {
        let most = most.max(1);
        let need = most.saturating_sub(left);
        let ahead = (remaining.saturating_sub(need) / SHARE).min(most.saturating_mul(AHEAD));
        need.saturating_add(ahead).min(remaining)
    }

    /// Adds `tokens` that the database has given; `used` is what it says then.
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

    /// Puts back what a call had drawn and not used: into the lease, or aside if there is none.
    pub(crate) fn refund(&self, unused: UnusedLease) {
        if unused.tokens == 0 {
            return;
        }
        let mut slots = self.shard(unused.window.key);
        let slot = slots.entry(unused.window.key).or_default();
        match slot.lease.as_mut().filter(|lease| lease.window == unused.window) {
            Some(lease) => lease.left = lease.left.saturating_add(unused.tokens),
            None => slot.put_aside(unused),
        }
    }

    /// Keeps what could not be written: it goes back the next time.
    pub(crate) fn keep(&self, unused: UnusedLease) {
        self.shard(unused.window.key).entry(unused.window.key).or_default().put_aside(unused);
        self.changed(unused.window, unused.tokens);
    }

    /// Takes as much of the lease as it has, at most `tokens`, for a call that used more than it
    /// had drawn.
    pub(crate) fn pay(&self, window: BudgetWindow, tokens: u64) -> u64 {
        let mut slots = self.shard(window.key);
        let lease = slots.get_mut(&window.key).and_then(|slot| slot.lease.as_mut());
        let Some(lease) = lease.filter(|lease| lease.window == window) else { return 0 };
        let paid = tokens.min(lease.left);
        lease.left -= paid;
        paid
    }

    /// The database's `used` is more by as much, past the lease.
    pub(crate) fn changed(&self, window: BudgetWindow, tokens: u64) {
        let mut slots = self.shard(window.key);
        let lease = slots.get_mut(&window.key).and_then(|slot| slot.lease.as_mut());
        if let Some(lease) = lease.filter(|lease| lease.window == window) {
            lease.used = lease.used.saturating_add(tokens);
        }
    }

    /// The database has got back as much: whoever waits at the gate must not be refused for what
    /// was used before.
    pub(crate) fn given_back(&self, unused: UnusedLease) {
        let mut slots = self.shard(unused.window.key);
        let last = slots.get_mut(&unused.window.key).and_then(|slot| slot.last.as_mut());
        if let Some(last) = last.filter(|last| last.window == unused.window) {
            last.used = last.used.saturating_sub(unused.tokens);
        }
    }

    /// Takes what no call of this window and limit may draw on: what was put aside, and what is
    /// left of a lease of another window or limit.
    pub(crate) fn withdraw_other(&self, window: BudgetWindow, limit: u64) -> Vec<UnusedLease> {
        let mut slots = self.shard(window.key);
        let Some(slot) = slots.get_mut(&window.key) else { return Vec::new() };
        slot.end_lease_if(|lease| !lease.is_of(window, limit));
        slot.take_aside()
    }

    /// The keys that have something to go back, or all that have anything. What is empty is
    /// forgotten on the way.
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
                // Whoever holds the gate is about to make a deposit.
                !slot.is_empty() || Arc::strong_count(&slot.gate) > 1
            });
        }
        keys
    }

    /// Takes what is to go back of a key: what was put aside, what is left of an idle lease, and
    /// what is too much in one that is in use. One sum per window.
    pub(crate) fn withdraw_due(&self, key: KeyId, now: Duration, all: bool) -> Vec<UnusedLease> {
        let mut slots = self.shard(key);
        let Some(slot) = slots.get_mut(&key) else { return Vec::new() };
        slot.end_lease_if(|lease| lease.is_idle(now, all));
        if let Some(lease) = &mut slot.lease {
            let excess = UnusedLease { window: lease.window, tokens: lease.excess() };
            lease.left -= excess.tokens;
            lease.wanted = 0;
            slot.put_aside(excess);
        }
        slot.take_aside()
    }

    /// What is to be held while the database is asked for more, and how many looks have begun by
    /// now.
    pub(crate) fn gate(&self, key: KeyId) -> (Arc<tokio::sync::Mutex<()>>, u64) {
        let mut slots = self.shard(key);
        let slot = slots.entry(key).or_default();
        (Arc::clone(&slot.gate), slot.looks)
    }

    /// Begins a look at what is used; its number.
    pub(crate) fn begin_look(&self, key: KeyId) -> u64 {
        let mut slots = self.shard(key);
        let slot = slots.entry(key).or_default();
        slot.looks += 1;
        slot.looks
    }

    /// What the look with this number found.
    pub(crate) fn looked(&self, number: u64, window: BudgetWindow, used: u64) {
        self.shard(window.key).entry(window.key).or_default().last =
            Some(PeekedUsage { number, window, used });
    }

    /// What a look found that began after the first `looks`: whoever has waited at the gate since
    /// then need not ask the same again.
    pub(crate) fn seen_since(&self, looks: u64, window: BudgetWindow) -> Option<u64> {
        let last = self.shard(window.key).get(&window.key)?.last?;
        (last.window == window && last.number > looks).then_some(last.used)
    }

    /// How many keys there is something held of.
    pub(crate) fn len(&self) -> usize {
        let held = |slots: &Slots| slots.values().filter(|slot| !slot.is_empty()).count();
        self.0.iter().map(|shard| held(&lock(shard))).sum()
    }

    fn shard(&self, key: KeyId) -> MutexGuard<'_, Slots> {
        // The last bits of an id are random.
        let last = key.as_uuid().as_bytes()[15];
        lock(&self.0[usize::from(last) % SHARDS])
    }
}

fn lock(shard: &Mutex<Slots>) -> MutexGuard<'_, Slots> {
    // A lease is whole after each of its steps, whatever happened to the thread that held it.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
