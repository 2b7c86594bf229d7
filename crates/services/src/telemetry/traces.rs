//! Traces: requests that applications served.

use latchkey_domain::api::{IngestedTrace, Page, SpanKind, SpanStatus, TraceEntry, TraceFilter};
use latchkey_domain::id::{ApplicationId, TraceItemId};
use latchkey_domain::problem::FieldError;
use latchkey_domain::role::Permission;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use serde_json::{Map, Value};

use super::cut::{cut_meta, fit_meta, note};
use super::fingerprint::Fingerprint;
use super::identity::{Ids, Kind, RowKey};
use super::limits::{Faults, MAX_NAME_LENGTH, MAX_URL_LENGTH, storable};
use super::list::{nanos_to_row, time_from_row};
use super::scan::Scan;
use super::store::{Batch, prepare_and_store};
use super::{Incoming, Source, StorePermit, Stored, list, sizes};
use crate::actor::Actor;
use crate::error::Error;
use crate::page::PageRequest;
use crate::scope;
use crate::services::Services;
use latchkey_store::entity::trace;

/// Stores the valid traces of a request, all or none of them, and releases its permit.
///
/// # Errors
/// `TelemetryFull`, or the database fails.
pub async fn ingest_traces(
    services: &Services,
    source: &Source,
    permit: StorePermit,
    incoming: Incoming<TraceEntry>,
) -> Result<Stored, Error> {
    prepare_and_store(services, source, permit, incoming, prepare).await
}

fn prepare(
    services: &Services,
    source: &Source,
    incoming: Incoming<TraceEntry>,
) -> Result<(Batch, Stored), Error> {
    let ids = Ids::new(services.clock.now(), services.random.bytes());
    let (entries, mut stored) = incoming.into_parts();
    let row = |(number, (index, entry))| {
        to_row(source, ids.trace(number), &ids, index, entry, &mut stored)
    };
    let rows = (0..).zip(entries).map(row).collect::<Result<_, _>>()?;
    let backend = services.database.telemetry().backend();
    Ok((Batch::new(Kind::Traces, source, &ids, backend, rows), stored))
}

/// The fields of a trace that are over a limit, named as in the SDK's format. Empty: it can be
/// stored.
pub fn check_trace(entry: &TraceEntry) -> Vec<FieldError> {
    let mut faults = Faults::default();
    faults.text("requestMethod", &entry.request_method, MAX_NAME_LENGTH);
    faults.text("requestURL", &entry.request_url, MAX_URL_LENGTH);
    faults.text("traceId", &entry.trace_id, 128);
    faults.text("spanId", &entry.span_id, 128);
    faults.text("parentSpanId", entry.parent_span_id.as_deref().unwrap_or_default(), 128);
    if entry.response_status > 999 {
        faults.add("responseStatus", "Use an HTTP status from 0 to 999.");
    }
    if entry.duration_ms < 0.0 {
        faults.add("durationMs", "Use a number of at least 0.");
    }
    faults.into_errors()
}

/// Kind and status of a span, for the lists' filters. Neither if `meta` describes no span.
fn span_words(meta: Option<&Map<String, Value>>) -> (Option<SpanKind>, Option<SpanStatus>) {
    let Some(meta) = meta else { return (None, None) };
    let kind = meta.get("kind").and_then(Value::as_str).and_then(SpanKind::from_name);
    let status = meta.get("status").and_then(|status| status.get("code")).and_then(Value::as_str);
    (kind, status.and_then(SpanStatus::from_name))
}

