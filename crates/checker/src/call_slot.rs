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
use crate::parallel_limit::{ParallelFull, ParallelLimit};
use crate::record::KeyRecord;
use crate::shared_calls;

/// When a refused call may retry. When another call ends is unknown.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Limits of a key, its project and its organization, in this order.
type ParallelLimits = SmallVec<[ParallelLimit; 3]>;

/// Slot of a call in progress. Dropping it frees the slot at every level, with Redis in the
/// background.
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
    pub(crate) async fn acquire(checker: &Checker, key: &KeyRecord) -> Result<Self, Box<Denial>> {
        let limits = limits(key);
        if checker.shared.is_some() {
            // Boxed, so that calls without Redis do not carry this future.
            return Box::pin(acquire_shared(checker, limits)).await;
        }
        let acquired = checker.parallel.acquire(&limits, |limit| limit);
        acquired.map_err(|full| Box::new(denial(full)))?;
        Ok(Self::of(checker.clone(), &limits))
    }

    /// The slot of a call that was counted.
    fn of(checker: Checker, limits: &[ParallelLimit]) -> Self {
        Self { checker, owners: limits.iter().map(|acquired| acquired.owner).collect() }
    }
}

impl Drop for CallSlot {
    fn drop(&mut self) {
        if self.checker.shared.is_none() {
            self.checker.parallel.release(self.owners.iter().copied());
            return;
        }
        // Without a runtime the process is ending, and Redis forgets its calls.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (checker, owners) = (self.checker.clone(), std::mem::take(&mut self.owners));
        let release = async move {
            if let Some(limiter) = &checker.shared {
                shared_calls::release(&checker, limiter, &owners).await;
            }
        };
        self.checker.unsettled.spawn_on(release, &runtime);
    }
}

/// Acquires a slot in a task of its own. If the caller is cancelled while Redis decides, the task
/// goes on, and drops the slot when it has it.
async fn acquire_shared(
    checker: &Checker,
    limits: ParallelLimits,
) -> Result<CallSlot, Box<Denial>> {
    let task = acquire_to_end(checker.clone(), limits);
    match checker.unsettled.spawn(task).await {
        Ok(acquired) => acquired.map_err(|full| Box::new(denial(full))),
        Err(error) => {
            tracing::error!(%error, "Failed to count a call in progress");
            Err(Box::new(Denial::of(Outcome::Unavailable)))
        }
    }
}

async fn acquire_to_end(
    checker: Checker,
    limits: ParallelLimits,
) -> Result<CallSlot, ParallelFull> {
    if let Some(limiter) = &checker.shared {
        shared_calls::acquire(&checker, limiter, &limits).await?;
    }
    Ok(CallSlot::of(checker, &limits))
}

/// Number of calls that each level may have in progress. Only the key has a default.
fn limits(key: &KeyRecord) -> ParallelLimits {
    let extended = key.extended();
    let of_project = extended.project_limits.max_parallel.map(Limit::get);
    let of_organization = extended.organization_limits.max_parallel.map(Limit::get);
    let of_key = extended.max_parallel.map_or(DEFAULT_MAX_PARALLEL, Limit::get);
    let levels = [
        (BudgetOwner::Key(key.id), Some(of_key)),
        (BudgetOwner::Project(key.project), of_project),
        (BudgetOwner::Organization(key.organization), of_organization),
    ];
    let levels = levels.into_iter();
    levels.filter_map(|(owner, limit)| Some(ParallelLimit { owner, limit: limit? })).collect()
}

/// Denial that a new call would get, if any. Acquires nothing.
pub(crate) async fn peek(checker: &Checker, key: &KeyRecord) -> Option<Denial> {
    let limits = limits(key);
    let full = match &checker.shared {
        None => checker.parallel.peek(&limits, |limit| limit),
        // Boxed, so that dry runs without Redis do not carry this future.
        Some(limiter) => Box::pin(shared_calls::peek(checker, limiter, &limits)).await,
    };
    full.map(denial)
}

fn denial(full: ParallelFull) -> Denial {
    let ParallelFull { owner, whole, limit, used } = full;
    let scope = owner.scope();
    let (of_level, whose) = match scope {
        LimitScope::Key => ("", "this key"),
        LimitScope::Project => (" of the project", "its keys"),
        LimitScope::Organization => (" of the organization", "its keys"),
    };
    let share =
        if limit == whole { String::new() } else { format!(" (currently {limit} on this node)") };
    Denial {
        detail: format!(
            "max_parallel {whole}{share}{of_level} reached: {used} calls of {whose} are in \
             progress. Retry when one has finished."
        ),
        retry_after: Some(RETRY_AFTER),
        limit: Some(Box::new(RefusingLimit {
            scope,
            unit: LimitUnit::Calls,
            period: None,
            limit: BudgetAmount::Count(whole),
            used: BudgetAmount::Count(used),
            reserved: BudgetAmount::Count(0),
            resets_at: None,
        })),
        ..Denial::of(Outcome::TooManyParallelRequests)
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::id::{KeyId, ProjectId};
    use latchkey_domain::time::Timestamp;

    use super::*;

    #[test]
    fn denial_names_level_whole_limit_and_current_share() {
        let (now, random) = (Timestamp::from_millis(0), [1; 10]);
        let of = |owner, limit| denial(ParallelLimit { owner, limit: 6 }.full(limit, 3));
        let key = of(BudgetOwner::Key(KeyId::new(now, random)), 6);
        let told = "max_parallel 6 reached: 3 calls of this key are in progress. ";
        assert!(key.detail.starts_with(told), "{}", key.detail);
        let project = of(BudgetOwner::Project(ProjectId::new(now, random)), 3);
        let told = "max_parallel 6 (currently 3 on this node) of the project reached: 3 calls of \
                    its keys are in progress. ";
        assert!(project.detail.starts_with(told), "{}", project.detail);
        let limit = project.limit.unwrap();
        assert_eq!((limit.scope, limit.limit), (LimitScope::Project, BudgetAmount::Count(6)));
        assert_eq!(project.retry_after, Some(RETRY_AFTER));
    }
}
