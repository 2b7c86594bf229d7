//! The size of a project's telemetry, and its limit. The transactions that insert and delete rows
//! also update a counter, so it is exact under concurrency and costs one row instead of a scan.

use std::collections::BTreeMap;

use latchkey_domain::id::ProjectId;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult};

use super::allowance::Allowance;
use crate::error::Error;
use latchkey_store::entity::telemetry_size;

/// Size of a row beyond its texts, in bytes: ids, timestamps and index entries.
const ROW: usize = 256;

/// Size that a row counts with, in bytes.
pub(super) fn of_row<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> i64 {
    let texts: usize = texts.into_iter().flatten().map(str::len).sum();
    i64::try_from(ROW + texts).unwrap_or(i64::MAX)
}

/// Adds `bytes` to the project's total in the transaction that inserts them, and returns the new
/// total. The row stays locked until the transaction ends.
///
/// # Errors
/// The database fails.
pub(super) async fn add(
    transaction: &DatabaseTransaction,
    project: ProjectId,
    bytes: i64,
) -> Result<i64, Error> {
    use telemetry_size::{Column, Entity};
    let known = Expr::col((Entity, Column::Bytes));
    let insert = Query::insert()
        .into_table(Entity)
        .columns([Column::ProjectId, Column::Bytes])
        .values_panic([project.into(), bytes.into()])
        .on_conflict(
            OnConflict::column(Column::ProjectId).value(Column::Bytes, known.add(bytes)).to_owned(),
        )
        .returning_col(Column::Bytes)
        .to_owned();
    let row = transaction.query_one(&insert).await?.ok_or(Error::corrupt("telemetry size"))?;
    Ok(row.try_get_by_index(0)?)
}

/// Checks a project's total after `bytes` were added to it.
///
/// # Errors
/// `TelemetryFull` if the total is over the limit. The caller rolls back.
pub(super) fn check(allowance: Allowance, total: i64, bytes: i64) -> Result<(), Error> {
    let number = |bytes| u64::try_from(bytes).unwrap_or_default();
    match allowance.bytes {
        // Items that are stored already cost nothing, even if the project is full.
        Some(limit) if number(total) > limit && bytes > 0 => {
            let used = number(total - bytes);
            Err(Error::TelemetryFull { tier: allowance.tier, limit, used })
        }
        _ => Ok(()),
    }
}

/// Subtracts deleted rows from their projects' totals, in the transaction that deletes them. Rows
/// from before sizes were counted have no project and subtract nothing.
pub(super) async fn subtract(
    transaction: &DatabaseTransaction,
    deleted: Vec<QueryResult>,
) -> Result<(), DbErr> {
    use telemetry_size::{Column, Entity};
    // Sorted, so that concurrent purges lock in the same order and can't deadlock.
    let mut of_projects: BTreeMap<ProjectId, i64> = BTreeMap::new();
    for row in deleted {
        if let Some(project) = row.try_get_by_index::<Option<ProjectId>>(0)? {
            *of_projects.entry(project).or_default() += row.try_get_by_index::<i64>(1)?;
        }
    }
    for (project, bytes) in of_projects {
        let update = Query::update()
            .table(Entity)
            .value(Column::Bytes, Expr::col(Column::Bytes).sub(bytes))
            .and_where(Expr::col(Column::ProjectId).eq(project))
            .to_owned();
        transaction.execute(&update).await?;
    }
    Ok(())
}
