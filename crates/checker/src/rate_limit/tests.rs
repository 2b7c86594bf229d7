//! Limits of several levels by the node's own windows.

use std::sync::Arc;
use std::time::Duration;

use latchkey_domain::api::{LimitUnit, RateLimitState};
use latchkey_domain::budget::{BudgetAmount, LevelLimits, LimitScope};
use latchkey_domain::id::{KeyId, OrganizationId, ProjectId};
use latchkey_domain::limit::{Period, Rpm, Tokens};
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;
use latchkey_store::clock::{Clock, ManualClock};
use proptest::prelude::*;

use super::levels::MinuteLimits;
use super::node::NodeWindows;
use super::permit::RatePermit;
use crate::budget_owner::BudgetOwner;
use crate::outcome::{Denial, LimitStates};
use crate::record::tests::record;
use crate::record::{ExtendedLimits, KeyRecord};
use crate::token_estimate::TokenAmount;
use crate::windows::RateWindows;

/// `rpm` and `tpm` of a level.
type Rates = (Option<u64>, Option<u64>);

const NONE: Rates = (None, None);

struct Node {
    requests: RateWindows,
    tokens: RateWindows,
    clock: Arc<ManualClock>,
}

impl Node {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(0)));
        Self { requests: RateWindows::new(), tokens: RateWindows::new(), clock }
    }

    fn windows(&self) -> NodeWindows<'_> {
        NodeWindows { requests: &self.requests, tokens: &self.tokens, clock: &*self.clock }
    }

    fn call(
        &self,
        key: &KeyRecord,
        least: u64,
        most: u64,
    ) -> (Result<RatePermit, Box<Denial>>, LimitStates) {
        let mut limits = LimitStates::default();
        let amount = TokenAmount::Between(least, most);
        let acquired = self.windows().acquire_all(MinuteLimits::of(key), amount, &mut limits);
        (acquired, limits)
    }

    /// Requests and tokens that an owner has used.
    fn used(&self, owner: BudgetOwner) -> (u64, u64) {
        let now = self.clock.monotonic();
        let used = |windows: &RateWindows| windows.peek(owner, now, 0, u64::MAX).unwrap().used;
        (used(&self.requests), used(&self.tokens))
    }
}

fn limits((rpm, tpm): Rates) -> LevelLimits {
    LevelLimits {
        rpm: rpm.map(|limit| Rpm::new(limit).unwrap()),
        tpm: tpm.map(|limit| Tokens::new(limit).unwrap()),
        ..LevelLimits::NONE
    }
}

fn owners(key: &KeyRecord) -> [BudgetOwner; 3] {
    [
        BudgetOwner::Key(key.id),
        BudgetOwner::Project(key.project),
        BudgetOwner::Organization(key.organization),
    ]
}

/// A key with limits of its own, of its project and of its organization.
fn key(number: u8, [own, project, organization]: [Rates; 3]) -> KeyRecord {
    let at = Timestamp::from_millis(0);
    let own = limits(own);
    let extended = ExtendedLimits {
        tpm: own.tpm,
        project_limits: limits(project),
        organization_limits: limits(organization),
        ..ExtendedLimits::default()
    };
    KeyRecord {
        id: KeyId::new(at, [number; 10]),
        project: ProjectId::new(at, [201; 10]),
        organization: OrganizationId::new(at, [202; 10]),
        rpm: own.rpm,
        extended: Some(Box::new(extended)),
        ..record()
    }
}

fn rate(state: Option<RateLimitState>) -> (u64, u64) {
    let state = state.unwrap();
    (state.limit, state.remaining)
}

#[test]
fn keys_of_a_project_share_its_requests_exactly() {
    let node = Node::new();
    let keys = [1, 2].map(|number| key(number, [(Some(8), None), (Some(10), None), NONE]));
    let admitted = |key: &KeyRecord| (0..9).filter(|_| node.call(key, 0, 0).0.is_ok()).count();
    assert_eq!((admitted(&keys[0]), admitted(&keys[1])), (8, 2));
    assert_eq!(node.used(owners(&keys[1])[0]), (2, 0), "refused calls take none of the key's");
    let (refused, limits) = node.call(&keys[1], 0, 0);
    let denial = refused.unwrap_err();
    assert_eq!(denial.outcome, Outcome::RateLimited);
    let told = "rpm 10 of the project reached: 10 used in the last 60 s. Retry in 60 s.";
    assert_eq!(denial.detail, told);
    assert_eq!(rate(limits.requests), (10, 0), "the state is that of the level that refuses");
    let limit = denial.limit.unwrap();
    assert_eq!((limit.scope, limit.unit), (LimitScope::Project, LimitUnit::Requests));
    assert_eq!((limit.limit, limit.used), (BudgetAmount::Count(10), BudgetAmount::Count(10)));
    assert_eq!(limit.period, Some(Period::Minute));
    assert_eq!(limit.resets_at, Some(Timestamp::from_millis(60_000)));
    node.clock.advance(Duration::from_secs(61));
    assert!(node.call(&keys[1], 0, 0).0.is_ok());
}

