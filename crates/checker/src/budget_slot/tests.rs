use latchkey_domain::id::KeyId;

use super::*;

const NOW: Duration = Duration::from_secs(10);
const DAY: i64 = 24 * 60 * 60 * 1_000;

fn at(days: i64) -> Timestamp {
    Timestamp::from_millis(days * DAY + 1)
}

fn slot(period: Period) -> BudgetSlot {
    let owner = BudgetOwner::Key(KeyId::new(Timestamp::from_millis(0), [0; 10]));
    let organization = OrganizationId::new(Timestamp::from_millis(0), [0; 10]);
    let id = BudgetId { owner, unit: BudgetUnit::Tokens, period };
    BudgetSlot::new(id, BudgetTenant { organization, project: None })
}

/// Leases `amount` when the database has charged `used`, this lease included.
fn lease(state: &mut SlotState, amount: u64, used: u64) {
    let starts_at = state.starts_at();
    state.deposit(starts_at, (amount, 1_000), used, NOW);
}

/// Takes all that was set aside.
fn aside(state: &mut SlotState) -> Vec<UnusedLease> {
    std::iter::from_fn(|| state.next_aside()).collect()
}

/// Takes all that is due for return.
fn due(state: &mut SlotState, now: Duration, all: bool) -> Vec<UnusedLease> {
    state.withdraw_due(now, all);
    aside(state)
}

#[test]
fn nothing_is_drawn_without_a_lease() {
    let slot = slot(Period::Day);
    let mut state = slot.lock_at(at(0));
    assert_eq!(state.known_left(1_000), None);
    assert!(!state.covers(0, 1_000), "nothing is known of the budget");
    lease(&mut state, 100, 400);
    assert_eq!(state.known_left(1_000), Some(700));
    assert!(state.covers(100, 1_000) && !state.covers(101, 1_000));
    state.reserve(100, NOW);
    assert!(!state.covers(0, 1_000), "an empty lease knows nothing");
    assert_eq!(state.spent(), 300, "what is reserved is not spent");
}

#[test]
fn lowered_limit_refuses_although_a_lease_is_left() {
    let slot = slot(Period::Day);
    let mut state = slot.lock_at(at(0));
    lease(&mut state, 100, 500);
    assert!(state.covers(50, 1_000) && state.covers(50, 1_001));
    assert!(!state.covers(1, 999), "other nodes may have used the rest");
    assert_eq!(state.known_left(300), Some(0));
    state.end_unfit_lease(1, 1_000);
    assert_eq!(aside(&mut state), [], "the lease is fit");
    state.end_unfit_lease(1, 999);
    assert_eq!(aside(&mut state).len(), 1);
}

#[test]
fn call_larger_than_the_budget_leaves_the_lease_to_others() {
    let slot = slot(Period::Day);
    let mut state = slot.lock_at(at(0));
    lease(&mut state, 100, 500);
    state.end_unfit_lease(1_001, 1_000);
    assert_eq!(aside(&mut state), [], "it never fits");
    assert!(state.covers(100, 1_000));
    state.end_unfit_lease(601, 1_000);
    assert_eq!(aside(&mut state).len(), 1, "other nodes may need it");
}

#[test]
fn settled_call_leaves_its_rest_to_the_lease() {
    let slot = slot(Period::Day);
    let mut state = slot.lock_at(at(0));
    lease(&mut state, 100, 100);
    let starts_at = state.starts_at();
    state.reserve(60, NOW);
    assert_eq!(state.settle(starts_at, (60, 10)).unpaid, 0);
    assert_eq!((state.spent(), state.known_use(starts_at).unused), (10, 90));
    state.reserve(60, NOW);
    let beyond = state.settle(starts_at, (60, 100));
    assert_eq!(beyond.unpaid, 10, "the lease pays for 30 more");
    assert_eq!(state.known_use(starts_at), KnownUse::default());
}

#[test]
fn new_period_sets_the_old_lease_aside() {
    let slot = slot(Period::Day);
    let old = {
        let mut state = slot.lock_at(at(0));
        lease(&mut state, 100, 100);
        state.reserve(30, NOW);
        state.starts_at()
    };
    let mut state = slot.lock_at(at(1));
    assert_eq!(state.known_left(1_000), None, "another period");
    let settled = state.settle(old, (30, 10));
    assert_eq!((settled.unpaid, state.spent()), (0, 0), "the old period is charged");
    assert_eq!(aside(&mut state), [UnusedLease { starts_at: old, amount: 90 }]);
    drop(state);
    assert_eq!(slot.lock_at(at(0)).starts_at(), Timestamp::from_millis(DAY), "no period reopens");
}

#[test]
fn total_never_ends() {
    let slot = slot(Period::Total);
    lease(&mut slot.lock_at(at(0)), 100, 100);
    let state = slot.lock_at(at(100_000));
    assert_eq!((state.ends_at(), state.known_left(100)), (None, Some(100)));
}

