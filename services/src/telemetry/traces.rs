//! Traces: requests that applications served.

use latchkey_domain::api::{Accepted, IngestedTrace, Page, TraceEntry};
use latchkey_domain::id::{ApplicationId, TraceItemId};
use latchkey_domain::problem::FieldError;
use latchkey_domain::role::Permission;
use latchkey_domain::time::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use super::limits::{Faults, check_batch, storable};
use super::purge::kept;
use super::{Source, insert_all};
use crate::actor::Actor;
use crate::entity::trace;
use crate::error::Error;
use crate::page::{PageRequest, time_cursor};
use crate::scope;
use crate::services::Services;

/// Stores a batch of traces: all of them or none.
///
/// # Errors
/// `Invalid` names the items that are over a limit.
pub async fn ingest_traces(
    services: &Services,
    source: &Source,
    entries: Vec<TraceEntry>,
) -> Result<Accepted, Error> {
    check_batch("traces", &entries, check_trace)?;
    let mut rows = Vec::with_capacity(entries.len());
    for (index, entry) in (0..).zip(entries) {
        rows.push(to_row(services, source, index, entry)?);
    }
    insert_all(services, rows).await
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
    services: &Services,
    source: &Source,
    index: u16,
    entry: TraceEntry,
) -> Result<trace::ActiveModel, Error> {
    let now = services.clock.now();
    let meta = entry.meta.map(|meta| serde_json::to_string(&meta)).transpose();
    Ok(trace::ActiveModel {
        id: Set(TraceItemId::in_batch(now, index, services.random.bytes()).as_uuid()),
        application_id: Set(source.application.as_uuid()),
        key_id: Set(source.key.id.as_uuid()),
        environment: Set(source.key.environment.as_str().to_owned()),
        timestamp: Set(entry.timestamp.as_millis()),
        received_at: Set(now.as_millis()),
        request_method: Set(storable(entry.request_method)),
        request_url: Set(storable(entry.request_url)),
        response_status: Set(i32::from(entry.response_status)),
        trace_id: Set(storable(entry.trace_id)),
        span_id: Set(storable(entry.span_id)),
        parent_span_id: Set(entry.parent_span_id.map(storable)),
        duration_ms: Set(entry.duration_ms),
        meta: Set(meta.map_err(|_| Error::Corrupt("JSON map"))?),
    })
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
    let mut query = trace::Entity::find()
        .filter(trace::Column::ApplicationId.eq(scope.id().as_uuid()))
        .filter(kept::<trace::Entity>(services.clock.now()))
        .order_by_desc(trace::Column::Timestamp)
        .order_by_desc(trace::Column::Id)
        .limit(page.rows());
    if let Some((time, id)) = page.after_time()? {
        let row = Expr::tuple([Expr::col(trace::Column::Timestamp), Expr::col(trace::Column::Id)]);
        query = query.filter(row.lt(Expr::tuple([Expr::val(time), Expr::val(id)])));
    }
    let rows = query.all(services.database.reader()).await?;
    let rows = page.page(rows, |last| time_cursor(last.timestamp, last.id));
    let data = rows.data.into_iter().map(from_row).collect::<Result<_, _>>()?;
    Ok(Page { data, next_cursor: rows.next_cursor })
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
            meta: meta.map_err(|_| Error::Corrupt("trace meta"))?,
        },
    })
}
