//! Traces: requests that applications served.

use latchkey_domain::api::{IngestedTrace, Page, TraceEntry};
use latchkey_domain::id::ApplicationId;
use latchkey_domain::problem::FieldError;
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use super::cut::{cut_meta, fit_meta, note};
use super::limits::{Faults, check_batch, storable};
use super::store::{Batch, Ids, Kind, store};
use super::{Source, Stored, Turn, list, sizes};
use crate::actor::Actor;
use crate::entity::trace;
use crate::error::Error;
use crate::page::PageRequest;
use crate::scope;
use crate::services::Services;

/// Stores a batch of traces, all of them or none, and ends the call's turn.
///
/// # Errors
/// `Invalid` names the items that are over a limit.
pub async fn ingest_traces(
    services: &Services,
    source: &Source,
    turn: Turn,
    entries: Vec<TraceEntry>,
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
    entries: Vec<TraceEntry>,
) -> Result<(Batch, Stored), Error> {
    check_batch("traces", &entries, check_trace)?;
    let ids = Ids::new(services.clock.now(), services.random.bytes());
    let mut stored = Stored { items: entries.len(), ..Stored::default() };
    let row = |(index, entry)| to_row(source, &ids, index, entry, &mut stored);
    let rows = (0..).zip(entries).map(row).collect::<Result<_, _>>()?;
    let backend = services.database.telemetry().backend();
    Ok((Batch::new(Kind::Traces, &ids, backend, rows), stored))
}

/// What of a trace is over a limit, by the names of the SDK's form; nothing if it can be stored.
pub fn check_trace(entry: &TraceEntry) -> Vec<FieldError> {
    let mut faults = Faults::default();
    faults.text("requestMethod", &entry.request_method, 32);
    faults.text("requestURL", &entry.request_url, 8_192);
    faults.text("traceId", &entry.trace_id, 128);
    faults.text("spanId", &entry.span_id, 128);
    faults.text("parentSpanId", entry.parent_span_id.as_deref().unwrap_or_default(), 128);
    if entry.response_status > 999 {
        faults.add("responseStatus", "Use an HTTP status.");
    }
    if entry.duration_ms < 0.0 {
        faults.add("durationMs", "Use a number from 0.");
    }
    faults.into_errors()
}

fn to_row(
    source: &Source,
    ids: &Ids,
    index: u16,
    entry: TraceEntry,
    stored: &mut Stored,
) -> Result<(trace::ActiveModel, i64), Error> {
    let Ok(meta) = entry.meta.map(cut_meta).transpose() else {
        return Err(Error::Corrupt("JSON map"));
    };
    if meta.as_ref().is_some_and(|(_, is_cut)| *is_cut) {
        stored.cut(index, &note("meta"));
    }
    let meta = meta.map(|(meta, _)| meta);
    let (method, url) = (storable(entry.request_method), storable(entry.request_url));
    let (trace_id, span_id) = (storable(entry.trace_id), storable(entry.span_id));
    let parent_span_id = entry.parent_span_id.map(storable);
    let texts = [&method, &url, &trace_id, &span_id].map(|text| Some(text.as_str()));
    let bytes =
        sizes::of_row(texts.into_iter().chain([parent_span_id.as_deref(), meta.as_deref()]));
    let row = trace::ActiveModel {
        id: Set(ids.trace(index)),
        application_id: Set(source.application.as_uuid()),
        key_id: Set(source.key.id.as_uuid()),
        environment: Set(source.key.environment.as_str().to_owned()),
        timestamp: Set(entry.timestamp.as_millis()),
        received_at: Set(ids.now().as_millis()),
        request_method: Set(method),
        request_url: Set(url),
        response_status: Set(i32::from(entry.response_status)),
        trace_id: Set(trace_id),
        span_id: Set(span_id),
        parent_span_id: Set(parent_span_id),
        duration_ms: Set(entry.duration_ms),
        meta: Set(meta),
        project_id: Set(Some(source.key.project.as_uuid())),
        bytes: Set(bytes),
    };
    Ok((row, bytes))
}

/// The traces of one application, newest first by their own time.
///
/// # Errors
/// `NotFound` for a stranger, `Invalid` for a foreign cursor.
pub async fn list_traces(
    services: &Services,
    actor: &Actor,
    application: ApplicationId,
    page: PageRequest,
) -> Result<Page<IngestedTrace>, Error> {
    let scope = scope::application(services, actor, application, Permission::Read).await?;
    let length = list::length("meta").add(list::length("request_url"));
    let places = list::places::<trace::Entity>(services, &scope, &page, length).await?;
    let rows = trace::Entity::find()
        .filter(trace::Column::Id.is_in(places.ids()))
        .all(services.database.telemetry().reader())
        .await?;
    let rows = rows.into_iter().map(|row| Ok((row.id, from_row(row)?)));
    Ok(places.page(rows.collect::<Result<Vec<_>, Error>>()?))
}

fn from_row(row: trace::Model) -> Result<IngestedTrace, Error> {
    let meta = row.meta.as_deref().map(serde_json::from_str).transpose();
    let status = u16::try_from(row.response_status);
    Ok(IngestedTrace {
        id: row.id.into(),
        key_id: row.key_id.into(),
        environment: crate::keys::row::environment_of(&row.environment)?,
        received_at: Timestamp::from_millis(row.received_at),
        entry: TraceEntry {
            timestamp: Timestamp::from_millis(row.timestamp),
            request_method: row.request_method,
            request_url: row.request_url,
            response_status: status.map_err(|_| Error::Corrupt("response status"))?,
            trace_id: row.trace_id,
            span_id: row.span_id,
            parent_span_id: row.parent_span_id,
            duration_ms: row.duration_ms,
            // Older ones may be longer.
            meta: meta.map_err(|_| Error::Corrupt("trace meta"))?.map(|meta| fit_meta(meta).0),
        },
    })
}
