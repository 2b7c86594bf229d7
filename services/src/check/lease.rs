//! What this process has taken of token budgets ahead of the calls that will use it.
//!
//! A budget is a row of the database. Taking from it for each call would cost two statements a call; a *lease* takes
//! some more at once, and the next calls draw on it in memory. What is leased counts as used in the database, so
//! that neither other nodes nor a crash can spend it twice; what a lease does not use goes back soon.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::limit::Period;
use latchkey_domain::time::Timestamp;

use crate::id_map::IdMap;

/// Keys are spread over this many locks, each held for the time of a few additions.
const SHARDS: usize = 64;
/// A lease takes as many calls' worth ahead, of what is left no more than one in [`SHARE`].
const AHEAD: u64 = 64;
/// So that what one node holds is little of what all nodes may still use, and nothing near the end.
const SHARE: u64 = 16;
/// What a lease may hold, in calls' worth, before what calls did not use goes back at once.
const FULL: u64 = 2 * AHEAD;
/// A lease that nobody drew on for so long goes back.
const IDLE: Duration = Duration::from_secs(1);

/// One window of a key's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BudgetWindow {
    pub(super) key: KeyId,
    pub(super) period: Period,
    pub(super) starts_at: Timestamp,
}

/// Tokens that count as used in the database and are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unused {
    pub(super) window: BudgetWindow,
    pub(super) tokens: u64,
}

/// What was drawn of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Drawn {
    pub(super) tokens: u64,
    /// What is used of the budget then, as far as this node knows.
    pub(super) used: u64,
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
}

impl Lease {
    fn is_idle(&self, now: Duration, all: bool) -> bool {
        all || now.saturating_sub(self.drawn_at) >= IDLE
    }
}

#[derive(Default)]
struct Slot {
    lease: Option<Lease>,
    /// Held while the database is asked for more, so that callers of one key don't each ask.
    gate: Arc<tokio::sync::Mutex<()>>,
    /// How often the database was asked what is used, and what it said last.
    looks: u64,
    last: Option<Look>,
}

/// What the database said that is used of a window: the answer to look `number`.
#[derive(Debug, Clone, Copy)]
struct Look {
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

    /// Draws as much as is left, at least `least` and at most `most`; never from an empty lease, not even nothing:
    /// an empty one says nothing of what is left of the budget.
    pub(super) fn draw(
        &self,
        window: BudgetWindow,
        limit: u64,
        (least, most): (u64, u64),
        now: Duration,
    ) -> Option<Drawn> {
        let mut slots = self.shard(window.key);
        let held = slots.get_mut(&window.key)?.lease.as_mut()?;
        let tokens = most.min(held.left);
        if held.window != window || held.limit != limit || held.left == 0 || tokens < least {
            return None;
        }
        held.left -= tokens;
        held.drawn_at = now;
        Some(Drawn { tokens, used: held.used.saturating_sub(held.left) })
    }

    /// How many tokens are at hand.
    pub(super) fn left(&self, window: BudgetWindow) -> u64 {
        let slots = self.shard(window.key);
        let lease = slots.get(&window.key).and_then(|slot| slot.lease.as_ref());
        lease.filter(|lease| lease.window == window).map_or(0, |lease| lease.left)
    }

    /// How many tokens to ask the database for, which has `remaining`, to draw `most` with `left` at hand.
    pub(super) fn ask(most: u64, left: u64, remaining: u64) -> u64 {
        let most = most.max(1);
        let need = most.saturating_sub(left);
        let ahead = (remaining.saturating_sub(need) / SHARE).min(most.saturating_mul(AHEAD));
        need.saturating_add(ahead).min(remaining)
    }

    /// Adds `tokens` that the database has given; `used` is what it says then.
    pub(super) fn deposit(
        &self,
        window: BudgetWindow,
        limit: u64,
        tokens: u64,
        used: u64,
        now: Duration,
    ) {
        let mut slots = self.shard(window.key);
        let slot = slots.entry(window.key).or_default();
        let before = slot.lease.take().filter(|lease| lease.window == window);
        let left = before.map_or(0, |lease| lease.left).saturating_add(tokens);
        slot.lease = Some(Lease { window, limit, used, left, drawn_at: now });
    }

