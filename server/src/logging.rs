//! Structured logs: text on a terminal, JSON otherwise. `RUST_LOG` sets the levels.
//!
//! Secrets are masked in every line and every field, whichever crate logs it.

use std::io::{self, IsTerminal, Write};
use std::panic;

use latchkey_domain::mask;
use tracing_subscriber::EnvFilter;

/// Starts writing logs to standard error. What panics is a log line like any other.
pub fn start() {
    panic::set_hook(Box::new(|panicked| tracing::error!(%panicked, "Thread panicked")));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| MaskWriter(io::stderr()));
    if terminal {
        logs.with_target(false).init();
    } else {
        logs.json().flatten_event(true).with_current_span(true).with_span_list(false).init();
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
