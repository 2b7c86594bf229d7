//! What the gateway's handlers can reach.

use std::sync::Arc;
use std::time::Duration;

use latchkey_services::Services;

use super::config::GatewayConfig;
use super::health::UpstreamHealth;
use super::upstreams::Upstreams;

/// The gateway. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    pub(super) services: Services,
    pub(super) upstreams: Arc<Upstreams>,
}

impl Gateway {
    /// From the configuration. `http` is not called: it makes credentials of URLs that hold some.
    ///
    /// # Errors
    /// The system has no TLS to call with, or a key can't be sent.
    pub fn new(
        services: Services,
        config: &GatewayConfig,
        http: &reqwest::Client,
    ) -> anyhow::Result<Self> {
        let upstreams = Arc::new(Upstreams::new(config, services.clock(), http)?);
        Ok(Self { services, upstreams })
    }

    /// Which of the upstreams answer, as of a few seconds ago at most. `now` is on the monotonic
    /// clock.
    pub async fn health(&self, now: Duration) -> Vec<UpstreamHealth> {
        self.upstreams.health(now).await
    }
}
