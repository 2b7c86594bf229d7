//! The order in which requests are stored. Each waits here with its body still encoded. One is
//! parsed while the one before it is stored.
//!
//! The queue is bounded, in total and per project. A request that does not fit is refused with 503
//! and may be retried.

use latchkey_domain::id::ProjectId;

use latchkey_store::fair_queue::{self, FairQueue, QueueBounds, Size};

/// Number of permits: one request is parsed while the one before it is stored.
const MAX_CONCURRENT: usize = 2;
/// Bounds of what waits or is in progress. A request has at most 10,000 items, so these bounds
/// limit items too.
const MAX_TOTAL: Size = Size { calls: 1_024, bytes: 128 * 1024 * 1024 };
/// Share of it that one project may have.
const MAX_PER_PROJECT: Size = Size { calls: 512, bytes: 64 * 1024 * 1024 };

/// Permit to store one request, released on drop.
pub struct StorePermit {
    _permit: fair_queue::QueuePermit<ProjectId>,
}

impl From<fair_queue::QueuePermit<ProjectId>> for StorePermit {
    fn from(permit: fair_queue::QueuePermit<ProjectId>) -> Self {
        Self { _permit: permit }
    }
}

/// Queue of the telemetry requests of this node.
pub(super) fn queue() -> FairQueue<ProjectId> {
    FairQueue::new(QueueBounds {
        running: MAX_CONCURRENT,
        running_of_one: MAX_CONCURRENT,
        all: MAX_TOTAL,
        of_one: MAX_PER_PROJECT,
    })
}
