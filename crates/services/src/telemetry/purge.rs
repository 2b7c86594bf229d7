//! Retention: deletes telemetry past its end.
//!
//! Telemetry of test keys (the sandbox) is kept for 24 hours after its arrival, that of live keys
//! for as many days as the organization's plan says. Every list filters by [`retention`], so
//! readers see the end to the millisecond even if the purge job runs later.

use std::time::Duration;

use latchkey_domain::id::ApplicationId;
use latchkey_domain::key::Environment;
use latchkey_domain::tier::{Plan, Tier, TierOverrides};
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, Order, Query, SelectStatement};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait,
    IntoActiveModel, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait, Set,
};
use uuid::Uuid;

use super::allowance::Allowance;
use super::sizes;
use crate::error::Error;
use crate::services::Services;
use latchkey_store::entity::{application, log, organization, project, trace};

/// Retention of the sandbox.
const KEPT: Duration = Duration::from_hours(24);
/// How long a request that was in flight when its application was deleted may still write.
const STILL_COMING: Duration = Duration::from_mins(1);
/// Rows per statement. Bounds how long another writer waits.
const ROWS_PER_DELETE: u64 = 1_000;

/// A table of received telemetry.
pub(super) trait TelemetryTable: EntityTrait {
    const ID: Self::Column;
    const ENVIRONMENT: Self::Column;
    const TIMESTAMP: Self::Column;
    const NANOS: Self::Column;
    const FINGERPRINT: Self::Column;
    const RECEIVED_AT: Self::Column;
    const APPLICATION_ID: Self::Column;
    const PROJECT_ID: Self::Column;
    const BYTES: Self::Column;
}

impl TelemetryTable for trace::Entity {
    const ID: trace::Column = trace::Column::Id;
    const ENVIRONMENT: trace::Column = trace::Column::Environment;
    const TIMESTAMP: trace::Column = trace::Column::Timestamp;
    const NANOS: trace::Column = trace::Column::Nanos;
    const FINGERPRINT: trace::Column = trace::Column::Fingerprint;
    const RECEIVED_AT: trace::Column = trace::Column::ReceivedAt;
    const APPLICATION_ID: trace::Column = trace::Column::ApplicationId;
    const PROJECT_ID: trace::Column = trace::Column::ProjectId;
    const BYTES: trace::Column = trace::Column::Bytes;
}

impl TelemetryTable for log::Entity {
    const ID: log::Column = log::Column::Id;
    const ENVIRONMENT: log::Column = log::Column::Environment;
    const TIMESTAMP: log::Column = log::Column::Timestamp;
    const NANOS: log::Column = log::Column::Nanos;
    const FINGERPRINT: log::Column = log::Column::Fingerprint;
    const RECEIVED_AT: log::Column = log::Column::ReceivedAt;
    const APPLICATION_ID: log::Column = log::Column::ApplicationId;
    const PROJECT_ID: log::Column = log::Column::ProjectId;
    const BYTES: log::Column = log::Column::Bytes;
}

/// Condition of the rows visible at `now`: received from live keys within `live`, or in the sandbox
/// within the last 24 hours.
pub(super) fn retention<E: TelemetryTable>(now: Timestamp, live: Duration) -> Expr {
    let of_sandbox = is_sandbox::<E>().not().or(E::RECEIVED_AT.gt(now - KEPT));
    E::RECEIVED_AT.gt(now - live).and(of_sandbox)
}

/// A literal instead of a bound parameter: otherwise SQLite does not use the partial index.
fn is_sandbox<E: TelemetryTable>() -> Expr {
    is_of::<E>(Environment::Test)
}

fn is_of<E: TelemetryTable>(environment: Environment) -> Expr {
    Expr::col((E::default(), E::ENVIRONMENT)).eq(Expr::Constant(environment.into()))
}

/// Numbers of deleted items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PurgeCount {
    /// Number of deleted trace items.
    pub traces: u64,
    /// Number of deleted log items.
    pub logs: u64,
}

