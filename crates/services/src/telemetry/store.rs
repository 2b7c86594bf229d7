//! Writes a request's items to the database: one request at a time, in small transactions. Other
//! writers, such as the counters or a purge, wait for milliseconds instead of ten thousand rows.
//!
//! Either all items of a request are stored or none. A large request takes several transactions.
//! The first one registers the request in `ingest_batches`; the last one deletes that entry. If one
//! fails, the rows written so far are deleted before the request is refused. If the process dies in
//! between, or the database is down, they are deleted later ([`purge_unfinished`]). Such a request
//! was never answered with 200, so the client sends it again. One case can't be told apart: a last
//! commit whose acknowledgement was lost.
//!
//! A row with a known fingerprint is not stored again ([`super::once`]).
//!
//! On SQLite a commit does not reach the disk by itself. The write-ahead log is synced before the
//! request is acknowledged, once for all of its transactions.

use std::panic::resume_unwind;
use std::path::Path;
use std::time::Duration;

use latchkey_domain::id::ProjectId;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    QueryTrait, Set, Statement,
};
use uuid::Uuid;

use super::allowance::Allowance;
use super::identity::{CallIdentity, Ids, Kind, RowKey, outage};
use super::purge::delete_by_id;
use super::queue::StorePermit;
use super::{Incoming, Source, Stored, once, sizes};
use crate::error::Error;
use crate::services::Services;
use latchkey_store::database::within;
use latchkey_store::entity::{ingest_batch, log, trace};
use latchkey_store::fair_queue::Size;

/// Rows per transaction, which take a few milliseconds. SQLite allows 32,766 parameters a
/// statement.
pub(super) const ROWS: usize = 500;
/// Size of a transaction's rows in bytes; a single row may exceed it.
const BYTES: i64 = 1024 * 1024;
/// Timeout of one transaction.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(5);
/// Age at which an unfinished request is certainly interrupted; none may take this long.
const UNFINISHED: Duration = Duration::from_mins(2);
/// Timeout of a whole request once it has its permit.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// A request's rows as SQL statements.
pub(super) struct Batch {
    call: CallIdentity,
    chunks: Vec<Chunk>,
}

/// The rows of one transaction.
struct Chunk {
    insert: Statement,
    rows: Vec<RowKey>,
}

impl Chunk {
    fn bytes(&self) -> i64 {
        self.rows.iter().map(|row| row.bytes).sum()
    }
}

impl Batch {
    /// Builds the statements. CPU-bound, so it must not run on a thread that checks keys.
    pub(super) fn new<A: ActiveModelTrait>(
        kind: Kind,
        source: &Source,
        ids: &Ids,
        backend: DbBackend,
        rows: Vec<(A, RowKey)>,
    ) -> Self {
        let items = rows.len();
        let mut chunks = Vec::with_capacity(items.div_ceil(ROWS));
        let (mut models, mut keys, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut close = |models: &mut Vec<A>, keys: &mut Vec<RowKey>, bytes: &mut i64| {
            if !models.is_empty() {
                let insert = A::Entity::insert_many(std::mem::take(models));
                let insert = insert.on_conflict(OnConflict::new().do_nothing().to_owned());
                chunks.push(Chunk { insert: insert.build(backend), rows: std::mem::take(keys) });
                *bytes = 0;
            }
        };
        for (model, key) in rows {
            if models.len() == ROWS || bytes + key.bytes > BYTES {
                close(&mut models, &mut keys, &mut bytes);
            }
            bytes += key.bytes;
            models.push(model);
            keys.push(key);
        }
        close(&mut models, &mut keys, &mut bytes);
        let (application, started_at) = (source.application, ids.now);
        let call =
            CallIdentity { kind, application, first: ids.trace(0).into(), started_at, items };
        Self { call, chunks }
    }
}

/// Makes the rows of a request's valid items.
type Prepare<T> = fn(&Services, &Source, Incoming<T>) -> Result<(Batch, Stored), Error>;

/// Stores the valid items of a request, all or none of them, and releases its permit. `prepare`
/// runs on a background thread.
///
/// # Errors
/// `TelemetryFull`, or the database fails; in both cases nothing is stored.
pub(super) async fn prepare_and_store<T: Send + 'static>(
    services: &Services,
    source: &Source,
    permit: StorePermit,
    incoming: Incoming<T>,
    prepare: Prepare<T>,
) -> Result<Stored, Error> {
    let prepared = {
        let (services, source) = (services.clone(), source.clone());
        permit.run(move || prepare(&services, &source, incoming)).await
    };
    let (batch, stored) = prepared?;
    store(services, source, permit, batch).await?;
    source.count_rejected(services, stored.rejected);
    Ok(stored)
}

