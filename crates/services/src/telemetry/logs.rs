//! Logs: lines that applications wrote.

use std::collections::HashMap;

use latchkey_domain::api::{IngestedLog, LogEntry, LogFilter, Page};
use latchkey_domain::id::{ApplicationId, LogItemId};
use latchkey_domain::problem::FieldError;
use latchkey_domain::role::Permission;
use latchkey_domain::time::PreciseTimestamp;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, EntityTrait, Iterable, QueryFilter, QuerySelect, Set};
use uuid::Uuid;

use super::cut::{cut_meta, cut_text, note};
use super::fingerprint::{Fingerprint, repeated};
use super::identity::{Ids, Kind, RowKey};
use super::limits::{Faults, MAX_NAME_LENGTH, storable};
use super::list::{nanos_to_row, time_from_row};
use super::scan::Scan;
use super::store::{Batch, prepare_and_store};
use super::{Incoming, Source, StorePermit, Stored, list, sizes};
use crate::actor::Actor;
use crate::error::Error;
use crate::page::PageRequest;
use crate::scope;
use crate::services::Services;
use latchkey_store::entity::log;

/// Stores the valid logs of a request, all or none of them, and releases its permit.
///
/// # Errors
/// `TelemetryFull`, or the database fails.
pub async fn ingest_logs(
    services: &Services,
    source: &Source,
    permit: StorePermit,
    incoming: Incoming<LogEntry>,
) -> Result<Stored, Error> {
    prepare_and_store(services, source, permit, incoming, prepare).await
}

fn prepare(
    services: &Services,
    source: &Source,
    incoming: Incoming<LogEntry>,
) -> Result<(Batch, Stored), Error> {
    let ids = Ids::new(services.clock.now(), services.random.bytes());
    let (entries, mut stored) = incoming.into_parts();
    let mut seen = HashMap::with_capacity(entries.len());
    let row = |(number, (index, entry))| {
        let row = to_row(source, ids.log(number), &ids, index, entry, &mut stored)?;
        Ok::<_, Error>(distinguish_repeats(row, &mut seen))
    };
    let rows = (0..).zip(entries).map(row).collect::<Result<_, _>>()?;
    let backend = services.database.telemetry().backend();
    Ok((Batch::new(Kind::Logs, source, &ids, backend, rows), stored))
}

/// Gives identical lines of a request different fingerprints: a line that is logged twice within a
/// millisecond is two lines. A span that is sent twice is one span.
fn distinguish_repeats(
    (mut row, mut key): (log::ActiveModel, RowKey),
    seen: &mut HashMap<Uuid, u32>,
) -> (log::ActiveModel, RowKey) {
    let times = seen.entry(key.fingerprint).or_default();
    if *times > 0 {
        key.fingerprint = repeated(key.fingerprint, *times);
        row.fingerprint = Set(Some(key.fingerprint));
    }
    *times += 1;
    (row, key)
}

/// The fields of a log that are over a limit, named as in the SDK's format. Empty: it can be
/// stored.
pub fn check_log(entry: &LogEntry) -> Vec<FieldError> {
    let mut faults = Faults::default();
    faults.text("traceId", entry.trace_id.as_deref().unwrap_or_default(), 128);
    faults.text("level", &entry.level, MAX_NAME_LENGTH);
    faults.text("type", &entry.kind, MAX_NAME_LENGTH);
    faults.into_errors()
}

fn to_row(
    source: &Source,
    id: LogItemId,
    ids: &Ids,
    index: usize,
    entry: LogEntry,
    stored: &mut Stored,
) -> Result<(log::ActiveModel, RowKey), Error> {
    let mut message = storable(entry.message);
    let Ok(meta) = entry.meta.map(cut_meta).transpose() else {
        return Err(Error::corrupt("JSON map"));
    };
    if cut_text(&mut message) {
        stored.cut(index, &note("message"));
    } else if meta.as_ref().is_some_and(|(_, is_cut)| *is_cut) {
        stored.cut(index, &note("meta"));
    }
    let meta = meta.map(|(meta, _)| meta);
    let (level, kind) = (storable(entry.level), storable(entry.kind));
    let trace_id = entry.trace_id.map(storable);
    let texts =
        [Some(&*message), Some(&*level), Some(&*kind), trace_id.as_deref(), meta.as_deref()];
    let bytes = sizes::of_row(texts);
    let environment = source.key.environment;
    let client_time = entry.client_timestamp.map(PreciseTimestamp::from);
    let fingerprint = texts
        .into_iter()
        .fold(Fingerprint::new().text(environment.as_str()), Fingerprint::optional)
        .time(entry.timestamp)
        .number(client_time.is_some().into());
    let fingerprint = client_time.into_iter().fold(fingerprint, Fingerprint::time).finish();
    let timestamp = entry.timestamp.millisecond();
    let row = log::ActiveModel {
        id: Set(id),
        application_id: Set(source.application),
        key_id: Set(source.key.id),
        environment: Set(environment),
        timestamp: Set(timestamp),
        received_at: Set(ids.now()),
        trace_id: Set(trace_id),
        level: Set(level),
        kind: Set(kind),
        message: Set(message),
        client_timestamp: Set(entry.client_timestamp),
        project_id: Set(Some(source.key.project)),
        bytes: Set(bytes),
        nanos: Set(nanos_to_row(entry.timestamp)),
        fingerprint: Set(Some(fingerprint)),
        meta: Set(meta),
    };
    Ok((row, RowKey { id: id.into(), bytes, timestamp, fingerprint }))
}

/// The logs of an application, newest first by their own timestamps.
///
/// # Errors
/// `NotFound` if the actor has no access, `Invalid` for a malformed cursor.
pub async fn list_logs(
    services: &Services,
    actor: &Actor,
    application: ApplicationId,
    filter: &LogFilter,
    page: PageRequest,
) -> Result<Page<IngestedLog>, Error> {
    let scope = scope::application(services, actor, application, Permission::Read).await?;
    let length = list::of_message(list::length("message")).add(list::length("meta"));
    let scan = Scan::<log::Entity>::new(services, &scope, filter.into(), length).await?;
    let places = scan.places(services, &page).await?;
    let columns = log::Column::iter().filter(|column| !matches!(column, log::Column::Message));
    let rows = log::Entity::find()
        .select_only()
        .columns(columns)
        .expr_as(list::beginning("message"), "message")
        .filter(log::Column::Id.is_in(places.ids()))
        .all(services.database.telemetry().reader())
        .await?;
    let rows = rows.into_iter().map(|row| Ok((row.id.into(), from_row(row)?)));
    Ok(places.page(rows.collect::<Result<Vec<_>, Error>>()?))
}

fn from_row(mut row: log::Model) -> Result<IngestedLog, Error> {
    // Messages from before the limit may be longer.
    cut_text(&mut row.message);
    let meta = row.meta.as_deref().map(serde_json::from_str).transpose();
    Ok(IngestedLog {
        id: row.id,
        key_id: row.key_id,
        environment: row.environment,
        received_at: row.received_at,
        entry: LogEntry {
            trace_id: row.trace_id,
            level: row.level,
            kind: row.kind,
            message: row.message,
            timestamp: time_from_row(row.timestamp, row.nanos),
            client_timestamp: row.client_timestamp,
            meta: meta.map_err(|_| Error::corrupt("log meta"))?,
        },
    })
}
