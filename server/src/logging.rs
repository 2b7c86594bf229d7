//! Structured logs: text on a terminal, JSON otherwise. `RUST_LOG` chooses what is told.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts writing logs to standard error.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if terminal {
        logs.with_target(false).init();
    } else {
        logs.json().flatten_event(true).with_current_span(true).with_span_list(false).init();
    }
}
