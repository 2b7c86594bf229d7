//! A log record as a log item.

use latchkey_domain::api::LogEntry;
use latchkey_domain::time::PreciseTimestamp;
use latchkey_services::telemetry::{MAX_NAME_LENGTH, check_log};
use serde_json::Value;

use super::attributes::{attributes, value};
use super::batch::{Fault, Item, insert_scope};
use super::ids::{SPAN_ID, TRACE_ID, id, time};
use super::messages::LogRecord;
use super::meta::{Meta, beginning, put};

/// What a record is stored as.
///
/// # Errors
/// It has no time, or can't be read.
pub(super) fn entry(item: Item<'_>) -> Result<LogEntry, Fault> {
    let Item { encoding, origin, path, part } = item;
    let record: LogRecord = encoding.read(path, part)?;
    let own_time = time(record.time_unix_nano);
    let observed = time(record.observed_time_unix_nano);
    let Some(timestamp) = own_time.or(observed) else {
        return Err(Fault("The record has neither a time nor an observed time.".to_owned()));
    };
    let message = match value(encoding, &format_args!("{path}.body"), record.body) {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let mut meta = Meta::new();
    let mut level = level(record.severity_text, record.severity_number);
    if let Some(beginning) = beginning(&level, MAX_NAME_LENGTH) {
        put(&mut meta, "severityText", std::mem::replace(&mut level, beginning));
    }
    let kind = match &record.event_name {
        name if name.is_empty() => origin.kind().to_owned(),
        name => beginning(name, MAX_NAME_LENGTH).unwrap_or_else(|| name.clone()),
    };
    put(&mut meta, "eventName", record.event_name);
    // OTLP says of a bad id that the record then belongs to no span and no trace.
    put(&mut meta, "spanId", id(&record.span_id, SPAN_ID));
    if let Some(observed) = observed.filter(|observed| own_time.is_some_and(|own| own != *observed))
    {
        put(&mut meta, "observedTime", observed.to_string());
    }
    put(&mut meta, "attributes", attributes(encoding, path, record.attributes));
    put(&mut meta, "droppedAttributesCount", record.dropped_attributes_count);
    put(&mut meta, "flags", record.flags);
    insert_scope(&mut meta, origin);
    let entry = LogEntry {
        trace_id: id(&record.trace_id, TRACE_ID),
        level,
        kind,
        message,
        timestamp,
        client_timestamp: own_time.map(PreciseTimestamp::millisecond),
        meta: (!meta.is_empty()).then_some(meta),
    };
    match check_log(&entry) {
        errors if errors.is_empty() => Ok(entry),
        errors => Err(errors.into()),
    }
}

/// The application's own word, or the short name that OpenTelemetry gives the number.
fn level(text: String, number: i32) -> String {
    const NAMES: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];
    if !text.trim().is_empty() {
        return text;
    }
    let place = number.checked_sub(1).and_then(|place| usize::try_from(place).ok());
    match place.and_then(|place| Some((NAMES.get(place / 4)?, place % 4 + 1))) {
        Some((name, 1)) => (*name).to_owned(),
        Some((name, step)) => format!("{name}{step}"),
        None => "unspecified".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_is_the_text_or_named_by_number() {
        for (text, number, expected) in [
            ("WARNING", 13, "WARNING"),
            ("", 1, "trace"),
            ("", 9, "info"),
            (" ", 12, "info4"),
            ("", 17, "error"),
            ("", 24, "fatal4"),
            ("", 0, "unspecified"),
            ("", 25, "unspecified"),
            ("", -1, "unspecified"),
            ("", i32::MIN, "unspecified"),
        ] {
            assert_eq!(level(text.to_owned(), number), expected, "{text} {number}");
        }
    }
}
