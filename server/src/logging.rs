//! Structured logs: text on a terminal, JSON otherwise. `RUST_LOG` sets the levels.
//!
//! Secrets are masked in every line and every field, whichever crate logs it.

mod json_lines;
mod line_writer;

use std::io::{self, IsTerminal, Stderr, Write};
use std::panic;
use std::sync::{Arc, OnceLock};

use latchkey_domain::mask;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::otel;
use crate::service::LOG_TARGET;
use json_lines::JsonLines;
use line_writer::LineWriter;

/// The writer of this process's logs, once it was started.
static WRITER: OnceLock<Arc<LineWriter<Stderr>>> = OnceLock::new();

/// Starts writing logs to standard error, from this level on unless `RUST_LOG` sets levels, and to
/// a collector if one was [named](otel::start) before. What panics is a log line like any other.
pub fn start(usual: Level) {
    panic::set_hook(Box::new(|panicked| tracing::error!(%panicked, "Thread panicked")));
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual.as_str()));
    let terminal = io::stderr().is_terminal();
    let writer = WRITER.get_or_init(|| LineWriter::start(io::stderr()));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(MaskedLines(Arc::clone(writer)));
    let exported = otel::log_layer();
    if terminal {
        let logs = logs.with_target(false);
        match exported {
            Some(layer) => logs.finish().with(layer).init(),
            None => logs.init(),
        }
    } else {
        let logs = logs.json().flatten_event(true).with_current_span(true).with_span_list(false);
        let logs = logs.map_event_format(JsonLines::new);
        match exported {
            Some(layer) => logs.finish().with(layer).init(),
            None => logs.init(),
        }
    }
}

/// Writes the lines that still wait. The process may end then.
pub fn finish() {
    if let Some(writer) = WRITER.get() {
        writer.finish();
    }
}

/// Masks secrets in all lines.
struct MaskedLines(Arc<LineWriter<Stderr>>);

impl<'a> MakeWriter<'a> for MaskedLines {
    type Writer = MaskWriter<Line<'a>>;

    fn make_writer(&'a self) -> Self::Writer {
        MaskWriter(Line { writer: &self.0, may_wait: false })
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        // Of those there is one for each request.
        let may_wait = *metadata.level() == Level::INFO && metadata.target() == LOG_TARGET;
        MaskWriter(Line { writer: &self.0, may_wait })
    }
}

/// One line.
struct Line<'a> {
    writer: &'a LineWriter<Stderr>,
    may_wait: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.writer.write(line, self.may_wait)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Masks secrets in what is written. Lines come whole.
struct MaskWriter<W>(W);

impl<W: Write> Write for MaskWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match mask::masked(line) {
            Some(masked) => self.0.write_all(&masked)?,
            None => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
