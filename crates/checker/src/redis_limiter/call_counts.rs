//! Keeps what Redis counts of this node's calls in progress equal to what the node counts itself.
//!
//! The start and the end of a call change the number in Redis by one, and so does the node its own.
//! A change that is lost would be wrong for good. So the node also *renews* its numbers: it writes
//! its own count over that in Redis, of each owner that has calls, every few seconds. Meanwhile no
//! change of this node may be on its way, since one of the two would have it and the other not.
//! Changes therefore exclude renewals, but not each other.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sea_orm::prelude::Uuid;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Number of doubtful owners to remember. What Redis counts of others too much ends by itself, as
/// for a node that has gone.
const MAX_DOUBTFUL: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct CallCounts {
    order: RwLock<()>,
    /// Owners of changes that Redis did not confirm.
    doubtful: Mutex<HashSet<Uuid>>,
    /// Whether Redis may have lost all numbers of this node.
    is_lost: AtomicBool,
}

impl CallCounts {
    /// Excludes renewals while one call starts or ends. To be held until Redis has answered.
    pub(crate) async fn change(&self) -> RwLockReadGuard<'_, ()> {
        self.order.read().await
    }

    /// Waits until no change is on its way, and excludes them until dropped.
    pub(crate) async fn renewal(&self) -> RwLockWriteGuard<'_, ()> {
        self.order.write().await
    }

    /// Remembers owners whose number in Redis may be wrong, for the next renewal.
    pub(crate) fn doubt(&self, owners: impl IntoIterator<Item = Uuid>) {
        let mut doubtful = self.doubtful();
        for owner in owners {
            if doubtful.len() < MAX_DOUBTFUL {
                doubtful.insert(owner);
            }
        }
    }

    /// The owners to renew in any case.
    pub(crate) fn take_doubtful(&self) -> Vec<Uuid> {
        std::mem::take(&mut *self.doubtful()).into_iter().collect()
    }

    /// Remembers that all numbers have to be renewed.
    pub(crate) fn lose(&self) {
        self.is_lost.store(true, Ordering::Release);
    }

    /// Whether all numbers have to be renewed.
    pub(crate) fn take_lost(&self) -> bool {
        self.is_lost.swap(false, Ordering::AcqRel)
    }

    fn doubtful(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubtful_owners_are_told_once_and_not_without_end() {
        let counts = CallCounts::default();
        counts.doubt([Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(1)]);
        let mut told = counts.take_doubtful();
        told.sort_unstable();
        assert_eq!(told, [Uuid::from_u128(1), Uuid::from_u128(2)]);
        assert!(counts.take_doubtful().is_empty());
        counts.doubt((0..).map(Uuid::from_u128).take(2 * MAX_DOUBTFUL));
        assert_eq!(counts.take_doubtful().len(), MAX_DOUBTFUL);
    }

    #[tokio::test]
    async fn renewal_waits_for_changes_and_changes_for_it() {
        let counts = CallCounts::default();
        let (one, other) = (counts.change().await, counts.change().await);
        assert!(counts.order.try_write().is_err());
        drop((one, other));
        let renewal = counts.renewal().await;
        assert!(counts.order.try_read().is_err());
        drop(renewal);
        assert!(counts.order.try_read().is_ok());
    }
}
