//! A log record as a log item.

use latchkey_domain::api::LogEntry;
use latchkey_services::telemetry::check_log;
use serde_json::Value;

use super::attributes::value;
use super::batch::{Fault, Item};
use super::messages::LogRecord;
use super::{TRACE_ID, id, time};

/// What a record is stored as.
///
/// # Errors
/// `Item` if it is over a limit, `Body` if it can't be read.
pub(super) fn entry(item: Item<'_>) -> Result<LogEntry, Fault> {
    let Item { encoding, origin, path, part } = item;
    let record: LogRecord = encoding.read(path, part)?;
    let own_time = time(record.time_unix_nano);
    let Some(timestamp) = own_time.or(time(record.observed_time_unix_nano)) else {
        return Err(Fault::Item("It has neither a time nor an observed time.".to_owned()));
    };
    let message = match value(encoding, &format_args!("{path}.body"), record.body)? {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let kind = match record.event_name {
        name if !name.is_empty() => name,
        _ if origin.is_scope_name_long => {
            // Said of each, and not copied for each.
            return Err(Fault::Item("type: Use at most 128 characters.".to_owned()));
        }
        _ if origin.scope.name.is_empty() => "log".to_owned(),
        _ => origin.scope.name.clone(),
    };
    let entry = LogEntry {
        // OTLP says of a bad id that the record then belongs to no trace.
        trace_id: id(&record.trace_id, TRACE_ID),
        level: level(record.severity_text, record.severity_number),
        kind,
        message,
        timestamp,
        client_timestamp: own_time,
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
    fn a_level_is_the_applications_word_or_the_numbers_name() {
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
