//! Random schedules of calls on the budgets of two keys, their project and their organization. A
//! call is refused if and only if a budget has too little left of what is neither used nor
//! reserved, whatever was leased, whenever calls settle, and however the clock is set.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use latchkey_domain::id::{KeyId, OrganizationId, ProjectId};
use latchkey_domain::limit::Period;
use latchkey_domain::price::Price;
use latchkey_store::Database;
use latchkey_store::clock::{Clock, ManualClock};
use latchkey_store::random::Random;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

use super::*;
use crate::budget_lease::return_leases;
use crate::budget_owner::BudgetOwner;
use crate::budget_slot::{BudgetId, BudgetTenant};
use crate::checker::CheckerConfig;
use crate::digest::Pepper;
use crate::token_estimate::{AnswerCap, TokenAmount, TokenEstimate};

const START: i64 = 1_795_000_000_000;
const DAY: i64 = 24 * 60 * 60 * 1_000;
/// Budgets of a schedule. A call of the first key has to fit all but the second, a call of the
/// second key all but the first.
const BUDGETS: usize = 5;
const BUDGETS_OF_KEYS: [[usize; 4]; 2] = [[0, 2, 3, 4], [1, 2, 3, 4]];

#[derive(Debug, Clone)]
enum Step {
    Call {
        of_second_key: bool,
        estimate: TokenEstimate,
    },
    /// A call in progress settles with so many per cent of what it has reserved.
    Settle {
        call: Index,
        percent: u64,
    },
    /// Milliseconds pass.
    Pass(u64),
    /// The wall clock is set by milliseconds.
    SetClock(i64),
    ReturnLeases,
    /// The limit of a budget is set, above or below what is used.
    Limit {
        budget: Index,
        size: u64,
    },
}

/// About as much as so many per cent of the largest limit.
fn limit(unit: BudgetUnit, size: u64) -> u64 {
    match unit {
        BudgetUnit::Requests => size,
        BudgetUnit::Tokens => size * 20,
        BudgetUnit::Usd => size * 20_000,
    }
}

fn step() -> impl Strategy<Value = Step> {
    let call = (any::<bool>(), 0_u32..40, 0_u32..40, 0_u32..3, any::<bool>(), 1_u32..60);
    let call = call.prop_map(|(of_second_key, prompt, more, answers, is_open, cap)| {
        let answer = if is_open { AnswerCap::Model(cap) } else { AnswerCap::Client(cap) };
        let estimate = TokenEstimate {
            prompt_estimate: prompt,
            prompt_bound: prompt + more,
            answers,
            least_answer: 1,
            answer,
        };
        Step::Call { of_second_key, estimate }
    });
    let settle = (any::<Index>(), 0_u64..=110);
    let limit = (any::<Index>(), 1_u64..=100);
    prop_oneof![
        12 => call,
        8 => settle.prop_map(|(call, percent)| Step::Settle { call, percent }),
        2 => (0_u64..3_000).prop_map(Step::Pass),
        1 => (0_u64..100_000_000).prop_map(Step::Pass),
        1 => (-3 * DAY..3 * DAY).prop_map(Step::SetClock),
        2 => Just(Step::ReturnLeases),
        1 => limit.prop_map(|(budget, size)| Step::Limit { budget, size }),
    ]
}

/// A budget, and what is used and reserved of it.
struct TrackedBudget {
    budget: LimitedBudget,
    /// Start and end of the current period. `None` before the first call.
    period: Option<(Timestamp, Option<Timestamp>)>,
    /// Used and reserved, by the start of the period.
    sums: BTreeMap<Timestamp, (u64, u64)>,
}

impl TrackedBudget {
    fn unit(&self) -> BudgetUnit {
        self.budget.slot.id.unit
    }

    /// Enters the period of `now`. A clock that was set back reopens no period.
    fn enter(&mut self, now: Timestamp) {
        let lasts = self.period.is_some_and(|(_, end)| end.is_none_or(|end| now < end));
        if !lasts {
            self.period = Some(self.budget.slot.id.period.around(now));
        }
    }

