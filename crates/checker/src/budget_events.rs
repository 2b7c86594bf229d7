//! Writes an event when a budget reaches 80 and 100 per cent.
//!
//! A call only notes what it has crossed; a task writes it within a second. The database keeps one
//! event for each budget, period and threshold, so several nodes may note the same one.

use std::sync::{Arc, Mutex, PoisonError};

use latchkey_domain::id::BudgetEventId;
use latchkey_domain::time::Timestamp;
use latchkey_store::database::{OnBehalfOf, in_time};
use latchkey_store::entity::budget_event;
use latchkey_store::random::Random;
use latchkey_store::{Database, Error};
use sea_orm::{EntityTrait, Set, TryInsertResult};

use crate::budget_crossing::{Crossing, Crossings};
use crate::budget_owner::BudgetOwner;
use crate::budget_slot::BudgetSlot;
use crate::budget_store::stored;

/// Most events that wait to be written. Further ones are dropped, and the log says so.
const MAX_WAITING: usize = 10_000;

struct NotedEvent {
    slot: Arc<BudgetSlot>,
    crossing: Crossing,
    at: Timestamp,
}

/// Events that are not written yet.
#[derive(Default)]
pub(crate) struct BudgetEvents(Mutex<Vec<NotedEvent>>);

impl BudgetEvents {
    /// Notes the thresholds that a budget has crossed at `at`.
    pub(crate) fn note(&self, slot: &Arc<BudgetSlot>, crossings: &Crossings, at: Timestamp) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for crossing in crossings.iter().flatten() {
            if waiting.len() < MAX_WAITING {
                waiting.push(NotedEvent { slot: Arc::clone(slot), crossing: *crossing, at });
            } else {
                tracing::error!("Dropped a budget event because too many wait to be written");
            }
        }
    }

    fn take(&self) -> Vec<NotedEvent> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn restore(&self, mut events: Vec<NotedEvent>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.append(&mut waiting);
        let dropped = events.len().saturating_sub(MAX_WAITING);
        if dropped > 0 {
            tracing::error!(dropped, "Dropped budget events because too many wait to be written");
            events.truncate(MAX_WAITING);
        }
        *waiting = events;
    }

    /// Writes the events noted so far. Their IDs come from `random`.
    ///
    /// # Errors
    /// The database fails. The events are kept for the next attempt.
    pub(crate) async fn write(
        &self,
        database: &Database,
        random: &Arc<dyn Random>,
    ) -> Result<(), Error> {
        let events = self.take();
        if events.is_empty() {
            return Ok(());
        }
        let written = in_time(insert(database, random, &events)).await;
        if written.is_err() {
            self.restore(events);
        }
        written
    }
}

async fn insert(
    database: &Database,
    random: &Arc<dyn Random>,
    events: &[NotedEvent],
) -> Result<(), Error> {
    /// Rows in one statement.
    const CHUNK: usize = 100;
    for events in events.chunks(CHUNK) {
        let rows = events.iter().map(|event| row(random, event));
        let _permit = database.write_permit(OnBehalfOf::Server).await?;
        let written: TryInsertResult<u64> = budget_event::Entity::insert_many(rows)
            .on_conflict_do_nothing_on([
                budget_event::Column::OwnerId,
                budget_event::Column::Unit,
                budget_event::Column::Period,
                budget_event::Column::StartsAt,
                budget_event::Column::Percent,
            ])
            .exec_without_returning(database.writer())
            .await?;
        tracing::debug!(?written, "Wrote budget events");
    }
    Ok(())
}

fn row(random: &Arc<dyn Random>, event: &NotedEvent) -> budget_event::ActiveModel {
    let NotedEvent { slot, crossing, at } = event;
    let Crossing { percent, starts_at, limit, used } = *crossing;
    let key_id = match slot.id.owner {
        BudgetOwner::Key(key) => Some(key),
        BudgetOwner::Project(_) | BudgetOwner::Organization(_) => None,
    };
    let mut order: [u8; 10] = random.bytes();
    // Lists are in the order of IDs. Of two thresholds that one call crosses, 80 comes first.
    [order[0], order[1]] = [0, percent];
    budget_event::ActiveModel {
        id: Set(BudgetEventId::new(*at, order)),
        at: Set(*at),
        organization_id: Set(slot.tenant.organization),
        project_id: Set(slot.tenant.project),
        key_id: Set(key_id),
        scope: Set(slot.id.owner.scope()),
        owner_id: Set(slot.id.owner.uuid()),
        unit: Set(slot.id.unit),
        period: Set(slot.id.period),
        starts_at: Set(starts_at),
        percent: Set(percent.into()),
        limit: Set(stored(limit)),
        used: Set(stored(used)),
    }
}
