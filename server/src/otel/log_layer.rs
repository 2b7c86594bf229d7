//! Log records for the collector, made of the same events as log lines.
//!
//! The usual bridge between `tracing` and OpenTelemetry leaves no place to mask a value before it
//! is in a record, whose attributes can't be changed afterwards. So the values are masked here, as
//! each line is.

use std::fmt::Debug;

use latchkey_domain::mask;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, Severity};
use opentelemetry_sdk::logs::{SdkLogRecord, SdkLogger};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Crates that carry the exports. What they log of an export would be exported by the next.
const CARRIERS: [&str; 6] = ["h2", "hyper", "hyper_util", "opentelemetry", "reqwest", "rustls"];

/// Hands events to the queue of log records.
pub(crate) struct LogLayer {
    logger: SdkLogger,
}

impl LogLayer {
    pub(super) const fn new(logger: SdkLogger) -> Self {
        Self { logger }
    }
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let (level, target) = (*metadata.level(), metadata.target());
        let severity = severity(level);
        // Not while something is exported, nor for requests that export.
        if is_of_carrier(target) || !self.logger.event_enabled(severity, target, None) {
            return;
        }
        let mut record = self.logger.create_log_record();
        record.set_severity_number(severity);
        record.set_severity_text(level.as_str());
        record.set_target(target);
        event.record(&mut Fields { record: &mut record });
        // It adds the time, and the current span.
        self.logger.emit(record);
    }
}

fn is_of_carrier(target: &str) -> bool {
    let of_crate = target.split_once("::").map_or(target, |(of_crate, _)| of_crate);
    CARRIERS.contains(&of_crate) || of_crate.starts_with("opentelemetry_")
}

const fn severity(level: Level) -> Severity {
    match level {
        Level::TRACE => Severity::Trace,
        Level::DEBUG => Severity::Debug,
        Level::INFO => Severity::Info,
        Level::WARN => Severity::Warn,
        Level::ERROR => Severity::Error,
    }
}

/// Writes the fields of an event into a record, masked.
struct Fields<'a> {
    record: &'a mut SdkLogRecord,
}

impl Fields<'_> {
    fn write(&mut self, field: &Field, value: AnyValue) {
        if field.name() == "message" {
            self.record.set_body(value);
        } else {
            self.record.add_attribute(field.name(), value);
        }
    }
}

impl Visit for Fields<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, AnyValue::Boolean(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, AnyValue::Int(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            Err(_) => self.record_str(field, &value.to_string()),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, AnyValue::Double(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let masked = mask::secrets(value).into_owned();
        self.write(field, AnyValue::String(masked.into()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_carries_exports_is_not_exported() {
        for target in ["hyper::client", "hyper_util", "reqwest::connect", "opentelemetry_sdk::x"] {
            assert!(is_of_carrier(target), "{target}");
        }
        for target in ["latchkey_server::service", "hypertext", "sqlx::query"] {
            assert!(!is_of_carrier(target), "{target}");
        }
    }
}
