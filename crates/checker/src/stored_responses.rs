//! Which project a stored response belongs to, and where it is stored.
//!
//! Most clients leave `store` out, so nearly every response of the Responses API is a stored one.
//! Remembering it must not delay the call: it is noted in memory and written in batches, as usage
//! is. This node finds it at once. Another node finds it within [`RECHECKS`] times
//! [`RECHECK_INTERVAL`], which is several times as long as a batch waits, and asks that long before
//! it says that there is none. Output items of responses and their containers are remembered
//! alike, as later calls may refer to them.
//!
//! The table has a row for each call and is written behind the calls, so it is stored beside usage.
//! A crash loses the responses of the last tenth of a second: they are unknown then (404).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_domain::id::ProjectId;
use latchkey_domain::time::Timestamp;
use latchkey_store::database::{in_time, within};
use latchkey_store::entity::stored_response::{ActiveModel, Column, Entity, Model};
use latchkey_store::insert::insert_many;
use latchkey_store::{Database, Error};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

use crate::digest::sha256;

/// How long a response is known: as long as OpenAI stores one.
pub const RESPONSE_RETENTION: Duration = Duration::from_hours(30 * 24);

/// How long an answer of the sandbox is kept, as all data of test keys is.
pub const SANDBOX_RESPONSE_RETENTION: Duration = Duration::from_hours(24);

/// How often an unknown response is looked up again, because another node may just have made it.
const RECHECKS: u32 = 4;
/// Time between two lookups.
const RECHECK_INTERVAL: Duration = Duration::from_millis(150);
/// Most responses that wait to be written, and most bytes of the sandbox's answers among them.
/// While the database is away, later ones are not remembered, and the log says so.
const MAX_UNWRITTEN: usize = 50_000;
const MAX_UNWRITTEN_BYTES: usize = 32 * 1024 * 1024;
/// Rows of one batch.
const ROWS_PER_BATCH: usize = 5_000;
/// Time limit of a batch.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a response is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseStore {
    /// At the upstream of this name.
    Upstream(Arc<str>),
    /// Here: the sandbox's answer, as JSON.
    Sandbox(Arc<str>),
}

/// The project, and the digest of the ID of the response or the item.
type Place = (ProjectId, Vec<u8>);

/// The place of an item. Its ID is hashed twice, so that no response has the same place.
fn item_place(project: ProjectId, id: &str) -> Place {
    (project, Sha256::digest(sha256(id)).to_vec())
}

/// Responses in memory that are not written yet.
#[derive(Default)]
pub(crate) struct StoredResponses {
    unwritten: Mutex<Unwritten>,
    /// Notified when a response is added.
    added: Notify,
    /// Held while rows are written or deleted, so that no batch restores a deleted row.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Unwritten {
    responses: HashMap<Place, UnwrittenResponse>,
    /// Bytes of the sandbox's answers.
    bytes: usize,
    /// Number of responses so far, which tells an entry from one that has replaced it.
    count: u64,
    /// Whether one was dropped since the last batch.
    has_dropped: bool,
}

#[derive(Clone)]
struct UnwrittenResponse {
    store: ResponseStore,
    created_at: Timestamp,
    number: u64,
}

impl UnwrittenResponse {
    fn bytes(&self) -> usize {
        match &self.store {
            ResponseStore::Upstream(_) => 0,
            ResponseStore::Sandbox(answer) => answer.len(),
        }
    }
}

impl Unwritten {
    fn add(&mut self, place: Place, store: ResponseStore, created_at: Timestamp) {
        self.count += 1;
        let entry = UnwrittenResponse { store, created_at, number: self.count };
        let bytes = self.bytes + entry.bytes();
        if self.responses.len() >= MAX_UNWRITTEN || bytes > MAX_UNWRITTEN_BYTES {
            if !std::mem::replace(&mut self.has_dropped, true) {
                tracing::error!("Forgot stored responses because too many wait to be written");
            }
            return;
        }
        self.bytes = bytes;
        if let Some(replaced) = self.responses.insert(place, entry) {
            self.bytes = self.bytes.saturating_sub(replaced.bytes());
        }
    }

    fn remove(&mut self, place: &Place) {
        if let Some(removed) = self.responses.remove(place) {
            self.bytes = self.bytes.saturating_sub(removed.bytes());
        }
    }
}

