//! Retires all current connections when their server may no longer be the primary.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When connections were last retired. sqlx measures a connection's age by the same clock.
#[derive(Debug, Clone, Default)]
pub(super) struct Renewal(Arc<Mutex<Option<Instant>>>);

impl Renewal {
    /// Retires connections opened before now.
    pub(super) fn begin(&self) {
        #[expect(
            clippy::disallowed_methods,
            reason = "sqlx counts a connection’s age in real time"
        )]
        let now = Instant::now();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Whether a connection of this age was opened before the last renewal.
    pub(super) fn is_due(&self, age: Duration) -> bool {
        let started_at = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        #[expect(
            clippy::disallowed_methods,
            reason = "sqlx counts a connection’s age in real time"
        )]
        started_at.is_some_and(|started_at| age >= started_at.elapsed())
    }
}