    fn starts_at(&self) -> Timestamp {
        self.period.unwrap().0
    }

    /// Whether so much is neither used nor reserved in the current period.
    fn fits(&self, amount: u64) -> bool {
        let (used, reserved) = self.sums.get(&self.starts_at()).copied().unwrap_or_default();
        used + reserved + amount <= self.budget.limit
    }
}

/// A call in progress.
struct OpenCall {
    permits: BudgetPermits,
    /// Which budgets it has reserved how much of, in which period.
    reserved: Vec<(usize, Timestamp, u64)>,
}

struct Schedule<'a> {
    checker: &'a Checker,
    budgets: Vec<TrackedBudget>,
    open: Vec<OpenCall>,
}

impl<'a> Schedule<'a> {
    /// Budgets that no other schedule has, with these limits.
    fn new(checker: &'a Checker, number: i64, sizes: [u64; BUDGETS]) -> Self {
        let at = Timestamp::from_millis(number);
        let [one, other] = [0, 1].map(|key| BudgetOwner::Key(KeyId::new(at, [key; 10])));
        let (project, organization) =
            (ProjectId::new(at, [2; 10]), OrganizationId::new(at, [3; 10]));
        let of_project = BudgetTenant { organization, project: Some(project) };
        let of_organization = BudgetTenant { organization, project: None };
        let project = BudgetOwner::Project(project);
        let organization = BudgetOwner::Organization(organization);
        // In the order in which calls lock them.
        let budgets: [_; BUDGETS] = [
            (one, of_project, BudgetUnit::Usd, Period::Day),
            (other, of_project, BudgetUnit::Tokens, Period::Total),
            (project, of_project, BudgetUnit::Tokens, Period::Hour),
            (organization, of_organization, BudgetUnit::Requests, Period::Day),
            (organization, of_organization, BudgetUnit::Usd, Period::Total),
        ];
        let tracked = |((owner, tenant, unit, period), size)| {
            let slot = Arc::new(BudgetSlot::new(BudgetId { owner, unit, period }, tenant));
            let budget = LimitedBudget { slot, limit: limit(unit, size) };
            TrackedBudget { budget, period: None, sums: BTreeMap::new() }
        };
        let budgets = budgets.into_iter().zip(sizes).map(tracked).collect();
        Self { checker, budgets, open: Vec::new() }
    }

    async fn follow(&mut self, clock: &ManualClock, steps: Vec<Step>) -> Result<(), TestCaseError> {
        for step in steps {
            match step {
                Step::Call { of_second_key, estimate } => {
                    let key = usize::from(of_second_key);
                    self.call(BUDGETS_OF_KEYS[key], estimate, clock.now()).await?;
                }
                Step::Settle { call, percent } if !self.open.is_empty() => {
                    let call = self.open.swap_remove(call.index(self.open.len()));
                    self.settle(call, percent).await;
                }
                Step::Settle { .. } => {}
                Step::Pass(millis) => clock.advance(Duration::from_millis(millis)),
                Step::SetClock(by) => clock.set_by(by),
                Step::ReturnLeases => return_leases(self.checker, false).await.unwrap(),
                Step::Limit { budget, size } => {
                    let tracked = &mut self.budgets[budget.index(BUDGETS)];
                    tracked.budget.limit = limit(tracked.unit(), size);
                }
            }
        }
        self.finish().await
    }

