//! The state that all handlers share, and the one OAuth app that this GitHub knows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use crate::github::{Endpoint, GitHub};

/// The id of the one OAuth app that this GitHub knows.
pub const CLIENT_ID: &str = "Iv1.stand-in";

/// The secret of that app.
pub const CLIENT_SECRET: &str = "stand-in-client-secret";

/// What all handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) base_url: Arc<str>,
    github: Arc<Mutex<GitHub>>,
}

impl Shared {
    pub(crate) fn new(base_url: String) -> Self {
        Self { base_url: base_url.into(), github: Arc::default() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, GitHub> {
        // A test that panicked with the lock held has failed already; the others may go on.
        self.github.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of a request. Everything below takes it as an argument.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub(crate) fn now() -> SystemTime {
        SystemTime::now()
    }

    /// Plays the fault that a test has ordered for this endpoint, if there is one.
    pub(crate) async fn play_fault(&self, endpoint: Endpoint) -> Result<(), Response> {
        let Some(fault) = self.lock().next_fault(endpoint) else {
            return Ok(());
        };
        tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
        match fault.status.and_then(|status| StatusCode::from_u16(status).ok()) {
            Some(status) => {
                Err((status, Html("<h1>GitHub is having a moment</h1>")).into_response())
            }
            None => Ok(()),
        }
    }
}
