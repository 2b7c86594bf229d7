//! Whether the upstreams answer, as `GET /readyz` tells it where the metrics are.
//!
//! It may be asked there as often as somebody likes; an upstream is asked at most once every few
//! seconds, and by no more than one request at a time. Whoever asks waits for a moment only: a node
//! whose upstream hangs has to tell a load balancer in time that it is ready itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use futures::future::join_all;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use super::upstream_client::UpstreamClient;
use super::upstream_endpoint::UpstreamEndpoint;

/// How long an answer is passed on to everybody who asks.
const PROBE_CACHE_TTL: Duration = Duration::from_secs(5);
/// How long somebody who asks waits for an upstream. Load balancers wait a second for the whole
/// answer.
const PROBE_WAIT_TIMEOUT: Duration = Duration::from_millis(500);
/// How long the upstream may take, for those who ask a little later: the first handshake with one
/// that is far away is longer than a moment.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// How an upstream was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// It answers.
    Ok,
    /// It answers that it fails, or that it does not know our credentials.
    Failing,
    /// There is no connection to it.
    Unreachable,
    /// It has not answered in time.
    TimedOut,
}

/// An upstream, by what operators call it, and how it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UpstreamHealth {
    name: String,
    status: HealthStatus,
}

/// The upstreams, and what they last answered.
pub(super) struct HealthMonitor {
    upstreams: Vec<MonitoredUpstream>,
}

struct MonitoredUpstream {
    endpoint: Arc<UpstreamEndpoint>,
    last_probe: Mutex<Option<HealthProbe>>,
}

struct HealthProbe {
    /// On the monotonic clock.
    started_at: Duration,
    /// None until the upstream has answered, or has had its time.
    result: watch::Receiver<Option<HealthStatus>>,
}

impl HealthMonitor {
    pub(super) fn new(endpoints: Vec<Arc<UpstreamEndpoint>>) -> Self {
        let monitored = |endpoint| MonitoredUpstream { endpoint, last_probe: Mutex::new(None) };
        Self { upstreams: endpoints.into_iter().map(monitored).collect() }
    }

    /// How each was found, in the order of the configuration; asks those that were not asked
    /// lately.
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
            Ok(Ok(result)) => result.unwrap_or(HealthStatus::TimedOut),
            _ => HealthStatus::TimedOut,
        }
    }

    /// The answer that is fresh, or one that is being fetched.
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
        // On its own: it goes on when whoever asked has waited long enough.
        tokio::spawn(async move {
            let status = probe(&client, &endpoint).await;
            sender.send_replace(Some(status));
        });
        *last_probe = Some(HealthProbe { started_at: now, result: result.clone() });
        result
    }
}

/// Asks for its models, which costs nothing and which everybody who speaks this protocol answers
/// somehow.
async fn probe(client: &UpstreamClient, endpoint: &UpstreamEndpoint) -> HealthStatus {
    let response = client.send(&endpoint.origin, || endpoint.models_request());
    match tokio::time::timeout(PROBE_TIMEOUT, response).await {
        Ok(Ok(result)) => match result.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => HealthStatus::Failing,
            status if status.is_server_error() => HealthStatus::Failing,
            _ => HealthStatus::Ok,
        },
        Ok(Err(error)) if error.is_timeout() => HealthStatus::TimedOut,
        Ok(Err(_)) => HealthStatus::Unreachable,
        Err(_) => HealthStatus::TimedOut,
    }
}