    /// Admits the call exactly if all its budgets have enough left; otherwise the first that lacks
    /// some refuses it.
    async fn call(
        &mut self,
        of_key: [usize; 4],
        estimate: TokenEstimate,
        now: Timestamp,
    ) -> Result<(), TestCaseError> {
        let tokens = TokenAmount::Estimated(estimate);
        let need = BudgetNeed { tokens, most: u64::MAX, price: Some(&Price::SANDBOX) };
        for index in of_key {
            self.budgets[index].enter(now);
        }
        let lacks = |index: &usize| {
            let tracked = &self.budgets[*index];
            !tracked.fits(need.least(tracked.unit()))
        };
        let lacking = of_key.into_iter().find(lacks);
        let budgets = of_key.map(|index| self.budgets[index].budget.clone());
        let acquired = acquire(self.checker, &budgets, &need, BudgetMode::Reserve, now).await;
        // A lease may be renewed in the background. No step is made before that is done.
        self.checker.settled().await;
        let AcquiredBudgets { granted, permits } = match (acquired.unwrap(), lacking) {
            (Ok(acquired), None) => acquired,
            (Err(refusal), Some(index)) => {
                prop_assert_eq!(&refusal.budget, &self.budgets[index].budget);
                return Ok(());
            }
            (Ok(_), Some(index)) => {
                let budget = &self.budgets[index].budget;
                return Err(TestCaseError::fail(format!("{budget:?} has too little left")));
            }
            (Err(refusal), None) => {
                return Err(TestCaseError::fail(format!("it fits every budget: {refusal:?}")));
            }
        };
        let mut reserved = Vec::new();
        for index in of_key {
            let tracked = &mut self.budgets[index];
            let amount = need.amount(tracked.unit(), granted);
            prop_assert!(tracked.fits(amount), "{} of {:?}", amount, tracked.budget);
            let starts_at = tracked.starts_at();
            let is_spent = tracked.unit() == BudgetUnit::Requests;
            let (used, open) = tracked.sums.entry(starts_at).or_default();
            if is_spent {
                *used += amount;
            } else {
                *open += amount;
                reserved.push((index, starts_at, amount));
            }
        }
        self.open.push(OpenCall { permits, reserved });
        Ok(())
    }

    async fn settle(&mut self, call: OpenCall, percent: u64) {
        let OpenCall { permits, reserved } = call;
        let part = |amount: u64| amount * percent / 100;
        // A call reserves the same amount of all budgets in a unit.
        let used_of = |unit: BudgetUnit| {
            let of_unit = reserved.iter().find(|(index, ..)| self.budgets[*index].unit() == unit);
            of_unit.map_or(1, |(.., amount)| part(*amount))
        };
        settle(self.checker, permits, used_of).await.unwrap();
        for (index, starts_at, amount) in reserved {
            let (used, open) = self.budgets[index].sums.entry(starts_at).or_default();
            *used += part(amount);
            *open -= amount;
        }
    }

    /// Ends the calls in progress and returns all leases: what is charged then is what was used.
    async fn finish(&mut self) -> Result<(), TestCaseError> {
        while let Some(call) = self.open.pop() {
            self.settle(call, 0).await;
        }
        return_leases(self.checker, true).await.unwrap();
        for tracked in &self.budgets {
            for (starts_at, (used, reserved)) in &tracked.sums {
                let period = BudgetPeriod { id: tracked.budget.slot.id, starts_at: *starts_at };
                let charged = budget_store::used_of(&self.checker.database, period).await.unwrap();
                prop_assert_eq!((charged.used, *reserved), (*used, 0), "{:?}", period);
            }
        }
        Ok(())
    }
}

struct Zeros;

impl Random for Zeros {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

#[test]
fn calls_are_admitted_while_all_their_budgets_hold_them() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (url, _folder) = latchkey_test_database::on_sqlite();
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(START)));
    let checker = runtime.block_on(async {
        let config = CheckerConfig {
            database: Database::open(&url).await.unwrap(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            random: Arc::new(Zeros),
            pepper: Pepper::new(b"pepper"),
            redis: None,
        };
        Checker::start(config).await.unwrap()
    });
    let schedules = (prop::array::uniform5(1_u64..=100), prop::collection::vec(step(), 1..100));
    let config =
        ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() };
    let number = Cell::new(0);
    let followed = TestRunner::new(config).run(&schedules, |(sizes, steps)| {
        number.set(number.get() + 1);
        let mut schedule = Schedule::new(&checker, number.get(), sizes);
        runtime.block_on(schedule.follow(&clock, steps))
    });
    if let Err(failed) = followed {
        panic!("{failed}");
    }
}