    /// Puts back what a call had drawn and not used; false: it has to go back to the database.
    pub(super) fn refund(&self, unused: Unused, drawn: u64) -> bool {
        let mut slots = self.shard(unused.window.key);
        let lease = slots.get_mut(&unused.window.key).and_then(|slot| slot.lease.as_mut());
        let room = drawn.saturating_mul(FULL);
        let Some(lease) = lease.filter(|lease| lease.window == unused.window) else { return false };
        let fits = lease.left.saturating_add(unused.tokens) <= room;
        if fits {
            lease.left += unused.tokens;
        }
        fits
    }

    /// Takes as much of the lease as it has, at most `tokens`, for a call that used more than it had drawn.
    pub(super) fn pay(&self, window: BudgetWindow, tokens: u64) -> u64 {
        let mut slots = self.shard(window.key);
        let lease = slots.get_mut(&window.key).and_then(|slot| slot.lease.as_mut());
        let Some(lease) = lease.filter(|lease| lease.window == window) else { return 0 };
        let paid = tokens.min(lease.left);
        lease.left -= paid;
        paid
    }

    /// The database's `used` has changed by as much, past the lease.
    pub(super) fn changed(&self, window: BudgetWindow, difference: i64) {
        let mut slots = self.shard(window.key);
        let lease = slots.get_mut(&window.key).and_then(|slot| slot.lease.as_mut());
        if let Some(lease) = lease.filter(|lease| lease.window == window) {
            lease.used = lease.used.saturating_add_signed(difference);
        }
    }

    /// Takes the lease away if it is of another window, or of another limit: what was left of it.
    pub(super) fn withdraw_other(&self, window: BudgetWindow, limit: u64) -> Option<Unused> {
        let mut slots = self.shard(window.key);
        let slot = slots.get_mut(&window.key)?;
        let lease = slot.lease.take_if(|lease| lease.window != window || lease.limit != limit)?;
        Some(Unused { window: lease.window, tokens: lease.left })
    }

    /// The keys whose leases were not drawn on for a while, or all. What is empty is forgotten on the way.
    pub(super) fn idle(&self, now: Duration, all: bool) -> Vec<KeyId> {
        let mut keys = Vec::new();
        for shard in &self.0 {
            lock(shard).retain(|key, slot| {
                slot.lease.take_if(|lease| lease.left == 0 && lease.is_idle(now, all));
                if slot.lease.as_ref().is_some_and(|lease| lease.is_idle(now, all)) {
                    keys.push(*key);
                }
                // Whoever holds the gate is about to make a deposit.
                slot.lease.is_some() || Arc::strong_count(&slot.gate) > 1
            });
        }
        keys
    }

    /// Takes away a key's lease if it is still idle: what was left of it.
    pub(super) fn withdraw_idle(&self, key: KeyId, now: Duration, all: bool) -> Option<Unused> {
        let mut slots = self.shard(key);
        let lease = slots.get_mut(&key)?.lease.take_if(|lease| lease.is_idle(now, all))?;
        (lease.left > 0).then_some(Unused { window: lease.window, tokens: lease.left })
    }

    /// What is to be held while the database is asked for more, and how many looks have begun by now.
    pub(super) fn gate(&self, key: KeyId) -> (Arc<tokio::sync::Mutex<()>>, u64) {
        let mut slots = self.shard(key);
        let slot = slots.entry(key).or_default();
        (Arc::clone(&slot.gate), slot.looks)
    }

    /// Begins a look at what is used; its number.
    pub(super) fn begin_look(&self, key: KeyId) -> u64 {
        let mut slots = self.shard(key);
        let slot = slots.entry(key).or_default();
        slot.looks += 1;
        slot.looks
    }

    /// What the look with this number found.
    pub(super) fn looked(&self, number: u64, window: BudgetWindow, used: u64) {
        self.shard(window.key).entry(window.key).or_default().last =
            Some(Look { number, window, used });
    }

    /// What a look found that began after the first `looks`: whoever has waited at the gate since then need not ask
    /// the same again.
    pub(super) fn seen_since(&self, looks: u64, window: BudgetWindow) -> Option<u64> {
        let last = self.shard(window.key).get(&window.key)?.last?;
        (last.window == window && last.number > looks).then_some(last.used)
    }

