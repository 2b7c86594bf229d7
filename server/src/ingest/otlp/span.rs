//! A span as a trace item: what OpenTelemetry's conventions say of its HTTP request in the item's
//! own fields, everything else in `meta`, by the names that OTLP has for it.

use std::fmt::Display;

use axum::body::Bytes;
use latchkey_domain::api::TraceEntry;
use latchkey_domain::problem::Problem;
use latchkey_domain::time::Timestamp;
use latchkey_services::telemetry::check_trace;
use serde_json::{Map, Value};

use super::attributes::attributes;
use super::batch::{Fault, Item, Origin};
use super::body::{Encoding, elements};
use super::messages::{Event, Link, Span, Status};
use super::{SPAN_ID, TRACE_ID, id, time};

type Meta = Map<String, Value>;

/// What a span is stored as.
///
/// # Errors
/// `Item` if it has no valid ids or is over a limit, `Body` if it can't be read.
pub(super) fn entry(item: Item<'_>) -> Result<TraceEntry, Fault> {
    let Item { encoding, origin, path, part } = item;
    let mut span: Span = encoding.read(path, part)?;
    let (trace_id, span_id, parent_span_id) = ids(&span)?;
    let (timestamp, duration_ms) = times(&span)?;
    let mut rest = attributes(encoding, path, std::mem::take(&mut span.attributes))?;
    let entry = TraceEntry {
        timestamp,
        request_method: method(&mut rest, span.kind),
        request_url: url(&mut rest, &span.name),
        response_status: status(&mut rest)?,
        trace_id,
        span_id,
        parent_span_id,
        duration_ms,
        meta: Some(meta(encoding, path, origin, span, rest)?),
    };
    match check_trace(&entry) {
        errors if errors.is_empty() => Ok(entry),
        errors => Err(errors.into()),
    }
}

