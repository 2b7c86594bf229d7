//! How much telemetry a project has, and how much it may have. A counter that the transactions keep
//! which insert and delete: it is exact whatever runs in parallel, and costs a row, not a scan.

use std::collections::BTreeMap;

use latchkey_domain::id::ProjectId;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult};

use super::allowance::Allowance;
use crate::error::Error;
use latchkey_store::entity::telemetry_size;

/// What a row takes beside its texts: ids, times and its places in the indexes.
const ROW: usize = 256;

/// What a row counts for.
pub(super) fn of_row<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> i64 {
    let texts: usize = texts.into_iter().flatten().map(str::len).sum();
    i64::try_from(ROW + texts).unwrap_or(i64::MAX)
}

/// Counts what is inserted in the same transaction, and returns what the project has then. Until
/// that ends nobody else counts for the project.
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

/// Checks what a project has once `bytes` were added.
///
/// # Errors
/// `TelemetryFull`: it is more than the project may have. Roll back.
pub(super) fn check(allowance: Allowance, total: i64, bytes: i64) -> Result<(), Error> {
    let number = |bytes| u64::try_from(bytes).unwrap_or_default();
    match allowance.bytes {
        // What is there already is stored again for nothing, however full the project is.
        Some(limit) if number(total) > limit && bytes > 0 => {
            let used = number(total - bytes);
            Err(Error::TelemetryFull { tier: allowance.tier, limit, used })
        }
        _ => Ok(()),
    }
}

/// Takes off what was deleted in the same transaction: rows of a project and its bytes. Of rows
/// from before sizes were counted nothing is taken off.
pub(super) async fn subtract(
    transaction: &DatabaseTransaction,
    deleted: Vec<QueryResult>,
) -> Result<(), DbErr> {
    use telemetry_size::{Column, Entity};
    // Sorted: two that delete wait for each other, not in a ring.
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