/// Writes a request's rows, all or none of them, and releases its permit.
async fn store(
    services: &Services,
    source: &Source,
    permit: StorePermit,
    batch: Batch,
) -> Result<(), Error> {
    let project = source.key.project;
    let allowance = Allowance::of_key(&source.key);
    let storing = {
        let services = services.clone();
        let Batch { call, chunks } = batch;
        let may_be_partial = chunks.len() > 1;
        async move {
            let write = write(&services, (project, allowance), call, chunks);
            let stored = within(CALL_TIMEOUT, write).await;
            drop(permit);
            if stored.is_err() && may_be_partial {
                undo_or_log(&services, call).await;
            }
            stored
        }
    };
    match services.ingest.storing.spawn(storing).await {
        Ok(stored) => stored,
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        Err(_) => Err(outage("the server stops")),
    }
}

async fn write(
    services: &Services,
    owner: (ProjectId, Allowance),
    call: CallIdentity,
    chunks: Vec<Chunk>,
) -> Result<(), Error> {
    let alone = services.ingest.writing.lock().await;
    let last = chunks.len().saturating_sub(1);
    for (index, chunk) in chunks.into_iter().enumerate() {
        let place = ChunkPlace { is_first: index == 0, is_last: index == last };
        let written = write_chunk(services, owner, call, chunk, place);
        within(TRANSACTION_TIMEOUT, written).await?;
    }
    drop(alone);
    let Some(log) = services.database.telemetry().write_ahead_log() else { return Ok(()) };
    let synced = tokio::task::spawn_blocking(move || sync_log(&log)).await;
    synced.map_err(|error| outage(&error.to_string()))?
}

/// Position of a chunk in its request.
#[derive(Clone, Copy)]
struct ChunkPlace {
    is_first: bool,
    is_last: bool,
}

async fn write_chunk(
    services: &Services,
    (project, allowance): (ProjectId, Allowance),
    call: CallIdentity,
    chunk: Chunk,
    ChunkPlace { is_first, is_last }: ChunkPlace,
) -> Result<(), Error> {
    let transaction = services.database.telemetry().begin().await?;
    if !is_last && transaction.get_database_backend() == DbBackend::Postgres {
        // The synchronous commit of the last chunk also flushes the earlier ones.
        transaction.execute_unprepared("SET LOCAL synchronous_commit = off").await?;
    }
    let bytes = chunk.bytes();
    let total = sizes::add(&transaction, project, bytes).await?;
    if is_first && !is_last {
        let row = ingest_batch::ActiveModel {
            first_id: Set(call.first),
            kind: Set(call.kind.as_str().to_owned()),
            items: Set(i64::try_from(call.items).unwrap_or(i64::MAX)),
            started_at: Set(call.started_at),
        };
        ingest_batch::Entity::insert(row).exec_without_returning(&transaction).await?;
    }
    let inserted = transaction.execute_raw(chunk.insert).await?.rows_affected();
    let again = if usize::try_from(inserted).is_ok_and(|rows| rows == chunk.rows.len()) {
        0
    } else {
        once::existing_bytes(&transaction, call, &chunk.rows).await?
    };
    if again > 0 {
        sizes::add(&transaction, project, -again).await?;
    }
    sizes::check(allowance, total - again, bytes - again)?;
    if is_last && !is_first {
        forget(&transaction, call.first).await?;
    }
    Ok(transaction.commit().await?)
}

