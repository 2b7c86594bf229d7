//! An item that is sent twice is stored once: a unique index over application, time and fingerprint
//! refuses the second row, and this finds out which rows those were.
//!
//! The row that is there may be of a call that was broken off and whose rows are to be deleted
//! ([`super::purge_unfinished`]). Such a row becomes this call's own, or it would be deleted after
//! this call was told that it is stored.

use std::collections::{HashMap, HashSet};

use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::purge::Received;
use super::store::{CallIdentity, Ids, Kind, RowKey, outage};
use crate::error::Error;
use latchkey_store::entity::{ingest_batch, log, trace};

/// What those of these rows count for that were not inserted, as they are there already.
///
/// # Errors
/// The database fails.
pub(super) async fn bytes_that_were_there(
    transaction: &DatabaseTransaction,
    call: CallIdentity,
    rows: &[RowKey],
) -> Result<i64, Error> {
    match call.kind {
        Kind::Traces => find::<trace::Entity>(transaction, call, rows).await,
        Kind::Logs => find::<log::Entity>(transaction, call, rows).await,
    }
}

async fn find<E: Received>(
    transaction: &DatabaseTransaction,
    call: CallIdentity,
    rows: &[RowKey],
) -> Result<i64, Error> {
    let times: HashSet<Timestamp> = rows.iter().map(|row| row.timestamp).collect();
    let fingerprints = rows.iter().map(|row| row.fingerprint);
    let there: Vec<(Uuid, Timestamp, Uuid)> = E::find()
        .select_only()
        .columns([E::ID, E::TIMESTAMP, E::FINGERPRINT])
        .filter(E::APPLICATION_ID.eq(call.application))
        .filter(E::TIMESTAMP.is_in(times))
        .filter(E::FINGERPRINT.is_in(fingerprints))
        .into_tuple()
        .all(transaction)
        .await?;
    let there: HashMap<(Timestamp, Uuid), Uuid> =
        there.into_iter().map(|(id, time, fingerprint)| ((time, fingerprint), id)).collect();
    let mut bytes = 0;
    let mut of_others = HashMap::new();
    for row in rows {
        match there.get(&(row.timestamp, row.fingerprint)) {
            Some(id) if *id == row.id => {}
            // The same twice in one call: the first one may be of a chunk before.
            Some(id) => {
                bytes += row.bytes;
                of_others.insert(*id, row.id);
            }
            // It was deleted in between, as over its time. The sender repeats the call.
            None => return Err(outage("a row that was there is gone")),
        }
    }
    take_over::<E>(transaction, call, of_others).await?;
    Ok(bytes)
}

/// Makes rows of calls that were broken off this call's own: the ids of the rows, and those that
/// they shall have.
async fn take_over<E: Received>(
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
