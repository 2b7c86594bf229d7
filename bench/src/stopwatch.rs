//! The only place in the benches that reads a clock.
#![expect(clippy::disallowed_methods, reason = "a bench measures time as it passes")]

use std::time::{Duration, Instant};

/// Measures time since its start.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts a stopwatch.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
