//! A span as a trace item: what OpenTelemetry's conventions say of its HTTP request in the item's
//! own fields, everything else in `meta`, by the names that OTLP has for it.

use std::fmt::Display;

use axum::body::Bytes;
use latchkey_domain::api::{SpanKind, SpanStatus, TraceEntry};
use latchkey_domain::problem::Problem;
use latchkey_domain::time::PreciseTimestamp;
use latchkey_services::telemetry::{MAX_NAME_LENGTH, MAX_URL_LENGTH, check_trace};
use serde_json::Value;

use super::attributes::attributes;
use super::batch::{Fault, Item, ScopeContext, insert_scope};
use super::body::Encoding;
use super::ids::{SPAN_ID, TRACE_ID, id, time};
use super::messages::{Event, Link, Span, Status};
use super::meta::{Meta, beginning, put};

/// What a span is stored as.
///
/// # Errors
/// It has no valid ids or no start, or can't be read.
pub(super) fn entry(item: Item<'_>) -> Result<TraceEntry, Fault> {
    let Item { encoding, origin, path, part } = item;
    let mut span: Span = encoding.read(path, part)?;
    let (trace_id, span_id, parent_span_id) = ids(&span)?;
    let timestamp = time(span.start_time_unix_nano)
        .ok_or_else(|| Fault("startTimeUnixNano: This field is required.".to_owned()))?;
    let duration_ms = duration_ms(&span);
    let mut rest = attributes(encoding, path, std::mem::take(&mut span.attributes));
    let entry = TraceEntry {
        timestamp,
        request_method: method(&mut rest, kind(span.kind)),
        request_url: url(&mut rest, &span.name),
        response_status: status(&mut rest),
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
    let wrong = |name, length| Fault(format!("{name}: Use {length} bytes that are not all zero."));
    let trace = id(&span.trace_id, TRACE_ID).ok_or_else(|| wrong("traceId", TRACE_ID))?;
    let own = id(&span.span_id, SPAN_ID).ok_or_else(|| wrong("spanId", SPAN_ID))?;
    let parent = id(&span.parent_span_id, SPAN_ID);
    // Some exporters write the parent of a root as zeros.
    if parent.is_none() && span.parent_span_id.iter().any(|byte| *byte != 0) {
        return Err(wrong("parentSpanId", SPAN_ID));
    }
    Ok((trace, own, parent))
}

/// Clocks are set while a span lasts: one that ends before it starts took no time.
#[expect(clippy::cast_precision_loss, reason = "exact up to 104 days, and then to the microsecond")]
fn duration_ms(span: &Span) -> f64 {
    span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano) as f64 / 1e6
}

/// The request's method; for another span, its kind.
fn method(rest: &mut Meta, kind: SpanKind) -> String {
    let names = ["http.request.method", "http.method"];
    let method = take_text(rest, &names, MAX_NAME_LENGTH);
    let method = match method.as_deref() {
        Some("_OTHER") => {
            take_text(rest, &["http.request.method_original"], MAX_NAME_LENGTH).or(method)
        }
        _ => method,
    };
    method.unwrap_or_else(|| kind.as_str().to_ascii_uppercase())
}

/// The request's URL, as complete as the span has it; the name for other spans.
fn url(rest: &mut Meta, name: &str) -> String {
    if let Some(url) = take_text(rest, &["url.full", "http.url"], MAX_URL_LENGTH) {
        return url;
    }
    if let Some(path) = take_text(rest, &["url.path"], MAX_URL_LENGTH) {
        let left = MAX_URL_LENGTH.saturating_sub(path.len() + 1);
        return match take_text(rest, &["url.query"], left) {
            Some(query) if !query.is_empty() => format!("{path}?{query}"),
            _ => path,
        };
    }
    take_text(rest, &["http.target", "http.route"], MAX_URL_LENGTH)
        .unwrap_or_else(|| beginning(name, MAX_URL_LENGTH).unwrap_or_else(|| name.to_owned()))
}

/// The response's status; 0 if there is none. What is no status stays with the attributes.
fn status(rest: &mut Meta) -> u16 {
    let names = ["http.response.status_code", "http.status_code"];
    let Some(name) = names.into_iter().find(|name| rest.contains_key(*name)) else { return 0 };
    let status = match &rest[name] {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match status.and_then(|code| u16::try_from(code).ok()).filter(|code| *code <= 999) {
        Some(status) => {
            rest.remove(name);
            status
        }
        None => 0,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it has no fraction and is in the range"
)]
fn whole(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..1e6).contains(&number)).then_some(number as u64)
}