    /// How many leases there are.
    pub(crate) fn len(&self) -> usize {
        let held = |slots: &Slots| slots.values().filter(|slot| slot.lease.is_some()).count();
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(10);

    fn window(starts_at: i64) -> BudgetWindow {
        let key = KeyId::new(Timestamp::from_millis(0), [0; 10]);
        BudgetWindow { key, period: Period::Day, starts_at: Timestamp::from_millis(starts_at) }
    }

    fn drawn(leases: &Leases, least: u64, most: u64) -> Option<u64> {
        leases.draw(window(0), 1_000, (least, most), NOW).map(|drawn| drawn.tokens)
    }

    #[test]
    fn a_lease_gives_what_it_has_and_says_what_is_used() {
        let leases = Leases::new();
        assert_eq!(drawn(&leases, 0, 0), None, "nothing is known of the budget");
        leases.deposit(window(0), 1_000, 100, 400, NOW);
        let first = leases.draw(window(0), 1_000, (30, 30), NOW);
        assert_eq!(first, Some(Drawn { tokens: 30, used: 330 }));
        assert_eq!(drawn(&leases, 0, 0), Some(0));
        assert_eq!(drawn(&leases, 71, 71), None);
        assert_eq!(drawn(&leases, 10, 90), Some(70), "as much as is left");
        assert_eq!(drawn(&leases, 0, 0), None, "an empty lease knows nothing");
    }

    #[test]
    fn a_lease_is_of_one_window_and_one_limit() {
        let leases = Leases::new();
        leases.deposit(window(0), 1_000, 100, 100, NOW);
        assert_eq!(leases.draw(window(1), 1_000, (1, 1), NOW), None);
        assert_eq!(leases.draw(window(0), 999, (1, 1), NOW), None);
        assert_eq!(leases.withdraw_other(window(0), 1_000), None);
        let unused = Unused { window: window(0), tokens: 100 };
        assert_eq!(leases.withdraw_other(window(0), 999), Some(unused));
        assert_eq!(drawn(&leases, 1, 1), None);
    }

    #[test]
    fn much_is_asked_for_while_there_is_much_and_nothing_ahead_near_the_end() {
        assert_eq!(Leases::ask(10, 0, 1_000_000), 650);
        assert_eq!(Leases::ask(10, 4, 1_000_000), 646);
        assert_eq!(Leases::ask(10, 0, 170), 20);
        assert_eq!(Leases::ask(10, 0, 20), 10);
        assert_eq!(Leases::ask(10, 0, 7), 7, "what there is");
        assert_eq!(Leases::ask(0, 0, 5), 1, "to know that there is some");
    }

    #[test]
    fn what_a_call_did_not_use_is_drawn_again_unless_much_is_at_hand() {
        let leases = Leases::new();
        let unused = Unused { window: window(0), tokens: 20 };
        assert!(!leases.refund(unused, 30), "there is no lease");
        leases.deposit(window(0), 1_000, 30, 30, NOW);
        assert_eq!(drawn(&leases, 30, 30), Some(30));
        assert!(leases.refund(unused, 30));
        assert_eq!(drawn(&leases, 20, 20), Some(20));
        leases.deposit(window(0), 10_000, 30 * FULL - 10, 9_000, NOW);
        assert!(!leases.refund(unused, 30), "others may need it");
    }

    #[test]
    fn a_lease_pays_for_what_was_used_beyond_what_was_drawn() {
        let leases = Leases::new();
        assert_eq!(leases.pay(window(0), 10), 0, "there is no lease");
        leases.deposit(window(0), 1_000, 30, 30, NOW);
        assert_eq!(leases.pay(window(1), 10), 0, "of another period");
        assert_eq!(leases.pay(window(0), 10), 10);
        assert_eq!(leases.pay(window(0), 50), 20, "as much as it has");
        assert_eq!(drawn(&leases, 1, 1), None);
    }

    #[test]
    fn idle_leases_go_back() {
        let leases = Leases::new();
        let key = window(0).key;
        leases.deposit(window(0), 1_000, 100, 100, NOW);
        assert!(leases.idle(NOW + IDLE / 2, false).is_empty());
        assert_eq!(leases.idle(NOW + IDLE, false), [key]);
        let unused = Some(Unused { window: window(0), tokens: 100 });
        assert_eq!(leases.withdraw_idle(key, NOW + IDLE / 2, false), None, "drawn on meanwhile");
        assert_eq!(leases.withdraw_idle(key, NOW + IDLE, false), unused);
        assert_eq!(leases.len(), 0);
        leases.deposit(window(0), 1_000, 100, 100, NOW);
        assert_eq!(leases.withdraw_idle(key, NOW, true), unused, "all of them when the node stops");
        assert!(leases.idle(NOW, true).is_empty());
    }
}
