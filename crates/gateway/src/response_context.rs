//! What a call has to be answered by.

use std::time::Duration;

use super::accounting::StreamUsage;
use super::upstream_endpoint::UpstreamModel;

/// What has to be known of a call when its answer comes.
pub(super) struct ResponseContext {
    pub(super) target: UpstreamModel,
    pub(super) idle_timeout: Duration,
    /// What is read of a stream: what the call costs.
    pub(super) meter: StreamUsage,
    pub(super) wants_usage: bool,
    pub(super) wants_base64: bool,
    pub(super) choices: u64,
    /// How many tokens the answers may have, if that is limited.
    pub(super) limit: Option<u64>,
}
