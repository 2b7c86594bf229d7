//! The order in which reports by group are made.
//!
//! Each reads for as long as it takes, from connections of its own. So there are few at a time, of
//! each organization one: others wait, and take turns.

use latchkey_domain::id::OrganizationId;

use latchkey_store::Error;
use latchkey_store::database::in_time;
use latchkey_store::fair_queue::{FairQueue, QueueBounds, QueueFull, QueuePermit, Size};

/// Reports at a time, of all organizations and of one. A small PostgreSQL pool has few connections.
const MAX_CONCURRENT: (usize, usize) = (2, 1);
/// Reports that run or wait.
const MAX_TOTAL: usize = 1_024;
/// Those of one organization.
const MAX_PER_ORGANIZATION: usize = 32;

/// The reports of this node that run or wait.
pub(crate) struct ReportQueue(FairQueue<OrganizationId>);

/// Permit to make a report, released on drop.
pub(super) struct ReportPermit {
    _permit: QueuePermit<OrganizationId>,
}

impl ReportQueue {
    pub(crate) fn new() -> Self {
        Self(FairQueue::new(QueueBounds {
            running: MAX_CONCURRENT.0,
            running_of_one: MAX_CONCURRENT.1,
            all: Size::calls(MAX_TOTAL),
            of_one: Size::calls(MAX_PER_ORGANIZATION),
        }))
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// `Unavailable` if too many reports wait, or this one has waited for as long as it would for a
    /// connection.
    pub(super) async fn permit(&self, of: OrganizationId) -> Result<ReportPermit, Error> {
        let full = |QueueFull| Error::unavailable("too many reports are waiting");
        in_time(async {
            let permit = self.0.acquire(of, 0).await.map_err(full)?;
            Ok(ReportPermit { _permit: permit })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use latchkey_domain::time::Timestamp;

    use super::*;

    #[tokio::test]
    async fn organization_makes_one_report_at_a_time() {
        let organization = |number| OrganizationId::new(Timestamp::from_millis(0), [number; 10]);
        let queue = ReportQueue::new();
        let first = queue.permit(organization(1)).await.unwrap();
        let mut second = pin!(queue.permit(organization(1)));
        let mut context = Context::from_waker(Waker::noop());
        assert!(second.as_mut().poll(&mut context).is_pending());
        let other = queue.permit(organization(2)).await.unwrap();
        assert!(second.as_mut().poll(&mut context).is_pending());
        drop(first);
        assert!(second.as_mut().poll(&mut context).is_ready());
        drop(other);
    }
}
