//! Where budgets stand.

use std::collections::{HashMap, HashSet};

use latchkey_domain::api::BudgetState;
use latchkey_domain::budget::{Budget, BudgetAmount, Budgets, LimitScope};
use latchkey_domain::time::Timestamp;
use latchkey_store::Error;
use latchkey_store::entity::budget_usage;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::budget_owner::BudgetOwner;
use crate::budget_slot::{BudgetId, BudgetSlot, KnownUse};
use crate::budget_use::PeriodUse;
use crate::checker::Checker;
use crate::lookup_limiter::LookupCaller;
use crate::record::KeyRecord;

impl Checker {
    /// States of several owners' budgets at `now`, by one query. An owner without budgets has no
    /// entry. What other nodes have leased counts as used until they return it, a second or two
    /// after their last call.
    ///
    /// # Errors
    /// The database fails.
    pub async fn budget_states(
        &self,
        owners: &[(BudgetOwner, Budgets)],
        now: Timestamp,
    ) -> Result<HashMap<BudgetOwner, Vec<BudgetState>>, Error> {
        let budgets = owners.iter().flat_map(|(owner, budgets)| {
            budgets.as_slice().iter().map(move |budget| {
                let id = BudgetId { owner: *owner, unit: budget.unit, period: budget.period };
                (id, *budget, budget.period.around(now))
            })
        });
        // Read before the database, so that an amount returned meanwhile counts as used at worst.
        let budgets: Vec<_> = budgets
            .map(|(id, budget, (starts_at, resets_at))| {
                (id, budget, (starts_at, resets_at), self.known_use(&id, starts_at))
            })
            .collect();
        if budgets.is_empty() {
            return Ok(HashMap::new());
        }
        let owners = budgets.iter().map(|(id, ..)| id.owner.uuid());
        let units = budgets.iter().map(|(id, ..)| id.unit).collect::<HashSet<_>>();
        let periods = budgets.iter().map(|(id, ..)| id.period).collect::<HashSet<_>>();
        let starts = budgets.iter().map(|(_, _, (starts_at, _), _)| *starts_at);
        // All columns of the primary key. A budget a minute has thousands of rows that would be
        // read by its owner alone, and all tenants' budgets of a month start at one time.
        let rows = budget_usage::Entity::find()
            .filter(budget_usage::Column::OwnerId.is_in(owners))
            .filter(budget_usage::Column::Unit.is_in(units))
            .filter(budget_usage::Column::Period.is_in(periods))
            .filter(budget_usage::Column::StartsAt.is_in(starts.collect::<HashSet<_>>()))
            .all(self.database.reader())
            .await?;
        let rows: HashMap<_, _> = rows
            .into_iter()
            .map(|row| {
                let known = PeriodUse::of((row.used, row.background, row.background_calls));
                ((row.owner_id, row.unit, row.period, row.starts_at), known)
            })
            .collect();
        let mut states: HashMap<BudgetOwner, Vec<BudgetState>> = HashMap::new();
        for (id, budget, (starts_at, resets_at), known) in budgets {
            let stored = rows.get(&(id.owner.uuid(), id.unit, id.period, starts_at)).copied();
            let PeriodUse { used, background } = stored.unwrap_or_default();
            let charged = used.saturating_sub(known.unused);
            let reserved = known.reserved.saturating_add(background.amount);
            let state = state(&budget, (charged, reserved), resets_at);
            states.entry(id.owner).or_default().push(state);
        }
        Ok(states)
    }

    fn known_use(&self, id: &BudgetId, starts_at: Timestamp) -> KnownUse {
        self.budget_slots
            .get(id)
            .map_or_else(KnownUse::default, |slot| slot.lock().known_use(starts_at))
    }

    /// States of a key's own budgets now. It costs a query if the key has any.
    ///
    /// # Errors
    /// The database fails.
    pub async fn key_budget_states(&self, key: &KeyRecord) -> Result<Vec<BudgetState>, Error> {
        let budgets = &key.extended().budgets;
        if budgets.is_empty() {
            return Ok(Vec::new());
        }
        let owner = BudgetOwner::Key(key.id);
        let owners = [(owner, budgets.clone())];
        let states = self.budget_states(&owners, self.clock.now());
        let caller = LookupCaller::Organization(key.organization);
        let mut states = Box::pin(self.lookup_limiter.of(caller, states)).await?;
        Ok(states.remove(&owner).unwrap_or_default())
    }
    /// States of a key's own budgets after a call. It costs no query while this node has a lease of
    /// each of them; then they are what this node knows.
    ///
    /// # Errors
    /// The database fails.
    pub async fn budget_states_after_call(
        &self,
        key: &KeyRecord,
    ) -> Result<Vec<BudgetState>, Error> {
        let now = self.clock.now();
        let known = |budget: &Budget| {
            let is_of = |slot: &BudgetSlot| {
                slot.id.owner.scope() == LimitScope::Key
                    && (slot.id.unit, slot.id.period) == budget.kind()
            };
            let limited = key.extended().limited_budgets.iter().find(|one| is_of(&one.slot))?;
            let slot = limited.slot.lock_at(now);
            Some(state(budget, slot.leased_use()?, slot.ends_at()))
        };
        match key.extended().budgets.as_slice().iter().map(known).collect() {
            Some(states) => Ok(states),
            // Boxed: few calls need the future of a query.
            None => Box::pin(self.key_budget_states(key)).await,
        }
    }
}

/// State of a budget of which `charged` is used, `reserved` of it by calls in progress.
fn state(
    budget: &Budget,
    (charged, reserved): (u64, u64),
    resets_at: Option<Timestamp>,
) -> BudgetState {
    let amount = |counted| BudgetAmount::new(budget.unit, counted);
    BudgetState {
        unit: budget.unit,
        limit: budget.limit,
        period: budget.period,
        used: amount(charged.saturating_sub(reserved)),
        reserved: amount(reserved.min(charged)),
        remaining: amount(budget.limit.counted().saturating_sub(charged)),
        resets_at,
    }
}