impl StoredResponses {
    fn unwritten(&self) -> MutexGuard<'_, Unwritten> {
        // Each step leaves the map consistent.
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, place: &Place) -> Option<ResponseStore> {
        self.unwritten().responses.get(place).map(|entry| entry.store.clone())
    }

    /// The next batch, in the order of the primary key, so that two nodes never deadlock. The
    /// entries stay in memory until they are written.
    fn batch(&self) -> Vec<(Place, UnwrittenResponse)> {
        let unwritten = self.unwritten();
        let some = unwritten.responses.iter().take(ROWS_PER_BATCH);
        let mut batch: Vec<_> = some.map(|(place, entry)| (place.clone(), entry.clone())).collect();
        drop(unwritten);
        batch.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        batch
    }

    fn written(&self, batch: &[(Place, UnwrittenResponse)]) {
        let mut unwritten = self.unwritten();
        unwritten.has_dropped = false;
        for (place, entry) in batch {
            let current = unwritten.responses.get(place);
            if current.is_some_and(|current| current.number == entry.number) {
                unwritten.remove(place);
            }
        }
    }
}

impl StoredResponses {
    /// Notes that a response belongs to a project.
    pub(crate) fn add(&self, project: ProjectId, id: &str, store: ResponseStore, now: Timestamp) {
        self.note((project, sha256(id)), store, now);
    }

    /// Notes that an output item or a container belongs to a project.
    pub(crate) fn add_item(
        &self,
        project: ProjectId,
        id: &str,
        store: ResponseStore,
        now: Timestamp,
    ) {
        self.note(item_place(project, id), store, now);
    }

    fn note(&self, place: Place, store: ResponseStore, now: Timestamp) {
        self.unwritten().add(place, store, now);
        self.added.notify_one();
    }

    /// Where a response of this project is stored at `now`.
    pub(crate) async fn find(
        &self,
        database: &Database,
        (project, id): (ProjectId, &str),
        now: Timestamp,
    ) -> Result<Option<ResponseStore>, Error> {
        let places = vec![(project, sha256(id))];
        let found = self.find_all(database, (project, places), now).await?;
        Ok(found.and_then(|stores| stores.into_iter().next()))
    }

    /// Where items of this project are stored at `now`. None if it lacks one of them.
    pub(crate) async fn find_items(
        &self,
        database: &Database,
        (project, ids): (ProjectId, &[String]),
        now: Timestamp,
    ) -> Result<Option<Vec<ResponseStore>>, Error> {
        let places = ids.iter().map(|id| item_place(project, id)).collect();
        self.find_all(database, (project, places), now).await
    }

    async fn find_all(
        &self,
        database: &Database,
        (project, mut missing): (ProjectId, Vec<Place>),
        now: Timestamp,
    ) -> Result<Option<Vec<ResponseStore>>, Error> {
        let mut found = Vec::new();
        // Only this process uses SQLite: what is in neither of the two does not exist.
        let mut rechecks = if database.is_sqlite() { 0 } else { RECHECKS };
        loop {
            // Memory first: an entry leaves it only after its row was committed.
            missing.retain(|place| {
                let store = self.get(place);
                let is_missing = store.is_none();
                found.extend(store);
                is_missing
            });
            if !missing.is_empty() {
                let rows = in_time(stored(database, project, &missing, now)).await?;
                missing.retain(|(_, id)| {
                    let store = rows.get(id).cloned();
                    let is_missing = store.is_none();
                    found.extend(store);
                    is_missing
                });
            }
            if missing.is_empty() {
                return Ok(Some(found));
            }
            if rechecks == 0 {
                return Ok(None);
            }
            rechecks -= 1;
            tokio::time::sleep(RECHECK_INTERVAL).await;
        }
    }