/// Deletes telemetry that test keys sent 24 hours ago or earlier, and logs how much. Several nodes
/// may run it at once, and it may be interrupted anywhere: the next run finds what is left.
///
/// # Errors
/// The database fails.
pub async fn purge_sandbox(services: &Services) -> Result<PurgeCount, Error> {
    let traces = purge::<trace::Entity>(services).await?;
    let logs = purge::<log::Entity>(services).await?;
    let purged = PurgeCount { traces, logs };
    if purged != PurgeCount::default() {
        tracing::info!(traces, logs, "Purged telemetry of test keys older than 24 hours");
    }
    Ok(purged)
}

async fn purge<E: TelemetryTable>(services: &Services) -> Result<u64, Error> {
    delete_in_batches::<E>(services, &oldest::<E>(services.clock.now())).await
}

/// Deletes what `batch` selects, until a batch is not full. Other writers get in between the
/// batches.
async fn delete_in_batches<E: TelemetryTable>(
    services: &Services,
    batch: &SelectStatement,
) -> Result<u64, Error> {
    let mut purged = 0;
    loop {
        let transaction = services.database.telemetry().begin().await?;
        let deleted = delete::<E>(&transaction, E::ID.in_subquery(batch.clone())).await?;
        transaction.commit().await?;
        purged += deleted;
        if deleted < ROWS_PER_DELETE {
            return Ok(purged);
        }
        tokio::task::yield_now().await;
    }
}

/// Deletes rows and subtracts their sizes from their projects' totals.
async fn delete<E: TelemetryTable>(
    transaction: &DatabaseTransaction,
    which: Expr,
) -> Result<u64, Error> {
    let returning = Query::returning().columns([E::PROJECT_ID, E::BYTES]);
    let delete =
        Query::delete().from_table(E::default()).and_where(which).returning(returning).to_owned();
    let rows = transaction.query_all(&delete).await?;
    let deleted = rows.len() as u64;
    sizes::subtract(transaction, rows).await?;
    Ok(deleted)
}

