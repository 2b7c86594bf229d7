//! Batched writes of usage.
//!
//! Sums and denials are written in one transaction, where telemetry is stored. Last uses follow on
//! the keys themselves, in small transactions that hardly delay a revocation.
//!
//! Every statement writes many rows, in the same order on every node. So two nodes that write the
//! same keys wait for each other but cannot deadlock.

mod denials;
mod last_uses;
mod models;
mod sums;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use latchkey_domain::id::ProjectId;
use latchkey_domain::usage::Month;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, Set};

use self::sums::{add, stored};
use super::buffer::UsageBuffer;
use super::counts::Counts;
use super::models::ModelUsage;
use super::pending::{PendingCounters, UsageBatch};
use super::quota::MonthCount;
use super::resolution::Resolution;
use crate::checker::Checker;
use latchkey_store::Error;
use latchkey_store::database::within;
use latchkey_store::entity::{key_usage, project_month, project_usage};
use latchkey_store::insert::ROWS_PER_STATEMENT;

/// Time limit of a batch. Checks of projects that this node does not know wait for it, so a dead
/// connection must not block them until TCP times out.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit of the final flush, which writes everything.
const FINAL_FLUSH_TIMEOUT: Duration = Duration::from_mins(1);
/// Counter columns of both tables.
const SUMS: &[&str] = &[
    "requests",
    "prompt_tokens",
    "completion_tokens",
    "estimated_tokens",
    "rejected_items",
    "cached_tokens",
    "cost",
];

/// Totals of the projects' months.
type Totals = BTreeMap<(ProjectId, Month), u64>;

impl Checker {
    /// Writes everything counted since the last flush, all or nothing. What was not written is kept
    /// for the next flush. On success, all earlier calls of this process are in the database.
    ///
    /// # Errors
    /// The database fails.
    pub async fn flush_usage(&self) -> Result<(), Error> {
        write(self, PendingCounters::take, FINAL_FLUSH_TIMEOUT).await
    }

    /// Writes the months of all projects and the next batch of keys, which is all keys if few are
    /// in use. Called once a second, it writes every key within sixteen seconds.
    ///
    /// # Errors
    /// The database fails. What was not written is kept.
    pub async fn flush_usage_batch(&self) -> Result<(), Error> {
        write(self, PendingCounters::take_batch, FLUSH_TIMEOUT).await
    }
}

async fn write(
    checker: &Checker,
    take: fn(&PendingCounters) -> UsageBatch,
    timeout: Duration,
) -> Result<(), Error> {
    let usage = &checker.usage;
    let _alone = usage.writing.write().await;
    usage.quota.forget_idle(checker.clock.monotonic());
    let (batch, models) = (take(&usage.pending), usage.models.take());
    let mut guard = FlushGuard { usage, batch, models };
    let mut months = usage.quota.unwritten();
    if guard.batch.is_empty() && guard.models.is_empty() && months.is_empty() {
        return Ok(());
    }
    guard.batch.sort_by_key(|(key, _)| *key);
    months.sort_unstable();
    let read_at = checker.clock.monotonic();
    let totals = within(timeout, write_all(checker, &guard, &months)).await?;
    let batch = guard.commit();
    for month in months {
        let total = totals.get(&(month.project, month.month)).copied();
        usage.quota.written(month, total.unwrap_or_default(), read_at);
    }
    denials::prune(checker, &batch).await;
    // Separate, in the database of the keys. What fails is kept; writing it twice is harmless.
    let last_uses::UnwrittenUses { batch, result } = last_uses::write(checker, batch).await;
    usage.pending.restore(batch);
    result
}

/// Writes a batch in one transaction, except last uses. Returns the months' totals after that.
async fn write_all(
    checker: &Checker,
    FlushGuard { batch, models, .. }: &FlushGuard<'_>,
    months: &[MonthCount],
) -> Result<Totals, Error> {
    let transaction = checker.database.telemetry().begin().await?;
    add_counters(&transaction, batch).await?;
    models::add(&transaction, models).await?;
    let totals = add_months(&transaction, months).await?;
    denials::insert(checker, &transaction, batch).await?;
    transaction.commit().await?;
    Ok(totals)
}

/// A batch being written. It returns to memory when dropped, unless it was written.
struct FlushGuard<'a> {
    usage: &'a UsageBuffer,
    batch: UsageBatch,
    models: Vec<ModelUsage>,
}

