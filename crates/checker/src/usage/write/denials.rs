//! Denials, listed one by one: the newest of each key.

use latchkey_domain::id::{DenialId, KeyId};
use sea_orm::sea_query::{Expr, ExprTrait, Func, Order, Query, SelectStatement, WindowStatement};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, Set};

use crate::checker::Checker;
use crate::usage::pending::{DENIALS_PER_KEY, UsageBatch};
use latchkey_store::Error;
use latchkey_store::entity::denial;
use latchkey_store::insert::{ROWS_PER_STATEMENT, insert_many};

/// Inserts the denials of a batch.
pub(super) async fn insert(
    checker: &Checker,
    transaction: &DatabaseTransaction,
    batch: &UsageBatch,
) -> Result<(), Error> {
    let mut rows = Vec::new();
    for (key, unwritten) in batch {
        // Within a millisecond, the later denial gets the greater ID.
        for (index, one) in (0..).zip(&unwritten.denials) {
            let id = DenialId::in_batch(one.at, index, checker.random.bytes());
            rows.push(denial::ActiveModel {
                id: Set(id),
                key_id: Set(*key),
                project_id: Set(unwritten.project),
                kind: Set(unwritten.kind),
                environment: Set(unwritten.environment),
                at: Set(one.at),
                outcome: Set(one.outcome),
                detail: Set(one.detail.clone()),
                ip: Set(one.ip.map(|ip| ip.to_string())),
            });
        }
    }
    Ok(insert_many(transaction, rows, None).await?)
}

/// Deletes all but the newest denials of the batch's keys. A failed deletion is retried when the
/// key is next refused; until then the excess is not shown.
pub(super) async fn prune(checker: &Checker, batch: &UsageBatch) {
    let keys: Vec<KeyId> = batch
        .iter()
        .filter(|(_, unwritten)| !unwritten.denials.is_empty())
        .map(|(key, _)| *key)
        .collect();
    for some in keys.chunks(ROWS_PER_STATEMENT) {
        let deleted = denial::Entity::delete_many()
            .filter(denial::Column::Id.in_subquery(older_than_kept(some)))
            .exec(checker.database.telemetry().writer())
            .await;
        if let Err(error) = deleted {
            tracing::warn!(%error, "Failed to purge old denials; retrying later");
        }
    }
}

/// Denials of `keys` that have [`DENIALS_PER_KEY`] newer ones of the same key.
fn older_than_kept(keys: &[KeyId]) -> SelectStatement {
    let newest_first = WindowStatement::partition_by(denial::Column::KeyId)
        .order_by(denial::Column::Id, Order::Desc)
        .take();
    let placed = Query::select()
        .column(denial::Column::Id)
        .expr_window_as(Func::cust("ROW_NUMBER"), newest_first, "place")
        .from(denial::Entity)
        .and_where(denial::Column::KeyId.is_in(keys.iter().copied()))
        .to_owned();
    let limit = i64::try_from(DENIALS_PER_KEY).unwrap_or(i64::MAX);
    Query::select()
        .column(denial::Column::Id)
        .from_subquery(placed, "placed")
        .and_where(Expr::col("place").gt(limit))
        .to_owned()
}
