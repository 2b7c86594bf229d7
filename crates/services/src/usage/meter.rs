//! Where calls are counted.

use latchkey_domain::time::Timestamp;
use tokio::sync::RwLock;

use super::quota::Quota;
use super::recorder::{Recorder, Use};
use crate::check::KeyRecord;

/// Counts calls in memory until [`super::flush`] writes them.
pub(crate) struct Meter {
    pub(super) recorder: Recorder,
    pub(crate) quota: Quota,
    /// Held alone while a batch is on its way from memory to the database, and shared by who adds
    /// up both: nothing is then seen twice, or not at all.
    pub(super) writing: RwLock<()>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self { recorder: Recorder::new(), quota: Quota::new(), writing: RwLock::new(()) }
    }

    /// Counts a call. It neither waits nor fails.
    pub(crate) fn record(&self, call: &Use) {
        self.recorder.record(call);
    }

    /// Counts telemetry of an admitted call that was not stored.
    pub(crate) fn rejected(&self, key: &KeyRecord, at: Timestamp, items: u64) {
        self.recorder.rejected(key, at, items);
    }

    /// Counts a call that was not admitted, and keeps why in words: the limit, what was used, when
    /// it frees.
    pub(crate) fn denied(&self, call: &Use, detail: &str) {
        self.recorder.denied(call, detail);
    }
}