impl FlushGuard<'_> {
    fn commit(&mut self) -> UsageBatch {
        self.models.clear();
        std::mem::take(&mut self.batch)
    }
}

impl Drop for FlushGuard<'_> {
    fn drop(&mut self) {
        self.usage.pending.restore(std::mem::take(&mut self.batch));
        self.usage.models.restore(std::mem::take(&mut self.models));
    }
}

/// Adds the batch to the minutes, hours and days of its keys and their projects.
async fn add_counters(transaction: &DatabaseTransaction, batch: &UsageBatch) -> Result<(), Error> {
    let mut of_keys: BTreeMap<_, (ProjectId, Counts)> = BTreeMap::new();
    let mut of_projects: BTreeMap<_, Counts> = BTreeMap::new();
    for (key, unwritten) in batch {
        let (project, environment) = (unwritten.project, unwritten.environment);
        for counter in &unwritten.counters {
            let (outcome, counts) = (counter.outcome, counter.counts);
            for resolution in Resolution::ALL {
                let start = resolution.floor(counter.minute);
                let place = (*key, resolution, start, outcome);
                of_keys.entry(place).or_insert((project, Counts::default())).1 += counts;
                if unwritten.is_of_project() {
                    let place = (project, resolution, start, environment, outcome);
                    *of_projects.entry(place).or_default() += counts;
                }
            }
        }
    }
    let rows = of_keys.into_iter().map(|((key, resolution, start, outcome), (project, counts))| {
        key_usage::ActiveModel {
            key_id: Set(key),
            project_id: Set(project),
            resolution: Set(resolution.as_str().to_owned()),
            start: Set(start),
            outcome: Set(outcome),
            requests: Set(stored(counts.requests)),
            prompt_tokens: Set(stored(counts.tokens.prompt)),
            completion_tokens: Set(stored(counts.tokens.completion)),
            estimated_tokens: Set(stored(counts.tokens.estimated)),
            rejected_items: Set(stored(counts.rejected_items)),
            cached_tokens: Set(stored(counts.tokens.cached)),
            cost: Set(stored(counts.cost.billionths())),
        }
    });
    add(transaction, rows.collect(), SUMS).await?;
    let rows = of_projects.into_iter().map(
        |((project, resolution, start, environment, outcome), counts)| project_usage::ActiveModel {
            project_id: Set(project),
            resolution: Set(resolution.as_str().to_owned()),
            start: Set(start),
            environment: Set(environment),
            outcome: Set(outcome),
            requests: Set(stored(counts.requests)),
            prompt_tokens: Set(stored(counts.tokens.prompt)),
            completion_tokens: Set(stored(counts.tokens.completion)),
            estimated_tokens: Set(stored(counts.tokens.estimated)),
            rejected_items: Set(stored(counts.rejected_items)),
            cached_tokens: Set(stored(counts.tokens.cached)),
            cost: Set(stored(counts.cost.billionths())),
        },
    );
    add(transaction, rows.collect(), SUMS).await
}

/// Adds to the projects' months and reads the totals of all nodes.
async fn add_months(
    transaction: &DatabaseTransaction,
    months: &[MonthCount],
) -> Result<Totals, Error> {
    let rows = months.iter().map(|count| project_month::ActiveModel {
        project_id: Set(count.project),
        month: Set(count.month.start()),
        requests: Set(count.requests),
    });
    add(transaction, rows.collect(), &["requests"]).await?;
    let mut totals = BTreeMap::new();
    for some in months.chunks(ROWS_PER_STATEMENT) {
        // There is one month, or two around midnight, so this reads few rows besides the exact
        // pairs.
        let projects = some.iter().map(|count| count.project);
        let starts = some.iter().map(|count| count.month.start());
        let rows = project_month::Entity::find()
            .filter(project_month::Column::ProjectId.is_in(projects))
            .filter(project_month::Column::Month.is_in(starts.collect::<BTreeSet<_>>()))
            .all(transaction)
            .await?;
        totals.extend(rows.into_iter().map(|row| {
            let month = Month::of(row.month);
            ((row.project_id, month), u64::try_from(row.requests).unwrap_or_default())
        }));
    }
    Ok(totals)
}
