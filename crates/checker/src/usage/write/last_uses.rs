//! Last uses, stored on the keys themselves: lists of keys sort by them and by columns that only
//! keys have (`docs/decisions/017-telemetry-apart.md`).

use std::collections::HashSet;
use std::time::Duration;

use latchkey_domain::id::KeyId;
use sea_orm::sea_query::{
    Expr, ExprTrait, IntoIden, IntoValueTuple, LockBehavior, LockType, Query, TableRef, ValueTuple,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use crate::checker::Checker;
use crate::usage::pending::{PendingUsage, UsageBatch};
use latchkey_store::Error;
use latchkey_store::database::in_time;
use latchkey_store::entity::key;

/// How long to retry a last use whose key is locked. No change takes this long, so the key no
/// longer exists.
const MAX_DELAY: Duration = Duration::from_mins(1);

/// Keys per transaction. Bounds how long a revocation waits for one.
const KEYS_PER_TRANSACTION: usize = 100;

/// Part of a batch that was not written.
pub(super) struct UnwrittenUses {
    /// Keys that were locked by a change, or not attempted because the database failed.
    pub(super) batch: UsageBatch,
    pub(super) result: Result<(), Error>,
}

/// Moves the last uses of a sorted batch forward, never back, whichever node writes last.
///
/// Locked keys are skipped and retried with the next batch. So counting never waits for a change to
/// a key and cannot deadlock with it.
pub(super) async fn write(checker: &Checker, mut batch: UsageBatch) -> UnwrittenUses {
    for (_, unwritten) in &mut batch {
        unwritten.counters.clear();
        unwritten.denials.clear();
    }
    let mut left = UsageBatch::new();
    while !batch.is_empty() {
        let rest = batch.split_off(batch.len().min(KEYS_PER_TRANSACTION));
        match in_time(write_some(checker, &batch)).await {
            Ok(busy) => {
                let now = checker.clock.now();
                batch.retain(|(key, unwritten)| {
                    busy.contains(key) && now.since(unwritten.last_use.at) < MAX_DELAY
                });
                left.append(&mut batch);
            }
            Err(error) => {
                left.append(&mut batch);
                left.extend(rest);
                return UnwrittenUses { batch: left, result: Err(error) };
            }
        }
        batch = rest;
    }
    UnwrittenUses { batch: left, result: Ok(()) }
}

/// Writes some keys in one transaction. Returns those that were locked.
async fn write_some(checker: &Checker, some: &[KeyUsage]) -> Result<HashSet<KeyId>, Error> {
    let transaction = checker.database.begin().await?;
    let free: Vec<KeyId> = key::Entity::find()
        .select_only()
        .column(key::Column::Id)
        .filter(key::Column::Id.is_in(some.iter().map(|(key, _)| *key)))
        .order_by_asc(key::Column::Id)
        .lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked)
        .into_tuple()
        .all(&transaction)
        .await?;
    let free: HashSet<KeyId> = free.into_iter().collect();
    let is_free = |(key, _): &&KeyUsage| free.contains(key);
    let written = some.iter().filter(is_free);
    let old = written.clone().filter_map(old_row).collect();
    move_forward(&transaction, written.map(row).collect(), LAST_USE).await?;
    move_forward(&transaction, old, OLD_LAST_USE).await?;
    transaction.commit().await?;
    Ok(some.iter().map(|(key, _)| *key).filter(|id| !free.contains(id)).collect())
}

/// A key and its unwritten usage.
type KeyUsage = (KeyId, PendingUsage);

/// Columns of a last use: time and IP address.
type Columns = (key::Column, Option<key::Column>);
const LAST_USE: Columns = (key::Column::LastUsedAt, Some(key::Column::LastUsedIp));
/// Last use of the secret before the last rotation.
const OLD_LAST_USE: Columns = (key::Column::OldLastUsedAt, None);

/// Row of a key: ID, last use and IP address.
fn row((key, unwritten): &KeyUsage) -> ValueTuple {
    let last = unwritten.last_use;
    (*key, last.at, last.ip.map(|ip| ip.to_string())).into_value_tuple()
}

/// Row of a key's old secret: ID and last use.
fn old_row((key, unwritten): &KeyUsage) -> Option<ValueTuple> {
    let at = unwritten.last_use.old_secret_at?;
    Some((*key, at).into_value_tuple())
}

async fn move_forward(
    transaction: &DatabaseTransaction,
    rows: Vec<ValueTuple>,
    (at, ip): Columns,
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    // SQLite and PostgreSQL both name the columns of `VALUES` like this.
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
