//! What the server itself counts, to be shown by [`super::exposition`].

use std::sync::atomic::AtomicU64;

use super::durations::Durations;

/// What is counted at the edge. What the capabilities count, they are asked for.
#[derive(Default)]
pub(crate) struct Metrics {
    /// How long answers took.
    pub(crate) durations: Durations,
    /// Connections that are open.
    pub(crate) connections: AtomicU64,
}
