//! Logs: lines that applications wrote.

use latchkey_domain::api::{IngestedLog, LogEntry, Page};
use latchkey_domain::id::ApplicationId;
use latchkey_domain::problem::FieldError;
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, Iterable, QueryFilter, QuerySelect, Set};

use super::cut::{cut_text, note};
use super::limits::{Faults, check_batch, storable};
use super::store::{Batch, Ids, Kind, store};
use super::{Source, Stored, Turn, list, sizes};
use crate::actor::Actor;
use crate::entity::log;
use crate::error::Error;
use crate::page::PageRequest;
use crate::scope;
use crate::services::Services;

/// Stores a batch of logs, all of them or none, and ends the call's turn.
///
/// # Errors
/// `Invalid` names the items that are over a limit.
pub async fn ingest_logs(
    services: &Services,
    source: &Source,
    turn: Turn,
    entries: Vec<LogEntry>,
) -> Result<Stored, Error> {
    let prepared = {
        let (services, source) = (services.clone(), source.clone());
        turn.run(move || prepare(&services, &source, entries)).await
    };
    let (batch, stored) = prepared?;
    store(services, source, turn, batch).await?;
    Ok(stored)
}

fn prepare(
    services: &Services,
    source: &Source,
    entries: Vec<LogEntry>,
) -> Result<(Batch, Stored), Error> {
    check_batch("logs", &entries, check_log)?;
    let ids = Ids::new(services.clock.now(), services.random.bytes());
    let mut stored = Stored { items: entries.len(), ..Stored::default() };
    let row = |(index, entry)| to_row(source, &ids, index, entry, &mut stored);
    let rows = (0..).zip(entries).map(row).collect();
    let backend = services.database.telemetry().backend();
    Ok((Batch::new(Kind::Logs, &ids, backend, rows), stored))
}

/// What of a log is over a limit, by the names of the SDK's form; nothing if it can be stored.
pub fn check_log(entry: &LogEntry) -> Vec<FieldError> {
    let mut faults = Faults::default();
    faults.text("traceId", entry.trace_id.as_deref().unwrap_or_default(), 128);
    faults.text("level", &entry.level, 32);
    faults.text("type", &entry.kind, MOST_OF_A_TYPE);
    faults.into_errors()
}

/// The most characters of a log's `type`.
const MOST_OF_A_TYPE: usize = 128;

/// Whether a text is too long for a log's `type`.
pub fn is_type_long(text: &str) -> bool {
    text.chars().nth(MOST_OF_A_TYPE).is_some()
}

fn to_row(
    source: &Source,
    ids: &Ids,
    index: u16,
    entry: LogEntry,
    stored: &mut Stored,
) -> (log::ActiveModel, i64) {
    let mut message = storable(entry.message);
    if cut_text(&mut message) {
        stored.cut(index, &note("message"));
    }
    let (level, kind) = (storable(entry.level), storable(entry.kind));
    let trace_id = entry.trace_id.map(storable);
    let bytes = sizes::of_row([Some(&*message), Some(&*level), Some(&*kind), trace_id.as_deref()]);
    let row = log::ActiveModel {
        id: Set(ids.log(index)),
        application_id: Set(source.application.as_uuid()),
        key_id: Set(source.key.id.as_uuid()),
        environment: Set(source.key.environment.as_str().to_owned()),
        timestamp: Set(entry.timestamp.as_millis()),
        received_at: Set(ids.now().as_millis()),
        trace_id: Set(trace_id),
        level: Set(level),
        kind: Set(kind),
        message: Set(message),
        client_timestamp: Set(entry.client_timestamp.map(Timestamp::as_millis)),
        project_id: Set(Some(source.key.project.as_uuid())),
        bytes: Set(bytes),
    };
    (row, bytes)
}

/// The logs of one application, newest first by their own time.
///
/// # Errors
/// `NotFound` for a stranger, `Invalid` for a foreign cursor.
pub async fn list_logs(
    services: &Services,
    actor: &Actor,
    application: ApplicationId,
    page: PageRequest,
) -> Result<Page<IngestedLog>, Error> {
    let scope = scope::application(services, actor, application, Permission::Read).await?;
    let length = list::of_message(list::length("message"));
    let places = list::places::<log::Entity>(services, &scope, &page, length).await?;
    let columns = log::Column::iter().filter(|column| !matches!(column, log::Column::Message));
    let rows = log::Entity::find()
        .select_only()
        .columns(columns)
        .expr_as(list::beginning("message"), "message")
        .filter(log::Column::Id.is_in(places.ids()))
        .all(services.database.telemetry().reader())
        .await?;
    let rows = rows.into_iter().map(|row| Ok((row.id, from_row(row)?)));
    Ok(places.page(rows.collect::<Result<Vec<_>, Error>>()?))
}

fn from_row(mut row: log::Model) -> Result<IngestedLog, Error> {
    // Older ones may be longer.
    cut_text(&mut row.message);
    Ok(IngestedLog {
        id: row.id.into(),
        key_id: row.key_id.into(),
        environment: crate::keys::row::environment_of(&row.environment)?,
        received_at: Timestamp::from_millis(row.received_at),
        entry: LogEntry {
            trace_id: row.trace_id,
            level: row.level,
            kind: row.kind,
            message: row.message,
            timestamp: Timestamp::from_millis(row.timestamp),
            client_timestamp: row.client_timestamp.map(Timestamp::from_millis),
        },
    })
}