/// Takes the first of these attributes that is a text with something in it. A text that is too long
/// is cut, and the whole one stays where it is.
fn take_text(rest: &mut Meta, names: &[&str], most: usize) -> Option<String> {
    let text_of = |name: &&&str| match rest.get(**name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    };
    let name = names.iter().find(|name| text_of(name).is_some())?;
    if let Some(beginning) = text_of(&name).and_then(|text| beginning(text, most)) {
        return Some(beginning);
    }
    match rest.remove(*name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn kind(number: i32) -> SpanKind {
    let known = usize::try_from(number).ok().and_then(|number| SpanKind::ALL.get(number));
    known.copied().unwrap_or(SpanKind::Unspecified)
}

/// Everything that has no field of its own. What is empty is left out.
fn meta(
    encoding: Encoding,
    path: &dyn Display,
    origin: &ScopeContext,
    span: Span,
    rest: Meta,
) -> Result<Meta, Problem> {
    let mut meta = Meta::new();
    put(&mut meta, "name", span.name);
    put(&mut meta, "kind", kind(span.kind).as_str());
    if (1..span.start_time_unix_nano).contains(&span.end_time_unix_nano) {
        let end = PreciseTimestamp::from_nanos(span.end_time_unix_nano);
        put(&mut meta, "endTime", end.to_string());
    }
    put(&mut meta, "status", outcome(encoding, path, span.status)?);
    put(&mut meta, "attributes", rest);
    put(&mut meta, "droppedAttributesCount", span.dropped_attributes_count);
    put(&mut meta, "events", events(encoding, path, span.events)?);
    put(&mut meta, "droppedEventsCount", span.dropped_events_count);
    put(&mut meta, "links", links(encoding, path, span.links)?);
    put(&mut meta, "droppedLinksCount", span.dropped_links_count);
    put(&mut meta, "traceState", span.trace_state);
    put(&mut meta, "flags", span.flags);
    insert_scope(&mut meta, origin);
    Ok(meta)
}

fn outcome(encoding: Encoding, path: &dyn Display, part: Option<Bytes>) -> Result<Meta, Problem> {
    let mut meta = Meta::new();
    if let Some(part) = part {
        let status: Status = encoding.read(&format_args!("{path}.status"), part)?;
        let known = usize::try_from(status.code).ok().and_then(|code| SpanStatus::ALL.get(code));
        if let Some(code) = known.filter(|code| **code != SpanStatus::Unset) {
            put(&mut meta, "code", code.as_str());
        }
        put(&mut meta, "message", status.message);
    }
    Ok(meta)
}

fn events(encoding: Encoding, path: &dyn Display, list: Vec<Bytes>) -> Result<Vec<Value>, Problem> {
    let event = |(index, part)| {
        let path = &format_args!("{path}.events[{index}]");
        let event: Event = encoding.read(path, part)?;
        let mut meta = Meta::new();
        put(&mut meta, "name", event.name);
        put(&mut meta, "time", time(event.time_unix_nano).map(|time| time.to_string()));
        put(&mut meta, "attributes", attributes(encoding, path, event.attributes));
        put(&mut meta, "droppedAttributesCount", event.dropped_attributes_count);
        Ok(meta.into())
    };
    list.into_iter().enumerate().map(event).collect()
}

fn links(encoding: Encoding, path: &dyn Display, list: Vec<Bytes>) -> Result<Vec<Value>, Problem> {
    let link = |(index, part)| {
        let path = &format_args!("{path}.links[{index}]");
        let link: Link = encoding.read(path, part)?;
        let mut meta = Meta::new();
        put(&mut meta, "traceId", id(&link.trace_id, TRACE_ID));
        put(&mut meta, "spanId", id(&link.span_id, SPAN_ID));
        put(&mut meta, "traceState", link.trace_state);
        put(&mut meta, "attributes", attributes(encoding, path, link.attributes));
        put(&mut meta, "droppedAttributesCount", link.dropped_attributes_count);
        put(&mut meta, "flags", link.flags);
        Ok(meta.into())
    };
    list.into_iter().enumerate().map(link).collect()
}
