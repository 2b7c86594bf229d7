//! When keys were last used, on the keys themselves.

use std::collections::HashSet;
use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::{
    Expr, ExprTrait, IntoIden, IntoValueTuple, LockBehavior, LockType, Query, TableRef, ValueTuple,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use uuid::Uuid;

use super::ROWS_PER_STATEMENT;
use crate::entity::key;
use crate::error::Error;
use crate::usage::recorder::{Batch, Unwritten};

/// How long a last use waits for a key that somebody is changing. No change takes as long: there is no such
/// key any more.
const PATIENCE: Duration = Duration::from_mins(1);

/// Moves the last uses of a sorted batch forward, never back, whichever node writes last.
///
/// Returns the keys that somebody is changing at this moment. Theirs are left for the next time, so that
/// counting never waits for a key's change, nor in a ring with it.
pub(super) async fn write(
    transaction: &DatabaseTransaction,
    batch: &Batch,
) -> Result<HashSet<Uuid>, Error> {
    let mut busy = HashSet::new();
    for some in batch.chunks(ROWS_PER_STATEMENT) {
        let free: Vec<Uuid> = key::Entity::find()
            .select_only()
            .column(key::Column::Id)
            .filter(key::Column::Id.is_in(some.iter().map(|(key, _)| key.as_uuid())))
            .order_by_asc(key::Column::Id)
            .lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked)
            .into_tuple()
            .all(transaction)
            .await?;
        let free: HashSet<Uuid> = free.into_iter().collect();
        busy.extend(some.iter().map(|(key, _)| key.as_uuid()).filter(|id| !free.contains(id)));
        let is_free = |(key, _): &&(KeyId, Unwritten)| free.contains(&key.as_uuid());
        let free = some.iter().filter(is_free);
        let old = free.clone().filter_map(old_row).collect();
        move_forward(transaction, free.map(row).collect(), LAST_USE).await?;
        move_forward(transaction, old, OLD_LAST_USE).await?;
    }
    Ok(busy)
}

/// The columns of a last use: when, and from where.
type Columns = (key::Column, Option<key::Column>);
const LAST_USE: Columns = (key::Column::LastUsedAt, Some(key::Column::LastUsedIp));
/// The last use of the secret before the last rotation.
const OLD_LAST_USE: Columns = (key::Column::OldLastUsedAt, None);

/// A key, when it was last used and from where.
fn row((key, unwritten): &(KeyId, Unwritten)) -> ValueTuple {
    let last = unwritten.last_use;
    (key.as_uuid(), last.at.as_millis(), last.ip.map(|ip| ip.to_string())).into_value_tuple()
}

/// A key, and when it was last used by its old secret.
fn old_row((key, unwritten): &(KeyId, Unwritten)) -> Option<ValueTuple> {
    let at = unwritten.last_use.old_secret_at?;
    Some((key.as_uuid(), at.as_millis()).into_value_tuple())
}

async fn move_forward(
    transaction: &DatabaseTransaction,
    rows: Vec<ValueTuple>,
    (at, ip): Columns,
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    // Both databases name the columns of VALUES so.
    let given = |column: &'static str| Expr::col(("uses", column));
    let known = |column| Expr::col((key::Entity, column));
    let is_later = known(at).is_null().or(known(at).lt(given("column2")));
    let mut update = Query::update();
    update
        .table(key::Entity)
        .value(at, given("column2"))
        .from(TableRef::ValuesList(rows, "uses".into_iden()))
        .and_where(known(key::Column::Id).eq(given("column1")))
        .and_where(is_later);
    if let Some(ip) = ip {
        update.value(ip, given("column3"));
    }
    transaction.execute(&update).await?;
    Ok(())
}

/// Of a batch that was written, the last uses that were not.
pub(super) fn left(batch: Batch, busy: &HashSet<Uuid>, now: Timestamp) -> Batch {
    let mut left = batch;
    left.retain(|(key, unwritten)| {
        busy.contains(&key.as_uuid()) && now.since(unwritten.last_use.at) < PATIENCE
    });
    for (_, unwritten) in &mut left {
        unwritten.counters.clear();
        unwritten.denials.clear();
    }
    left
}
