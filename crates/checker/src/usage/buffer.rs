//! Counts calls until they are written.

use std::sync::Arc;

use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::time::Timestamp;
use tokio::sync::{RwLock, RwLockReadGuard};

use super::call::Use;
use super::models::{ModelCounter, PendingModels};
use super::pending::{PendingCounters, PendingUsage};
use super::quota::Quota;
use crate::record::KeyRecord;

/// Counts calls in memory until [`crate::Checker::flush_usage`] writes them.
pub struct UsageBuffer {
    pub(super) pending: PendingCounters,
    pub(super) models: PendingModels,
    pub(crate) quota: Quota,
    /// Held exclusively while a batch moves from memory to the database, and shared by readers that
    /// add up both. Readers then count nothing twice and miss nothing.
    pub(super) writing: RwLock<()>,
}

impl UsageBuffer {
    pub(crate) fn new() -> Self {
        Self {
            pending: PendingCounters::new(),
            models: PendingModels::default(),
            quota: Quota::new(),
            writing: RwLock::new(()),
        }
    }

    /// Counts a call. It neither waits nor fails.
    pub(crate) fn record(&self, call: &Use) {
        self.pending.record(call);
    }

    /// Counts a call of a model too. [`Self::record`] or [`Self::denied`] has counted it for its
    /// key. The model must be one that the gateway has found, not what a caller has named.
    pub(crate) fn record_model(&self, call: &Use, model: &Arc<str>) {
        self.models.record(call, model);
    }

    /// Adds what a call has used that [`Self::record`] has counted when it was admitted.
    pub(crate) fn settle(&self, call: &Use) {
        self.pending.settle(call);
    }

    /// The same for a call that [`Self::record_model`] has counted.
    pub(crate) fn settle_model(&self, call: &Use, model: &Arc<str>) {
        self.models.settle(call, model);
    }

    /// Counts telemetry of an admitted call that was not stored.
    pub fn rejected(&self, key: &KeyRecord, at: Timestamp, items: u64) {
        self.pending.rejected(key, at, items);
    }

    /// Blocks flushes while the guard is held. A reader that adds up memory and database then
    /// counts nothing twice and misses nothing.
    pub async fn hold(&self) -> RwLockReadGuard<'_, ()> {
        self.writing.read().await
    }

    /// Calls `visit` with a key's usage that is not written yet.
    pub fn visit_key(&self, key: KeyId, visit: impl FnOnce(&PendingUsage)) {
        self.pending.visit_key(key, visit);
    }

    /// Calls `visit` with the unwritten usage of each of a project's keys.
    pub fn visit_project(&self, project: ProjectId, visit: impl FnMut(KeyId, &PendingUsage)) {
        self.pending.visit_project(project, visit);
    }

    /// Calls `visit` with the unwritten counters of each model in a project.
    pub fn visit_models(&self, project: ProjectId, visit: impl FnMut(&str, &ModelCounter)) {
        self.models.visit(project, visit);
    }

    /// Counts a denied call and keeps the reason: the limit, the usage and when it resets.
    pub(crate) fn denied(&self, call: &Use, detail: &str) {
        self.pending.denied(call, detail);
    }
}
