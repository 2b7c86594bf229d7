//! State that the gateway's handlers share.

use std::sync::Arc;
use std::time::Duration;

use latchkey_checker::Checker;
use latchkey_checker::clock::Clock;
use latchkey_domain::api::UpstreamReport;

use super::config::{GatewayConfig, Upstream};
use super::health::UpstreamHealth;
use super::upstreams::Upstreams;

/// The gateway's shared state. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    pub(super) checker: Checker,
    pub(super) upstreams: Arc<Upstreams>,
}

impl Gateway {
    /// Builds the state from the configuration. `http` sends nothing; it only turns credentials in
    /// upstream URLs into headers.
    ///
    /// # Errors
    /// TLS is not available on this system, or an upstream's API key is not a valid header value.
    pub fn new(
        checker: Checker,
        clock: Arc<dyn Clock>,
        config: &GatewayConfig,
        http: &reqwest::Client,
    ) -> anyhow::Result<Self> {
        let upstreams = Arc::new(Upstreams::new(config, clock, http)?);
        Ok(Self { checker, upstreams })
    }

    /// Health of the upstreams, at most a few seconds old. `now` is on the monotonic clock.
    pub async fn health(&self, now: Duration) -> Vec<UpstreamHealth> {
        self.upstreams.health(now).await
    }

    /// Replaces the upstreams and their models. Calls in progress keep those that they began with,
    /// and an upstream that stays keeps its status. Returns whether anything has changed. Loads
    /// tokenizers, so it may take a while.
    ///
    /// # Errors
    /// An upstream's API key is not a valid header value. Nothing has changed then.
    pub fn reload(&self, upstreams: &[Upstream]) -> anyhow::Result<bool> {
        self.upstreams.reload(upstreams)
    }

    /// How each upstream has done on this node, in the order of the file.
    pub fn upstream_reports(&self) -> Vec<UpstreamReport> {
        self.upstreams.reports()
    }
}
