//! Where calls are counted.

use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::time::Timestamp;
use tokio::sync::{RwLock, RwLockReadGuard};

use super::pending::{PendingCounters, PendingUsage, Use};
use super::quota::Quota;
use crate::record::KeyRecord;

/// Counts calls in memory until [`crate::Checker::flush_usage`] writes them.
pub struct UsageBuffer {
    pub(super) recorder: PendingCounters,
    pub(crate) quota: Quota,
    /// Held alone while a batch is on its way from memory to the database, and shared by who adds
    /// up both: nothing is then seen twice, or not at all.
    pub(super) writing: RwLock<()>,
}

impl UsageBuffer {
    pub(crate) fn new() -> Self {
        Self { recorder: PendingCounters::new(), quota: Quota::new(), writing: RwLock::new(()) }
    }

    /// Counts a call. It neither waits nor fails.
    pub(crate) fn record(&self, call: &Use) {
        self.recorder.record(call);
    }

    /// Counts telemetry of an admitted call that was not stored.
    pub fn rejected(&self, key: &KeyRecord, at: Timestamp, items: u64) {
        self.recorder.rejected(key, at, items);
    }

    /// Keeps batches from being written for as long as what is returned is kept: who adds up memory
    /// and database then sees nothing twice, and misses nothing.
    pub async fn hold(&self) -> RwLockReadGuard<'_, ()> {
        self.writing.read().await
    }

    /// Shows what is not written yet of a key.
    pub fn see_key(&self, key: KeyId, see: impl FnOnce(&PendingUsage)) {
        self.recorder.see_key(key, see);
    }

    /// Shows what is not written yet of each key of a project.
    pub fn see_project(&self, project: ProjectId, see: impl FnMut(&PendingUsage)) {
        self.recorder.see_project(project, see);
    }

    /// Counts a call that was not admitted, and keeps why in words: the limit, what was used, when
    /// it frees.
    pub(crate) fn denied(&self, call: &Use, detail: &str) {
        self.recorder.denied(call, detail);
    }
}