#[test]
fn lease_is_large_far_from_the_limit_and_exact_near_it() {
    let slot = slot(Period::Day);
    let mut state = slot.lock_at(at(0));
    assert_eq!(state.ask(10, 1_000_000), 10 + 2_560);
    assert_eq!(state.ask(10, 170), 20);
    assert_eq!(state.ask(10, 20), 10);
    assert_eq!(state.ask(10, 7), 7, "what there is");
    assert_eq!(state.ask(0, 5), 1, "to know that there is some");
    lease(&mut state, 4, 4);
    assert_eq!(state.ask(10, 20), 6);
}

#[test]
fn full_lease_is_renewed_once_before_it_is_empty() {
    let slot = slot(Period::Day);
    let mut state = slot.lock_at(at(0));
    let ask = state.ask(10, 1_000_000);
    let starts_at = state.starts_at();
    state.deposit(starts_at, (ask, 1_000_000), ask, NOW);
    let mut renewals = Vec::new();
    while state.covers(10, 1_000_000) {
        state.spend(10, 1_000_000, NOW);
        if state.starts_renewal() {
            renewals.push(state.known_use(starts_at).unused);
        }
    }
    assert_eq!(renewals, [640], "at a quarter of 2,570, and once");
}

#[test]
fn lease_for_a_small_call_is_renewed_early_beside_large_ones() {
    let slot = slot(Period::Day);
    let mut state = slot.lock_at(at(0));
    let starts_at = state.starts_at();
    state.deposit(starts_at, (1_000, 1_000_000), 1_000, NOW);
    state.spend(900, 1_000_000, NOW);
    assert!(state.starts_renewal());
    let ask = state.ask(10, 999_000);
    state.deposit(starts_at, (ask, 1_000_000), 1_000 + ask, NOW);
    state.spend(900, 1_000_000, NOW);
    assert!(!state.starts_renewal(), "1,760 are left");
    state.spend(1_200, 1_000_000, NOW);
    assert!(state.starts_renewal(), "less than a quarter of 2,560 is left");
}

#[test]
fn lease_whose_excess_was_returned_is_not_renewed_at_once() {
    let slot = slot(Period::Day);
    let mut state = slot.lock_at(at(0));
    let starts_at = state.starts_at();
    state.deposit(starts_at, (256_000, 10_000_000), 256_000, NOW);
    state.spend(1, 10_000_000, NOW);
    assert_eq!(due(&mut state, NOW, false), [UnusedLease { starts_at, amount: 255_487 }]);
    state.spend(1, 10_000_000, NOW);
    assert!(!state.starts_renewal(), "511 calls fit the lease");
}

#[test]
fn lease_near_the_limit_is_not_renewed_early() {
    let slot = slot(Period::Day);
    let mut state = slot.lock_at(at(0));
    let ask = state.ask(10, 170);
    lease(&mut state, ask, 850);
    while state.covers(10, 1_000) {
        state.spend(10, 1_000, NOW);
        assert!(!state.starts_renewal(), "other nodes may need the rest");
    }
}

#[test]
fn idle_lease_and_excess_are_returned() {
    let slot = slot(Period::Day);
    let mut state = slot.lock_at(at(0));
    lease(&mut state, 100_000, 100_000);
    let starts_at = state.starts_at();
    state.spend(10, 1_000_000, NOW);
    let excess = due(&mut state, NOW, false);
    assert_eq!(excess, [UnusedLease { starts_at, amount: 99_990 - 10 * FULL }]);
    assert_eq!(due(&mut state, NOW, false), [], "no call came since");
    let rest = [UnusedLease { starts_at, amount: 10 * FULL }];
    assert_eq!(due(&mut state, NOW + IDLE, false), rest);
    assert!(!state.stays_listed());
}

#[test]
fn amounts_wait_in_their_slot_until_each_is_returned() {
    let slot = slot(Period::Day);
    let old = {
        let mut state = slot.lock_at(at(0));
        lease(&mut state, 100, 100);
        state.starts_at()
    };
    let mut state = slot.lock_at(at(1));
    lease(&mut state, 50, 50);
    let starts_at = state.starts_at();
    state.withdraw_due(NOW, true);
    assert_eq!(state.next_aside(), Some(UnusedLease { starts_at, amount: 50 }));
    assert!(state.stays_listed(), "the return of the other day may be given up now");
    assert_eq!(state.known_use(old).unused, 100);
    assert_eq!(state.next_aside(), Some(UnusedLease { starts_at: old, amount: 100 }));
    assert!(!state.stays_listed());
}

#[test]
fn each_threshold_is_crossed_once_in_a_period() {
    let slot = slot(Period::Day);
    let percents = |crossings: Crossings| crossings.map(|one| one.map(|one| one.percent));
    let mut state = slot.lock_at(at(0));
    lease(&mut state, 100, 100);
    assert_eq!(percents(state.spend(79, 100, NOW)), [None, None]);
    assert_eq!(percents(state.spend(1, 100, NOW)), [Some(80), None]);
    assert_eq!(percents(state.spend(19, 100, NOW)), [None, None]);
    assert_eq!(percents(state.spend(1, 100, NOW)), [None, Some(100)]);
    assert_eq!(percents(state.crossings(100)), [None, None]);
    drop(state);
    let mut state = slot.lock_at(at(1));
    lease(&mut state, 100, 100);
    assert_eq!(percents(state.spend(100, 100, NOW)), [Some(80), Some(100)], "one call, both");
}