async fn forget(transaction: &DatabaseTransaction, first: Uuid) -> Result<(), DbErr> {
    ingest_batch::Entity::delete_by_id(first).exec(transaction).await.map(|_| ())
}

/// Syncs SQLite's write-ahead log to disk.
fn sync_log(log: &Path) -> Result<(), Error> {
    let synced = std::fs::File::options().write(true).open(log).and_then(|log| log.sync_data());
    match synced {
        Ok(()) => Ok(()),
        // A checkpoint has moved the log into the database file, which is synced by then.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(outage(&error.to_string())),
    }
}

async fn undo_or_log(services: &Services, CallIdentity { kind, first, items, .. }: CallIdentity) {
    if let Err(error) = undo(services, kind, first, items).await {
        tracing::warn!(%error, "Failed to delete the items of a rejected request; retrying later");
    }
}

/// Deletes everything that a request has stored, wherever it was interrupted.
async fn undo(services: &Services, kind: Kind, first: Uuid, items: usize) -> Result<(), Error> {
    let ids = Ids::after(first);
    let items = u16::try_from(items).map_err(|_| Error::corrupt("number of items"))?;
    let ids: Vec<Uuid> = (0..items).map(|index| ids.trace(index).into()).collect();
    for some in ids.chunks(ROWS) {
        let transaction = services.database.telemetry().begin().await?;
        let some = some.iter().copied();
        match kind {
            Kind::Traces => delete_by_id::<trace::Entity>(&transaction, some).await?,
            Kind::Logs => delete_by_id::<log::Entity>(&transaction, some).await?,
        };
        transaction.commit().await?;
    }
    let transaction = services.database.telemetry().begin().await?;
    forget(&transaction, first).await?;
    Ok(transaction.commit().await?)
}

/// Deletes the rows of requests that a crash or a database outage interrupted. Returns the number
/// of requests. Several nodes may run it at once.
///
/// # Errors
/// The database fails.
pub async fn purge_unfinished(services: &Services) -> Result<usize, Error> {
    use sea_orm::{ColumnTrait, QueryFilter};
    let over = services.clock.now() - UNFINISHED;
    let unfinished = ingest_batch::Entity::find()
        .filter(ingest_batch::Column::StartedAt.lte(over))
        .all(services.database.telemetry().reader())
        .await?;
    let calls = unfinished.len();
    for row in unfinished {
        let kind = Kind::from_name(&row.kind).ok_or(Error::corrupt("kind of telemetry"))?;
        let items = usize::try_from(row.items).map_err(|_| Error::corrupt("number of items"))?;
        undo(services, kind, row.first_id, items).await?;
    }
    if calls > 0 {
        tracing::info!(calls, "Deleted items of requests that were never acknowledged");
    }
    Ok(calls)
}

/// Queue metrics: waiting requests, their bytes, and requests refused since the start.
pub fn waiting(services: &Services) -> (usize, usize, u64) {
    let (Size { calls, bytes }, refused) = services.ingest.queue.counts();
    (calls, bytes, refused)
}

#[cfg(test)]
mod tests {
    use latchkey_domain::time::Timestamp;

    use super::*;

    #[test]
    fn first_id_determines_all_ids_of_a_request() {
        let ids = Ids::new(Timestamp::from_millis(1_795_000_000_000), [0xa7; 10]);
        let again = Ids::after(ids.trace(0).into());
        for index in [0, 1, 63, 64, 255, 256, 9_999] {
            assert_eq!(again.trace(index), ids.trace(index));
            assert_eq!(again.log(index), ids.log(index));
        }
    }
}
