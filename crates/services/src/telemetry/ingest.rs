//! State of telemetry ingestion on a node.

use latchkey_domain::id::ProjectId;
use latchkey_store::fair_queue::FairQueue;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

use super::notified_keys::NotifiedKeys;
use super::queue;

/// State of telemetry ingestion on this node.
pub(crate) struct Ingest {
    pub(super) queue: FairQueue<ProjectId>,
    /// Held by the one request that is being written.
    pub(super) writing: Mutex<()>,
    /// Requests that are being stored, even if their clients have disconnected.
    pub(crate) storing: TaskTracker,
    pub(super) notified: NotifiedKeys,
}

impl Default for Ingest {
    fn default() -> Self {
        let (writing, storing, notified) = Default::default();
        Self { queue: queue::queue(), writing, storing, notified }
    }
}
