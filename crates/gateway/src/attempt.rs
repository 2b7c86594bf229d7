//! A request that is being made to an upstream, whose status counts the result.

use std::sync::Arc;
use std::time::Duration;

use latchkey_domain::api::UpstreamFailure;

use super::upstream_endpoint::UpstreamEndpoint;

/// A request to one upstream. Dropping it gives the request up.
pub(super) struct Attempt {
    upstream: Arc<UpstreamEndpoint>,
    began: Duration,
    /// Whether others wait for its result.
    is_trial: bool,
}

impl Attempt {
    /// Begins a request, whether the upstream is out or not.
    pub(super) fn begin(upstream: &Arc<UpstreamEndpoint>, now: Duration) -> Self {
        upstream.status.count_call();
        Self { upstream: Arc::clone(upstream), began: now, is_trial: false }
    }

    /// Begins a request if the upstream is not out, or if the time has come to try it.
    pub(super) fn begin_if_available(
        upstream: &Arc<UpstreamEndpoint>,
        now: Duration,
    ) -> Option<Self> {
        let is_trial = upstream.status.begin(now)?;
        Some(Self { upstream: Arc::clone(upstream), began: now, is_trial })
    }

    pub(super) const fn upstream(&self) -> &Arc<UpstreamEndpoint> {
        &self.upstream
    }

    /// The upstream answered.
    pub(super) fn answered(self, now: Duration) {
        self.upstream.status.answered(now.saturating_sub(self.began));
    }

    /// The upstream could not serve the request.
    pub(super) fn failed(self, now: Duration, failure: UpstreamFailure) {
        self.upstream.status.failed(now, failure);
    }

    /// The upstream can't be used as it is configured.
    pub(super) fn misconfigured(self, failure: UpstreamFailure) {
        self.upstream.status.misconfigured(failure);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.is_trial {
            self.upstream.status.end_trial();
        }
    }
}