#[test]
fn refusal_by_the_organization_gives_back_the_other_levels() {
    let node = Node::new();
    let key = key(1, [(Some(9), Some(900)), (Some(8), Some(800)), (Some(7), Some(100))]);
    assert!(node.call(&key, 60, 60).0.is_ok());
    let denial = node.call(&key, 60, 60).0.unwrap_err();
    assert_eq!(denial.outcome, Outcome::TokenRateLimited);
    let told = "tpm 100 of the organization reached: 60 used in the last 60 s, 60 requested; ";
    assert!(denial.detail.starts_with(told), "{}", denial.detail);
    assert_eq!(denial.limit.unwrap().scope, LimitScope::Organization);
    for owner in owners(&key) {
        assert_eq!(node.used(owner), (1, 60), "{owner:?}");
    }
}

#[test]
fn call_larger_than_a_limit_never_resets() {
    let denial = Node::new().call(&key(1, [NONE, (None, Some(10)), NONE]), 11, 20).0.unwrap_err();
    assert_eq!((denial.retry_after, denial.limit.unwrap().resets_at), (None, None));
    assert!(denial.detail.ends_with("a call of this size never fits."), "{}", denial.detail);
}

#[test]
fn granted_tokens_are_the_least_of_all_levels() {
    let node = Node::new();
    let key = key(1, [(None, Some(1_000)), (None, Some(300)), (None, Some(500))]);
    let (acquired, limits) = node.call(&key, 10, 800);
    assert_eq!(acquired.unwrap().tokens(), Some(300));
    for owner in owners(&key) {
        assert_eq!(node.used(owner), (0, 300), "{owner:?}");
    }
    assert_eq!(rate(limits.tokens), (300, 0));
    assert_eq!(limits.requests, None);
}

#[test]
fn states_are_those_of_the_tightest_level() {
    let node = Node::new();
    let key = key(1, [(Some(5), Some(900)), (Some(50), Some(200)), (Some(4), None)]);
    let (_, limits) = node.call(&key, 20, 20);
    assert_eq!(rate(limits.requests), (4, 3));
    assert_eq!(rate(limits.tokens), (200, 180));
}

#[test]
fn key_without_limits_at_any_level_holds_nothing() {
    let node = Node::new();
    for key in [record(), key(1, [NONE; 3])] {
        let (acquired, limits) = node.call(&key, 10, 20);
        assert_eq!(acquired.unwrap(), RatePermit::default());
        assert_eq!(limits, LimitStates::default());
    }
}

fn rates() -> impl Strategy<Value = Rates> {
    (prop::option::of(1_u64..12), prop::option::of(1_u64..200))
}

proptest! {
    /// A call is admitted exactly if every level has room, and then every level has counted the
    /// same; a refused call leaves no trace.
    #[test]
    fn levels_admit_all_or_nothing(
        of_keys in prop::array::uniform3(rates()), project in rates(), organization in rates(),
        calls in prop::collection::vec((0_usize..3, 0_u64..40, 0_u64..80, 0_u64..3), 1..60),
    ) {
        let node = Node::new();
        let keys: Vec<_> = (0..).zip(of_keys)
            .map(|(number, own)| key(number, [own, project, organization]))
            .collect();
        for (index, least, more, then) in calls {
            let (key, all) = (&keys[index], [of_keys[index], project, organization]);
            let before = owners(key).map(|owner| node.used(owner));
            let left = |(rpm, tpm): Rates, (requests, tokens): (u64, u64)| (
                rpm.map(|limit| limit.saturating_sub(requests)),
                tpm.map(|limit| limit.saturating_sub(tokens)),
            );
            let left: Vec<_> = all.into_iter().zip(before).map(|(of, used)| left(of, used)).collect();
            let lacks = |(requests, tokens): &Rates| {
                *requests == Some(0) || tokens.is_some_and(|tokens| tokens < least)
            };
            let (acquired, limits) = node.call(key, least, least + more);
            let first = left.iter().position(lacks);
            prop_assert_eq!(acquired.is_err(), first.is_some());
            let after = owners(key).map(|owner| node.used(owner));
            let permit = match acquired {
                Err(denial) => {
                    let scopes = [LimitScope::Key, LimitScope::Project, LimitScope::Organization];
                    prop_assert_eq!(denial.limit.unwrap().scope, scopes[first.unwrap()]);
                    prop_assert_eq!(before, after);
                    continue;
                }
                Ok(permit) => permit,
            };
            let tightest = left.iter().filter_map(|(_, tokens)| *tokens).min();
            let granted = tightest.map(|tokens| tokens.min(least + more));
            prop_assert_eq!(permit.tokens(), granted);
            for (of, (before, after)) in all.into_iter().zip(before.into_iter().zip(after)) {
                let requests = before.0 + u64::from(of.0.is_some());
                let tokens = before.1 + of.1.and(granted).unwrap_or_default();
                prop_assert_eq!(after, (requests, tokens));
            }
            let fewest = left.iter().filter_map(|(requests, _)| *requests).min();
            let told = limits.requests.map(|state| state.remaining);
            prop_assert_eq!(told, fewest.map(|requests| requests - 1));
            let told = limits.tokens.map(|state| state.remaining);
            prop_assert_eq!(told, tightest.zip(granted).map(|(left, granted)| left - granted));
            match then {
                0 => permit.release_on(node.windows()),
                1 => drop(permit),
                _ => node.clock.advance(Duration::from_secs(20)),
            }
        }
    }
}
