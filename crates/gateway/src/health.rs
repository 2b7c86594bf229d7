//! Health of the upstreams, for the detailed `GET /readyz` on the metrics listener.
//!
//! `/readyz` may be called at any rate, but each upstream is probed at most once every few seconds,
//! by one request at a time. `/readyz` waits only briefly for a probe: a load balancer must learn
//! in time that this server is ready, even if an upstream hangs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use futures::future::join_all;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use super::upstream_client::UpstreamClient;
use super::upstream_endpoint::UpstreamEndpoint;

/// How long the result of a probe is reused.
const PROBE_CACHE_TTL: Duration = Duration::from_secs(5);
/// How long `/readyz` waits for a probe. Load balancers wait about a second for the whole response.
const PROBE_WAIT_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a probe may take. Longer than `/readyz` waits, because the first TLS handshake with a
/// distant upstream takes longer; the next `/readyz` gets its result.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// Result of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// The upstream responds.
    Ok,
    /// It responds with a server error or rejects our credentials.
    Failing,
    /// No connection could be made.
    Unreachable,
    /// It did not respond in time.
    Silent,
}

/// An upstream and the result of its last probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UpstreamHealth {
    name: String,
    status: HealthStatus,
}

/// Probes the upstreams and remembers the results.
pub(super) struct HealthMonitor {
    upstreams: Vec<MonitoredUpstream>,
}

struct MonitoredUpstream {
    endpoint: Arc<UpstreamEndpoint>,
    last_probe: Mutex<Option<HealthProbe>>,
}

struct HealthProbe {
    /// Time of the monotonic clock.
    started_at: Duration,
    /// None until the probe has finished.
    result: watch::Receiver<Option<HealthStatus>>,
}

impl HealthMonitor {
    pub(super) fn new(endpoints: Vec<Arc<UpstreamEndpoint>>) -> Self {
        let monitored = |endpoint| MonitoredUpstream { endpoint, last_probe: Mutex::new(None) };
        Self { upstreams: endpoints.into_iter().map(monitored).collect() }
    }

    /// Health of each upstream in the order of the configuration. Probes those without a recent
    /// result.
    pub(super) async fn check(
        &self,
        client: &Arc<UpstreamClient>,
        now: Duration,
    ) -> Vec<UpstreamHealth> {
        join_all(self.upstreams.iter().map(async |upstream| UpstreamHealth {
            name: upstream.endpoint.name.clone(),
            status: upstream.check(client, now).await,
        }))
        .await
    }
}

impl MonitoredUpstream {
    async fn check(&self, client: &Arc<UpstreamClient>, now: Duration) -> HealthStatus {
        let mut result = self.result(client, now);
        let result =
            tokio::time::timeout(PROBE_WAIT_TIMEOUT, result.wait_for(Option::is_some)).await;
        match result {
            Ok(Ok(result)) => result.unwrap_or(HealthStatus::Silent),
            _ => HealthStatus::Silent,
        }
    }

    /// The recent result, or that of a probe in progress.
    fn result(
        &self,
        client: &Arc<UpstreamClient>,
        now: Duration,
    ) -> watch::Receiver<Option<HealthStatus>> {
        let mut last_probe = self.last_probe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(probe) = last_probe
            .as_ref()
            .filter(|probe| now.saturating_sub(probe.started_at) < PROBE_CACHE_TTL)
        {
            return probe.result.clone();
        }
        let (sender, result) = watch::channel(None);
        let (client, endpoint) = (Arc::clone(client), Arc::clone(&self.endpoint));
        // In a task of its own, as it continues after `/readyz` has stopped waiting.
        tokio::spawn(async move {
            let status = probe(&client, &endpoint).await;
            sender.send_replace(Some(status));
        });
        *last_probe = Some(HealthProbe { started_at: now, result: result.clone() });
        result
    }
}

/// Lists the models: it costs nothing, and every OpenAI-compatible server responds to it somehow.
async fn probe(client: &UpstreamClient, endpoint: &UpstreamEndpoint) -> HealthStatus {
    let response = client.send(&endpoint.origin, || endpoint.models_request());
    match tokio::time::timeout(PROBE_TIMEOUT, response).await {
        Ok(Ok(result)) => match result.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => HealthStatus::Failing,
            status if status.is_server_error() => HealthStatus::Failing,
            _ => HealthStatus::Ok,
        },
        Ok(Err(error)) if error.is_timeout() => HealthStatus::Silent,
        Ok(Err(_)) => HealthStatus::Unreachable,
        Err(_) => HealthStatus::Silent,
    }
}
