//! Who stores next. Calls wait here, each with its body still packed, until it is their turn: one
//! is taken apart while the one before it is stored.
//!
//! What waits is bounded, in all and for each project; whoever comes when it is full is refused
//! with 503 and may try again.

use latchkey_domain::id::ProjectId;

use latchkey_store::fair_queue::{self, FairQueue, QueueBounds, Size};

/// One is taken apart while the one before it is stored.
const AT_ONCE: usize = 2;
/// What may wait or be under way. A call has at most 10,000 items, so bytes and calls bound these
/// too.
const IN_ALL: Size = Size { calls: 1_024, bytes: 128 * 1024 * 1024 };
/// What of it one project may have.
const OF_A_PROJECT: Size = Size { calls: 512, bytes: 64 * 1024 * 1024 };

/// It is this call's turn, until this is dropped.
pub struct StorePermit {
    _turn: fair_queue::QueuePermit<ProjectId>,
}

impl From<fair_queue::QueuePermit<ProjectId>> for StorePermit {
    fn from(turn: fair_queue::QueuePermit<ProjectId>) -> Self {
        Self { _turn: turn }
    }
}

/// The calls that bring telemetry to this node.
pub(super) fn queue() -> FairQueue<ProjectId> {
    FairQueue::new(QueueBounds {
        running: AT_ONCE,
        running_of_one: AT_ONCE,
        all: IN_ALL,
        of_one: OF_A_PROJECT,
    })
}