    /// Deletes the row of a response.
    pub(crate) async fn forget(
        &self,
        database: &Database,
        project: ProjectId,
        id: &str,
    ) -> Result<(), Error> {
        let place = (project, sha256(id));
        in_time(async {
            // A batch may take long to be written.
            let _alone = self.writing.lock().await;
            self.unwritten().remove(&place);
            let transaction = database.telemetry().begin().await?;
            Entity::delete_many()
                .filter(Column::ProjectId.eq(place.0))
                .filter(Column::Id.eq(place.1))
                .exec(&transaction)
                .await?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    /// Waits until a response was noted that may not be written yet.
    pub(crate) async fn added(&self) {
        self.added.notified().await;
    }

    /// Writes what was noted so far. What fails is kept.
    pub(crate) async fn write(&self, database: &Database) -> Result<(), Error> {
        let _alone = self.writing.lock().await;
        loop {
            let batch = self.batch();
            if batch.is_empty() {
                return Ok(());
            }
            if let Err(error) = within(WRITE_TIMEOUT, write(database, &batch)).await {
                self.added.notify_one();
                return Err(error);
            }
            self.written(&batch);
        }
    }
}

/// Rows of some places of a project, by their digests.
async fn stored(
    database: &Database,
    project: ProjectId,
    places: &[Place],
    now: Timestamp,
) -> Result<HashMap<Vec<u8>, ResponseStore>, Error> {
    let rows = Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::Id.is_in(places.iter().map(|(_, id)| id.clone())))
        .filter(Column::CreatedAt.gt(now - RESPONSE_RETENTION))
        .all(database.telemetry().reader())
        .await?;
    let mut stores = HashMap::with_capacity(rows.len());
    for row in rows {
        let Model { id, upstream, sandbox, created_at, .. } = row;
        let store = match (upstream, sandbox) {
            (Some(upstream), None) => ResponseStore::Upstream(upstream.into()),
            (None, Some(_)) if created_at <= now - SANDBOX_RESPONSE_RETENTION => continue,
            (None, Some(answer)) => ResponseStore::Sandbox(answer.into()),
            _ => return Err(Error::corrupt("stored response")),
        };
        stores.insert(id, store);
    }
    Ok(stores)
}

/// A response with the same ID replaces the one before: the sandbox repeats its IDs.
async fn write(database: &Database, batch: &[(Place, UnwrittenResponse)]) -> Result<(), Error> {
    let rows = batch.iter().map(|((project, id), entry)| {
        let (upstream, sandbox) = match &entry.store {
            ResponseStore::Upstream(name) => (Some(name.to_string()), None),
            ResponseStore::Sandbox(answer) => (None, Some(answer.to_string())),
        };
        ActiveModel {
            project_id: Set(*project),
            id: Set(id.clone()),
            upstream: Set(upstream),
            sandbox: Set(sandbox),
            created_at: Set(entry.created_at),
        }
    });
    let newest = OnConflict::columns([Column::ProjectId, Column::Id])
        .update_columns([Column::Upstream, Column::Sandbox, Column::CreatedAt])
        .to_owned();
    let transaction = database.telemetry().begin().await?;
    insert_many(&transaction, rows.collect(), Some(&newest)).await?;
    Ok(transaction.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: u32) -> Place {
        (ProjectId::new(Timestamp::from_millis(0), [0; 10]), sha256(&number.to_string()))
    }

    fn add(responses: &StoredResponses, number: u32, store: &ResponseStore) {
        responses.unwritten().add(place(number), store.clone(), Timestamp::from_millis(0));
    }

    #[test]
    fn response_stays_in_memory_until_it_is_written() {
        let responses = StoredResponses::default();
        let (one, two) =
            (ResponseStore::Upstream("one".into()), ResponseStore::Upstream("two".into()));
        add(&responses, 1, &one);
        add(&responses, 2, &one);
        let batch = responses.batch();
        assert_eq!((batch.len(), responses.get(&place(1))), (2, Some(one.clone())));
        add(&responses, 2, &two);
        responses.written(&batch);
        assert_eq!(responses.get(&place(1)), None);
        assert_eq!(responses.get(&place(2)), Some(two), "noted again while it was written");
        assert_eq!(responses.batch().len(), 1);
    }

    #[test]
    fn unwritten_responses_are_bounded() {
        let responses = StoredResponses::default();
        let answer = ResponseStore::Sandbox("x".repeat(MAX_UNWRITTEN_BYTES / 2).into());
        for number in 0..3 {
            add(&responses, number, &answer);
        }
        assert_eq!(responses.get(&place(2)), None);
        assert!(responses.get(&place(1)).is_some());
        responses.unwritten().remove(&place(0));
        add(&responses, 2, &answer);
        assert!(responses.get(&place(2)).is_some(), "its bytes are free again");
        let none = ResponseStore::Upstream("one".into());
        for number in 3..=u32::try_from(MAX_UNWRITTEN).unwrap() {
            add(&responses, number, &none);
        }
        assert_eq!(responses.unwritten().responses.len(), MAX_UNWRITTEN);
        add(&responses, u32::MAX, &none);
        assert_eq!(responses.get(&place(u32::MAX)), None);
    }
}