pub(super) async fn delete_by_id<E: TelemetryTable>(
    transaction: &DatabaseTransaction,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<u64, Error> {
    delete::<E>(transaction, E::ID.is_in(ids)).await
}

/// Deletes telemetry of live keys past the retention of their organization's plan, and logs how
/// much. It may be interrupted anywhere: the next run finds what is left.
///
/// # Errors
/// The database fails.
pub async fn purge_live(services: &Services) -> Result<PurgeCount, Error> {
    let now = services.clock.now();
    let mut purged = PurgeCount::default();
    let mut after = ApplicationId::from(Uuid::nil());
    loop {
        let applications: Vec<(ApplicationId, Tier, Option<TierOverrides>)> =
            application::Entity::find()
                .select_only()
                .column(application::Column::Id)
                .column(organization::Column::Tier)
                .column(organization::Column::TierOverrides)
                .join(JoinType::InnerJoin, application::Relation::Project.def())
                .join(JoinType::InnerJoin, project::Relation::Organization.def())
                .filter(application::Column::Id.gt(after))
                .filter(application::Column::PurgedAt.is_null())
                .order_by_asc(application::Column::Id)
                .limit(ROWS_PER_DELETE)
                .into_tuple()
                .all(services.database.reader())
                .await?;
        let Some((last, ..)) = applications.last() else { break };
        after = *last;
        for (application, tier, overrides) in applications {
            let over = now - Allowance::of(&Plan::new(tier, overrides)).retention;
            purged.traces += purge_over::<trace::Entity>(services, application, over).await?;
            purged.logs += purge_over::<log::Entity>(services, application, over).await?;
        }
    }
    if purged != PurgeCount::default() {
        let PurgeCount { traces, logs } = purged;
        tracing::info!(traces, logs, "Purged live telemetry past its retention period");
    }
    Ok(purged)
}

/// Reads before it locks: most applications have nothing to delete.
async fn purge_over<E: TelemetryTable>(
    services: &Services,
    application: ApplicationId,
    until: Timestamp,
) -> Result<u64, Error> {
    let any = E::find()
        .select_only()
        .column(E::ID)
        .filter(is_over::<E>(application, until))
        .into_tuple::<Uuid>()
        .one(services.database.telemetry().reader())
        .await?;
    match any {
        Some(_) => delete_in_batches::<E>(services, &over_of::<E>(application, until)).await,
        None => Ok(0),
    }
}

fn is_over<E: TelemetryTable>(application: ApplicationId, until: Timestamp) -> Expr {
    is_of::<E>(Environment::Live)
        .and(E::APPLICATION_ID.eq(application))
        .and(E::RECEIVED_AT.lte(until))
}

/// Selects the ids of a batch of telemetry that an application's live keys sent by `until`.
fn over_of<E: TelemetryTable>(application: ApplicationId, until: Timestamp) -> SelectStatement {
    Query::select()
        .column(E::ID)
        .from(E::default())
        .and_where(is_over::<E>(application, until))
        .order_by(E::RECEIVED_AT, Order::Asc)
        .limit(ROWS_PER_DELETE)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .take()
}

/// Deletes telemetry of deleted applications, and logs how much. It may be interrupted anywhere:
/// the next run finds what is left.
///
/// # Errors
/// The database fails.
pub async fn purge_deleted(services: &Services) -> Result<PurgeCount, Error> {
    let now = services.clock.now();
    let deleted = application::Entity::find()
        .filter(application::Column::DeletedAt.lte(now - STILL_COMING))
        .filter(application::Column::PurgedAt.is_null())
        .all(services.database.reader())
        .await?;
    let mut purged = PurgeCount::default();
    for application in deleted {
        let id = application.id;
        purged.traces +=
            delete_in_batches::<trace::Entity>(services, &of::<trace::Entity>(id)).await?;
        purged.logs += delete_in_batches::<log::Entity>(services, &of::<log::Entity>(id)).await?;
        let mut done = application.into_active_model();
        done.purged_at = Set(Some(now));
        done.update(services.database.writer()).await?;
    }
    if purged != PurgeCount::default() {
        let PurgeCount { traces, logs } = purged;
        tracing::info!(traces, logs, "Purged telemetry of deleted applications");
    }
    Ok(purged)
}

/// Selects the ids of a batch of an application's telemetry.
fn of<E: TelemetryTable>(application: ApplicationId) -> SelectStatement {
    Query::select()
        .column(E::ID)
        .from(E::default())
        .and_where(E::APPLICATION_ID.eq(application))
        .limit(ROWS_PER_DELETE)
        .take()
}

/// Selects the ids of a batch of expired sandbox telemetry.
fn oldest<E: TelemetryTable>(now: Timestamp) -> SelectStatement {
    Query::select()
        .column(E::ID)
        .from(E::default())
        .and_where(is_sandbox::<E>())
        .and_where(E::RECEIVED_AT.lte(now - KEPT))
        .order_by(E::RECEIVED_AT, Order::Asc)
        .limit(ROWS_PER_DELETE)
        // Two nodes that purge at once take different rows instead of waiting for each other.
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use latchkey_store::database::Database;
    use latchkey_test_database::{on_postgres, on_sqlite};
    use sea_orm::{DbBackend, QueryResult, Statement};

    async fn plan<E: TelemetryTable>(database: &Database) -> String {
        let transaction = database.telemetry().begin().await.unwrap();
        let backend = transaction.get_database_backend();
        let (explain, column) = if backend == DbBackend::Sqlite {
            ("EXPLAIN QUERY PLAN", "detail")
        } else {
            // PostgreSQL prefers a sequential scan of an empty table.
            transaction.execute_unprepared("SET LOCAL enable_seqscan = off").await.unwrap();
            ("EXPLAIN", "QUERY PLAN")
        };
        let query = backend.build(&oldest::<E>(Timestamp::from_millis(0)));
        let query = Statement { sql: format!("{explain} {}", query.sql), ..query };
        let line = |row: &QueryResult| row.try_get::<String>("", column).unwrap();
        let rows = transaction.query_all_raw(query).await.unwrap();
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[tokio::test]
    async fn expired_rows_are_found_by_an_index() {
        let (sqlite, _folder) = on_sqlite();
        for url in [sqlite, on_postgres("purge", "").await] {
            let database = Database::open(&url).await.unwrap();
            let plan_of_logs = plan::<log::Entity>(&database).await;
            assert!(plan_of_logs.contains("logs_sandbox"), "{plan_of_logs}");
            let plan_of_traces = plan::<trace::Entity>(&database).await;
            assert!(plan_of_traces.contains("traces_sandbox"), "{plan_of_traces}");
            for plan in [plan_of_logs, plan_of_traces] {
                assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{plan}");
            }
        }
    }
}
