//! What the handling of a response needs to know of its call.

use std::sync::Arc;
use std::time::Duration;

use super::accounting::StreamUsage;
use super::upstream_endpoint::UpstreamModel;

/// Properties of the call that decide how its response is forwarded.
pub(super) struct ResponseContext {
    /// The upstream that answers.
    pub(super) target: Arc<UpstreamModel>,
    pub(super) idle_timeout: Duration,
    /// Usage of the stream so far, which decides what the call costs.
    pub(super) usage: StreamUsage,
    pub(super) wants_usage: bool,
    pub(super) wants_base64: bool,
    pub(super) choices: u64,
    /// Maximum output tokens of all choices together, if they are limited.
    pub(super) limit: Option<u64>,
}
