//! Deduplicates items. A unique index over application, time and fingerprint rejects the second row
//! of an item; this module finds out which rows were rejected.
//!
//! The existing row may belong to an interrupted request whose rows will be deleted
//! ([`super::purge_unfinished`]). Such a row is reassigned to this request. Otherwise it would be
//! deleted after this request was acknowledged.

use std::collections::{HashMap, HashSet};

use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::identity::{CallIdentity, Ids, Kind, RowKey, outage};
use super::purge::TelemetryTable;
use crate::error::Error;
use latchkey_store::entity::{ingest_batch, log, trace};

/// Total size of those `rows` that were not inserted because they exist already.
///
/// # Errors
/// The database fails.
pub(super) async fn existing_bytes(
    transaction: &DatabaseTransaction,
    call: CallIdentity,
    rows: &[RowKey],
) -> Result<i64, Error> {
    match call.kind {
        Kind::Traces => find::<trace::Entity>(transaction, call, rows).await,
        Kind::Logs => find::<log::Entity>(transaction, call, rows).await,
    }
}

async fn find<E: TelemetryTable>(
    transaction: &DatabaseTransaction,
    call: CallIdentity,
    rows: &[RowKey],
) -> Result<i64, Error> {
    let times: HashSet<Timestamp> = rows.iter().map(|row| row.timestamp).collect();
    let fingerprints = rows.iter().map(|row| row.fingerprint);
    let stored: Vec<(Uuid, Timestamp, Uuid)> = E::find()
        .select_only()
        .columns([E::ID, E::TIMESTAMP, E::FINGERPRINT])
        .filter(E::APPLICATION_ID.eq(call.application))
        .filter(E::TIMESTAMP.is_in(times))
        .filter(E::FINGERPRINT.is_in(fingerprints))
        .into_tuple()
        .all(transaction)
        .await?;
    let stored: HashMap<(Timestamp, Uuid), Uuid> =
        stored.into_iter().map(|(id, time, fingerprint)| ((time, fingerprint), id)).collect();
    let mut bytes = 0;
    let mut of_others = HashMap::new();
    for row in rows {
        match stored.get(&(row.timestamp, row.fingerprint)) {
            Some(id) if *id == row.id => {}
            // Also an item that occurs twice in one request: the first may be in an earlier chunk.
            Some(id) => {
                bytes += row.bytes;
                of_others.insert(*id, row.id);
            }
            // The row expired and was deleted in the meantime. The client retries.
            None => return Err(outage("a row that was there is gone")),
        }
    }
    take_over::<E>(transaction, call, of_others).await?;
    Ok(bytes)
}

/// Reassigns rows of interrupted requests to this one. `rows` maps their ids to the new ones.
async fn take_over<E: TelemetryTable>(
    transaction: &DatabaseTransaction,
    call: CallIdentity,
    rows: HashMap<Uuid, Uuid>,
) -> Result<(), Error> {
    let unfinished = ingest_batch::Entity::find()
        .filter(ingest_batch::Column::Kind.eq(call.kind.as_str()))
        .filter(ingest_batch::Column::FirstId.ne(call.first))
        .all(transaction)
        .await?;
    for other in unfinished {
        let ids = Ids::after(other.first_id);
        let items = u16::try_from(other.items).map_err(|_| Error::corrupt("number of items"))?;
        for id in (0..items).map(|index| Uuid::from(ids.trace(index))) {
            if let Some(own) = rows.get(&id) {
                E::update_many()
                    .col_expr(E::ID, Expr::val(*own))
                    .filter(E::ID.eq(id))
                    .exec(transaction)
                    .await?;
            }
        }
    }
    Ok(())
}
