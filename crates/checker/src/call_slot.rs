//! Slot for one of the gateway calls that a key, its project and its organization may have in
//! progress: one of each that has a limit, or none.

use std::time::Duration;

use latchkey_domain::api::{LimitUnit, RefusingLimit};
use latchkey_domain::budget::{BudgetAmount, LimitScope};
use latchkey_domain::limit::{DEFAULT_MAX_PARALLEL, Limit};
use latchkey_domain::outcome::Outcome;
use smallvec::SmallVec;

use crate::budget_owner::BudgetOwner;
use crate::checker::Checker;
use crate::outcome::Denial;
use crate::record::KeyRecord;

/// When a refused call may retry. When another call ends is unknown.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Slot of a call in progress. Dropping it frees the slot at every level.
#[must_use]
pub struct CallSlot {
    checker: Checker,
    owners: SmallVec<[BudgetOwner; 3]>,
}

impl CallSlot {
    /// Acquires a slot of the key, its project and its organization.
    ///
    /// # Errors
    /// The [`Denial`]: all slots of one of them are in use.
    pub(crate) fn acquire(checker: &Checker, key: &KeyRecord) -> Result<Self, Box<Denial>> {
        let mut slot = Self { checker: checker.clone(), owners: SmallVec::new() };
        for (owner, limit) in limits(key) {
            // If this level refuses, dropping the slot frees those of the levels before.
            let acquired = checker.parallel.acquire(owner, limit);
            acquired.map_err(|used| Box::new(full(owner.scope(), limit, used)))?;
            slot.owners.push(owner);
        }
        Ok(slot)
    }
}

impl Drop for CallSlot {
    fn drop(&mut self) {
        for owner in &self.owners {
            self.checker.parallel.release(*owner);
        }
    }
}

/// Number of calls that each level may have in progress. Only the key has a default.
fn limits(key: &KeyRecord) -> impl Iterator<Item = (BudgetOwner, u64)> {
    let extended = key.extended();
    let of_project = extended.project_limits.max_parallel.map(Limit::get);
    let of_organization = extended.organization_limits.max_parallel.map(Limit::get);
    let of_key = extended.max_parallel.map_or(DEFAULT_MAX_PARALLEL, Limit::get);
    let levels = [
        Some((BudgetOwner::Key(key.id), of_key)),
        of_project.map(|limit| (BudgetOwner::Project(key.project), limit)),
        of_organization.map(|limit| (BudgetOwner::Organization(key.organization), limit)),
    ];
    levels.into_iter().flatten()
}

/// Denial that a new call would get, if any. Acquires nothing.
pub(crate) fn peek(checker: &Checker, key: &KeyRecord) -> Option<Denial> {
    limits(key).find_map(|(owner, limit)| {
        let used = checker.parallel.count(owner);
        (used >= limit).then(|| full(owner.scope(), limit, used))
    })
}

fn full(scope: LimitScope, limit: u64, used: u64) -> Denial {
    let (of_level, whose) = match scope {
        LimitScope::Key => ("", "this key"),
        LimitScope::Project => (" of the project", "its keys"),
        LimitScope::Organization => (" of the organization", "its keys"),
    };
    Denial {
        detail: format!(
            "max_parallel {limit}{of_level} reached: {used} calls of {whose} are in progress. \
             Retry when one has finished."
        ),
        retry_after: Some(RETRY_AFTER),
        limit: Some(Box::new(RefusingLimit {
            scope,
            unit: LimitUnit::Calls,
            period: None,
            limit: BudgetAmount::Count(limit),
            used: BudgetAmount::Count(used),
            reserved: BudgetAmount::Count(0),
            resets_at: None,
        })),
        ..Denial::of(Outcome::TooManyParallelRequests)
    }
}
