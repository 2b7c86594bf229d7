//! Room for the files of imports in progress, which are in memory as a whole.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use latchkey_domain::id::OrganizationId;

/// Imports in progress, by organization.
type InProgress = Arc<Mutex<HashMap<OrganizationId, usize>>>;

/// Room of a node.
#[derive(Default)]
pub(crate) struct ImportRoom(InProgress);

/// Room for the file of one import, until it is dropped.
#[must_use]
pub struct ImportPermit {
    all: InProgress,
    organization: OrganizationId,
}

impl ImportRoom {
    /// Imports at a time: each may have a file of 64 MiB.
    const FILES: usize = 4;
    /// Imports of one organization at a time: its slow uploads must not keep out all others.
    const FILES_OF_ONE: usize = 2;

    /// Room for a file of an organization, if there is some.
    pub(crate) fn try_acquire(&self, organization: OrganizationId) -> Option<ImportPermit> {
        let mut all = lock(&self.0);
        let own = all.get(&organization).copied().unwrap_or_default();
        if own >= Self::FILES_OF_ONE || all.values().sum::<usize>() >= Self::FILES {
            return None;
        }
        all.insert(organization, own + 1);
        drop(all);
        Some(ImportPermit { all: Arc::clone(&self.0), organization })
    }
}

impl Drop for ImportPermit {
    fn drop(&mut self) {
        let mut all = lock(&self.all);
        let left = all.remove(&self.organization).unwrap_or_default().saturating_sub(1);
        if left > 0 {
            all.insert(self.organization, left);
        }
    }
}

fn lock(all: &InProgress) -> MutexGuard<'_, HashMap<OrganizationId, usize>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use latchkey_domain::time::Timestamp;

    use super::*;

    #[test]
    fn imports_of_one_organization_leave_room_for_others() {
        let room = ImportRoom::default();
        let id = |last| OrganizationId::new(Timestamp::EPOCH, [last; 10]);
        let first = room.try_acquire(id(1)).unwrap();
        let _second = room.try_acquire(id(1)).unwrap();
        assert!(room.try_acquire(id(1)).is_none());
        let _others = [2, 3].map(|other| room.try_acquire(id(other)).unwrap());
        assert!(room.try_acquire(id(4)).is_none(), "the node is full");
        drop(first);
        assert!(room.try_acquire(id(4)).is_some());
        assert!(room.try_acquire(id(1)).is_some());
    }
}