fn to_row(
    source: &Source,
    id: TraceItemId,
    ids: &Ids,
    index: usize,
    entry: TraceEntry,
    stored: &mut Stored,
) -> Result<(trace::ActiveModel, RowKey), Error> {
    let (kind, status) = span_words(entry.meta.as_ref());
    let Ok(meta) = entry.meta.map(cut_meta).transpose() else {
        return Err(Error::corrupt("JSON map"));
    };
    if meta.as_ref().is_some_and(|(_, is_cut)| *is_cut) {
        stored.cut(index, &note("meta"));
    }
    let meta = meta.map(|(meta, _)| meta);
    let (method, url) = (storable(entry.request_method), storable(entry.request_url));
    let (trace_id, span_id) = (storable(entry.trace_id), storable(entry.span_id));
    let parent_span_id = entry.parent_span_id.map(storable);
    let texts = [&method, &url, &trace_id, &span_id].map(|text| Some(text.as_str()));
    let texts = texts.into_iter().chain([parent_span_id.as_deref(), meta.as_deref()]);
    let bytes = sizes::of_row(texts.clone());
    let environment = source.key.environment;
    let fingerprint = texts
        .fold(Fingerprint::new().text(environment.as_str()), Fingerprint::optional)
        .time(entry.timestamp)
        .number(entry.response_status.into())
        .number(entry.duration_ms.to_bits())
        .finish();
    let timestamp = entry.timestamp.millisecond();
    let row = trace::ActiveModel {
        id: Set(id),
        application_id: Set(source.application),
        key_id: Set(source.key.id),
        environment: Set(environment),
        timestamp: Set(timestamp),
        received_at: Set(ids.now()),
        request_method: Set(method),
        request_url: Set(url),
        response_status: Set(i32::from(entry.response_status)),
        trace_id: Set(trace_id),
        span_id: Set(span_id),
        parent_span_id: Set(parent_span_id),
        duration_ms: Set(entry.duration_ms),
        meta: Set(meta),
        project_id: Set(Some(source.key.project)),
        bytes: Set(bytes),
        nanos: Set(nanos_to_row(entry.timestamp)),
        fingerprint: Set(Some(fingerprint)),
        kind: Set(kind.map(|kind| kind.as_str().to_owned())),
        status: Set(status.map(|status| status.as_str().to_owned())),
    };
    Ok((row, RowKey { id: id.into(), bytes, timestamp, fingerprint }))
}

/// The traces of an application, newest first by their own timestamps.
///
/// # Errors
/// `NotFound` if the actor has no access, `Invalid` for a malformed cursor.
pub async fn list_traces(
    services: &Services,
    actor: &Actor,
    application: ApplicationId,
    filter: &TraceFilter,
    page: PageRequest,
) -> Result<Page<IngestedTrace>, Error> {
    let scope = scope::application(services, actor, application, Permission::Read).await?;
    let length = list::length("meta").add(list::length("request_url"));
    let scan = Scan::<trace::Entity>::new(services, &scope, filter.into(), length).await?;
    let places = scan.places(services, &page).await?;
    let rows = trace::Entity::find()
        .filter(trace::Column::Id.is_in(places.ids()))
        .all(services.database.telemetry().reader())
        .await?;
    let rows = rows.into_iter().map(|row| Ok((row.id.into(), from_row(row)?)));
    Ok(places.page(rows.collect::<Result<Vec<_>, Error>>()?))
}

fn from_row(row: trace::Model) -> Result<IngestedTrace, Error> {
    let meta = row.meta.as_deref().map(serde_json::from_str).transpose();
    let status = u16::try_from(row.response_status);
    Ok(IngestedTrace {
        id: row.id,
        key_id: row.key_id,
        environment: row.environment,
        received_at: row.received_at,
        entry: TraceEntry {
            timestamp: time_from_row(row.timestamp, row.nanos),
            request_method: row.request_method,
            request_url: row.request_url,
            response_status: status.map_err(|_| Error::corrupt("response status"))?,
            trace_id: row.trace_id,
            span_id: row.span_id,
            parent_span_id: row.parent_span_id,
            duration_ms: row.duration_ms,
            // Values from before the limit may be longer.
            meta: meta.map_err(|_| Error::corrupt("trace meta"))?.map(|meta| fit_meta(meta).0),
        },
    })
}
