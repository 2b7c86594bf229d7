//! Room for the files of imports in progress, which are in memory as a whole.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room of a node.
pub(crate) struct ImportRoom(Arc<Semaphore>);

/// Room for the file of one import, until it is dropped.
#[must_use]
pub struct ImportPermit {
    _permit: OwnedSemaphorePermit,
}

impl ImportRoom {
    /// Imports at a time: each may have a file of 64 MiB.
    pub(crate) const FILES: usize = 4;

    /// Room for a file, if there is some.
    pub(crate) fn try_acquire(&self) -> Option<ImportPermit> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(ImportPermit { _permit: permit })
    }
}

impl Default for ImportRoom {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(Self::FILES)))
    }
}
