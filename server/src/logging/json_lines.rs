//! Log lines in JSON.
//!
//! What is logged of each request is written here by a shorter way: the usual one parses the fields
//! of the span for each line, and checks the encoding of each piece of it.

use std::fmt::{self, Debug};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::service::LOG_TARGET;

/// Bytes that the line of a request usually fits into.
const LINE_BYTES: usize = 384;

/// The format of all lines.
pub(super) struct JsonLines {
    /// Flat, with the current span.
    usual: Format<Json>,
}

impl JsonLines {
    pub(super) const fn new(usual: Format<Json>) -> Self {
        Self { usual }
    }
}

impl<S> FormatEvent<S, JsonFields> for JsonLines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if event.metadata().target() != LOG_TARGET {
            return self.usual.format_event(context, writer, event);
        }
        let mut line = Vec::with_capacity(LINE_BYTES);
        write_line(&mut line, context, event)?;
        writer.write_str(str::from_utf8(&line).map_err(|_| fmt::Error)?)
    }
}

fn write_line<S>(
    line: &mut Vec<u8>,
    context: &FmtContext<'_, S, JsonFields>,
    event: &Event<'_>,
) -> fmt::Result
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    let metadata = event.metadata();
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    line.extend_from_slice(b"{\"timestamp\":");
    write_json(line, &time)?;
    line.extend_from_slice(b",\"level\":");
    write_json(line, metadata.level().as_str())?;
    let mut members = Members { line, written: Ok(()) };
    event.record(&mut members);
    let Members { line, written } = members;
    written?;
    line.extend_from_slice(b",\"target\":");
    write_json(line, metadata.target())?;
    let of_event = event.parent().and_then(|id| context.span(id));
    if let Some(span) = of_event.or_else(|| context.lookup_current()) {
        let extensions = span.extensions();
        // An object, which gets one more member.
        let fields = extensions.get::<FormattedFields<JsonFields>>();
        let fields = fields.and_then(|fields| fields.fields.strip_suffix('}')).unwrap_or("{");
        line.extend_from_slice(b",\"span\":");
        line.extend_from_slice(fields.as_bytes());
        let name = if fields == "{" { "\"name\":" } else { ",\"name\":" };
        line.extend_from_slice(name.as_bytes());
        write_json(line, span.name())?;
        line.push(b'}');
    }
    line.extend_from_slice(b"}\n");
    Ok(())
}

fn write_json<T: Serialize + ?Sized>(line: &mut Vec<u8>, value: &T) -> fmt::Result {
    serde_json::to_writer(line, value).map_err(|_| fmt::Error)
}

/// Appends the fields of an event as members of an object.
struct Members<'a> {
    line: &'a mut Vec<u8>,
    written: fmt::Result,
}

impl Members<'_> {
    fn write<T: Serialize + ?Sized>(&mut self, field: &Field, value: &T) {
        if self.written.is_ok() {
            self.line.push(b',');
            let named = write_json(self.line, field.name());
            self.line.push(b':');
            self.written = named.and_then(|()| write_json(self.line, value));
        }
    }
}

impl Visit for Members<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field, &format_args!("{value:?}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log() {
        let log_one = || {
            let (path, status, milliseconds) = ("/v1/\"é\u{1}", 200_u16, 0.25);
            tracing::info!(
                target: LOG_TARGET, method = %"POST", path, status, milliseconds, "Request completed"
            );
            let (whole, below, told) = (3.0, -1_i64, true);
            tracing::warn!(target: LOG_TARGET, whole, below, told, nothing = f64::NAN, "A \"b\"");
        };
        log_one();
        let span = tracing::info_span!(target: LOG_TARGET, "request", request_id = %"req_1");
        span.in_scope(log_one);
        tracing::info_span!(target: LOG_TARGET, "bare").in_scope(log_one);
    }

    /// The lines without their times, which differ.
    fn untimed(lines: &Shared) -> Vec<String> {
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let untimed = |line: &str| line.split_once("Z\",").unwrap().1.to_owned();
        text.lines().map(untimed).collect()
    }

    #[test]
    fn short_way_writes_what_the_usual_one_writes() {
        let (usual, short) = (Shared::default(), Shared::default());
        let logs = |lines: &Shared| {
            let lines = lines.clone();
            let logs = tracing_subscriber::fmt().with_writer(move || lines.clone());
            logs.json().flatten_event(true).with_current_span(true).with_span_list(false)
        };
        with_default(logs(&usual).finish(), log);
        with_default(logs(&short).map_event_format(JsonLines::new).finish(), log);
        assert_eq!(untimed(&usual).len(), 6);
        assert_eq!(untimed(&short), untimed(&usual));
    }
}
