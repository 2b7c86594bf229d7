//! All budgets that this process has state of.

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use latchkey_domain::budget::{Budget, Budgets, LevelLimits};
use latchkey_domain::id::{KeyId, OrganizationId, ProjectId};
use latchkey_store::id_map::IdMap;

use crate::budget_owner::BudgetOwner;
use crate::budget_slot::{BudgetId, BudgetSlot, BudgetTenant};

/// Number of lock shards. A lock is held for a look-up.
const SHARDS: usize = 64;

/// A budget that a key has to fit: its own, its project's or its organization's.
#[derive(Debug, Clone)]
pub(crate) struct LimitedBudget {
    pub(crate) slot: Arc<BudgetSlot>,
    pub(crate) limit: u64,
}

impl LimitedBudget {
    /// Order in which slots are locked. It is the same for all calls, so that no two wait for each
    /// other.
    pub(crate) fn order(&self) -> impl Ord + use<> {
        let BudgetId { owner, unit, period } = self.slot.id;
        (owner.scope(), unit, period)
    }
}

impl PartialEq for LimitedBudget {
    fn eq(&self, other: &Self) -> bool {
        (self.slot.id, self.limit) == (other.slot.id, other.limit)
    }
}

impl Eq for LimitedBudget {}

type SlotShard = IdMap<BudgetId, Arc<BudgetSlot>>;

/// Slots by what they are of, and the list of those that hold anything.
pub(crate) struct BudgetSlots {
    shards: [Mutex<SlotShard>; SHARDS],
    listed: Mutex<Vec<Arc<BudgetSlot>>>,
    hasher: foldhash::fast::FixedState,
}

impl BudgetSlots {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            listed: Mutex::default(),
            hasher: foldhash::fast::FixedState::default(),
        }
    }

    /// All budgets that a key has to fit, in the order in which they are locked.
    pub(crate) fn of_key(
        &self,
        (key, project, organization): (KeyId, ProjectId, OrganizationId),
        budgets: &Budgets,
        project_limits: &LevelLimits,
        organization_limits: &LevelLimits,
    ) -> Vec<LimitedBudget> {
        let of_project = BudgetTenant { organization, project: Some(project) };
        let of_organization = BudgetTenant { organization, project: None };
        let levels = [
            (BudgetOwner::Key(key), of_project, budgets),
            (BudgetOwner::Project(project), of_project, &project_limits.budgets),
            (
                BudgetOwner::Organization(organization),
                of_organization,
                &organization_limits.budgets,
            ),
        ];
        let mut all: Vec<_> = levels
            .into_iter()
            .flat_map(|(owner, tenant, budgets)| {
                let limited = move |budget: &Budget| self.limited(owner, tenant, budget);
                budgets.as_slice().iter().map(limited)
            })
            .collect();
        all.sort_by_key(LimitedBudget::order);
        all
    }

    fn limited(&self, owner: BudgetOwner, tenant: BudgetTenant, budget: &Budget) -> LimitedBudget {
        let id = BudgetId { owner, unit: budget.unit, period: budget.period };
        LimitedBudget { slot: self.slot(id, tenant), limit: budget.limit.counted() }
    }

    /// The slot of a budget.
    pub(crate) fn slot(&self, id: BudgetId, tenant: BudgetTenant) -> Arc<BudgetSlot> {
        let mut shard = self.shard(&id);
        let slot = shard.entry(id).or_insert_with(|| Arc::new(BudgetSlot::new(id, tenant)));
        Arc::clone(slot)
    }

    /// The slot of a budget, if this process has state of it.
    pub(crate) fn get(&self, id: &BudgetId) -> Option<Arc<BudgetSlot>> {
        self.shard(id).get(id).map(Arc::clone)
    }

    /// Adds a slot to the list of those that hold anything.
    pub(crate) fn list(&self, slot: &Arc<BudgetSlot>) {
        lock(&self.listed).push(Arc::clone(slot));
    }

    /// Slots that hold anything.
    pub(crate) fn listed(&self) -> Vec<Arc<BudgetSlot>> {
        let mut listed = lock(&self.listed);
        listed.retain(|slot| slot.lock().stays_listed());
        listed.clone()
    }

    /// Number of slots that hold anything.
    pub(crate) fn len(&self) -> usize {
        self.listed().len()
    }

    /// Drops the slots that no cached key and no list refers to.
    pub(crate) fn forget_idle(&self) {
        for shard in &self.shards {
            lock(shard).retain(|_, slot| Arc::strong_count(slot) > 1);
        }
    }

    fn shard(&self, id: &BudgetId) -> MutexGuard<'_, SlotShard> {
        let hash = usize::try_from(self.hasher.hash_one(id) >> 32).unwrap_or_default();
        lock(&self.shards[hash % SHARDS])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each step leaves a map or a list consistent, even if a thread panicked while holding the
    // lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