fn ids(span: &Span) -> Result<(String, String, Option<String>), Fault> {
    let wrong =
        |name, length| Fault::Item(format!("{name}: Use {length} bytes that are not all zero."));
    let trace = id(&span.trace_id, TRACE_ID).ok_or_else(|| wrong("traceId", TRACE_ID))?;
    let own = id(&span.span_id, SPAN_ID).ok_or_else(|| wrong("spanId", SPAN_ID))?;
    let parent = id(&span.parent_span_id, SPAN_ID);
    // Some exporters write the parent of a root as zeros.
    if parent.is_none() && span.parent_span_id.iter().any(|byte| *byte != 0) {
        return Err(wrong("parentSpanId", SPAN_ID));
    }
    Ok((trace, own, parent))
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 104 days, and then to the microsecond")]
fn times(span: &Span) -> Result<(Timestamp, f64), Fault> {
    let begun = time(span.start_time_unix_nano)
        .ok_or_else(|| Fault::Item("startTimeUnixNano: This field is required.".to_owned()))?;
    let nanos =
        span.end_time_unix_nano.checked_sub(span.start_time_unix_nano).ok_or_else(|| {
            Fault::Item("endTimeUnixNano: Use a time that is not before the start.".to_owned())
        })?;
    Ok((begun, nanos as f64 / 1e6))
}

/// The request's method; for another span, its kind.
fn method(rest: &mut Meta, kind: i32) -> String {
    let method = take_text(rest, &["http.request.method", "http.method"]);
    let method = match method.as_deref() {
        Some("_OTHER") => take_text(rest, &["http.request.method_original"]).or(method),
        _ => method,
    };
    method.unwrap_or_else(|| kind_name(kind).to_ascii_uppercase())
}

/// Where the request went, as whole as the span tells it; for another span, its name.
fn url(rest: &mut Meta, name: &str) -> String {
    if let Some(url) = take_text(rest, &["url.full", "http.url"]) {
        return url;
    }
    if let Some(path) = take_text(rest, &["url.path"]) {
        return match take_text(rest, &["url.query"]) {
            Some(query) if !query.is_empty() => format!("{path}?{query}"),
            _ => path,
        };
    }
    take_text(rest, &["http.target", "http.route"]).unwrap_or_else(|| name.to_owned())
}

/// The response's status; 0 if there is none.
fn status(rest: &mut Meta) -> Result<u16, Fault> {
    let names = ["http.response.status_code", "http.status_code"];
    let Some(name) = names.into_iter().find(|name| rest.contains_key(*name)) else { return Ok(0) };
    let status = match rest.remove(name) {
        Some(Value::Number(number)) => number.as_u64().and_then(|code| code.try_into().ok()),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    status.ok_or_else(|| Fault::Item(format!("{name}: Use an HTTP status.")))
}

/// Takes the first of these attributes that is a text with something in it.
fn take_text(rest: &mut Meta, names: &[&str]) -> Option<String> {
    let is_text =
        |name: &&&str| matches!(rest.get(**name), Some(Value::String(text)) if !text.is_empty());
    let name = names.iter().find(is_text)?;
    match rest.remove(*name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

const fn kind_name(kind: i32) -> &'static str {
    match kind {
        1 => "internal",
        2 => "server",
        3 => "client",
        4 => "producer",
        5 => "consumer",
        _ => "unspecified",
    }
}

/// Everything that has no field of its own. What is empty is left out.
fn meta(
    encoding: Encoding,
    path: &dyn Display,
    origin: &Origin,
    span: Span,
    rest: Meta,
) -> Result<Meta, Problem> {
    let mut meta = Meta::new();
    put(&mut meta, "name", span.name.into());
    put(&mut meta, "kind", kind_name(span.kind).into());
    put(&mut meta, "status", outcome(encoding, path, span.status)?.into());
    put(&mut meta, "attributes", rest.into());
    put(&mut meta, "droppedAttributesCount", span.dropped_attributes_count.into());
    put(&mut meta, "events", events(encoding, path, span.events)?.into());
    put(&mut meta, "droppedEventsCount", span.dropped_events_count.into());
    put(&mut meta, "links", links(encoding, path, span.links)?.into());
    put(&mut meta, "droppedLinksCount", span.dropped_links_count.into());
    put(&mut meta, "traceState", span.trace_state.into());
    put(&mut meta, "flags", span.flags.into());
    put(&mut meta, "resource", origin.resource.clone().into());
    let mut scope = Meta::new();
    put(&mut scope, "name", origin.scope.name.clone().into());
    put(&mut scope, "version", origin.scope.version.clone().into());
    put(&mut scope, "attributes", origin.scope_attributes.clone().into());
    put(&mut meta, "scope", scope.into());
    Ok(meta)
}

fn outcome(encoding: Encoding, path: &dyn Display, part: Option<Bytes>) -> Result<Meta, Problem> {
    let mut meta = Meta::new();
    if let Some(part) = part {
        let status: Status = encoding.read(&format_args!("{path}.status"), part)?;
        let code = match status.code {
            1 => "ok",
            2 => "error",
            _ => "",
        };
        put(&mut meta, "code", code.into());
        put(&mut meta, "message", status.message.into());
    }
    Ok(meta)
}

fn events(encoding: Encoding, path: &dyn Display, list: Vec<Bytes>) -> Result<Vec<Value>, Problem> {
    let event = |(index, part)| {
        let path = &format_args!("{path}.events[{index}]");
        let event: Event = encoding.read(path, part)?;
        let mut meta = Meta::new();
        put(&mut meta, "name", event.name.into());
        put(&mut meta, "time", time(event.time_unix_nano).map(|time| time.to_string()).into());
        put(&mut meta, "attributes", attributes(encoding, path, event.attributes)?.into());
        put(&mut meta, "droppedAttributesCount", event.dropped_attributes_count.into());
        Ok(meta.into())
    };
    elements(&format_args!("{path}.events"), list)?.map(event).collect()
}

fn links(encoding: Encoding, path: &dyn Display, list: Vec<Bytes>) -> Result<Vec<Value>, Problem> {
    let link = |(index, part)| {
        let path = &format_args!("{path}.links[{index}]");
        let link: Link = encoding.read(path, part)?;
        let mut meta = Meta::new();
        put(&mut meta, "traceId", id(&link.trace_id, TRACE_ID).into());
        put(&mut meta, "spanId", id(&link.span_id, SPAN_ID).into());
        put(&mut meta, "traceState", link.trace_state.into());
        put(&mut meta, "attributes", attributes(encoding, path, link.attributes)?.into());
        put(&mut meta, "droppedAttributesCount", link.dropped_attributes_count.into());
        put(&mut meta, "flags", link.flags.into());
        Ok(meta.into())
    };
    elements(&format_args!("{path}.links"), list)?.map(link).collect()
}

/// Puts a value where it says something.
fn put(meta: &mut Meta, name: &str, value: Value) {
    let empty = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(number) => number.as_u64() == Some(0),
        Value::Bool(_) => false,
    };
    if !empty {
        meta.insert(name.to_owned(), value);
    }
}
