//! What the server itself counts, to be shown by [`super::exposition`].

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::durations::Durations;

/// What the server itself counts. The other values are read from the services.
#[derive(Default)]
pub(crate) struct Metrics {
    /// Durations of requests.
    pub(crate) durations: Durations,
    /// Number of open connections.
    pub(crate) connections: Arc<AtomicU64>,
}
