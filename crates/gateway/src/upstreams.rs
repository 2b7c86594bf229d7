//! Who serves which model.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use latchkey_domain::key::Environment;
use latchkey_services::check::KeyRecord;
use latchkey_services::clock::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::config::GatewayConfig;
use super::health::{HealthMonitor, UpstreamHealth};
use super::upstream_client::UpstreamClient;
use super::upstream_endpoint::{UpstreamEndpoint, UpstreamModel};

/// The built-in model for newcomers who have configured no upstream.
pub(super) const SANDBOX_MODEL: &str = "sandbox";
/// The longest silence in an answer that has begun.
const STREAM_IDLE_TIMEOUT: Duration = Duration::from_mins(5);
/// The most tokens of an answer where the configuration does not say.
pub(super) const MAX_OUTPUT_TOKENS: u64 = 32_768;

/// The upstreams, by what they serve.
pub(super) struct Upstreams {
    pub(super) client: Arc<UpstreamClient>,
    /// To the first byte.
    pub(super) timeout: Duration,
    /// Between bytes.
    pub(super) idle_timeout: Duration,
    /// A permit for each call that may be in progress.
    call_permits: Arc<Semaphore>,
    /// A permit for each long prompt that may be counted at once: half of the processors stay free.
    pub(super) tokenizer_permits: Arc<Semaphore>,
    models: HashMap<String, UpstreamModel>,
    /// In the order of the file.
    names: Vec<String>,
    health: HealthMonitor,
}

/// Who answers a call.
pub(super) enum ModelBackend {
    Sandbox,
    Upstream(UpstreamModel),
}

impl Upstreams {
    /// From the configuration.
    ///
    /// # Errors
    /// The system has no TLS to call with, or a key can't be sent.
    pub(super) fn new(
        config: &GatewayConfig,
        clock: Arc<dyn Clock>,
        http: &reqwest::Client,
    ) -> anyhow::Result<Self> {
        let hosts = config.upstreams.len().max(1);
        let client =
            Arc::new(UpstreamClient::new(clock, (config.max_idle_connections / hosts).max(1))?);
        let (mut models, mut names, mut endpoints) = (HashMap::new(), Vec::new(), Vec::new());
        for upstream in &config.upstreams {
            let endpoint = Arc::new(UpstreamEndpoint::new(upstream, &client, http)?);
            for model in &upstream.models {
                let target = UpstreamModel {
                    upstream: Arc::clone(&endpoint),
                    name: model.upstream.clone(),
                    max_output_tokens: model.max_output_tokens.unwrap_or(MAX_OUTPUT_TOKENS),
                    tokenizer: model.tokenizer,
                };
                if let Some(tokenizer) = model.tokenizer {
                    tokenizer.load();
                }
                models.insert(model.id.clone(), target);
                names.push(model.id.clone());
            }
            endpoints.push(endpoint);
        }
        let health = HealthMonitor::new(endpoints);
        let call_permits = Arc::new(Semaphore::new(config.max_calls));
        let timeout = config.upstream_timeout;
        // Whoever lowers the one does not mean to wait longer for the other.
        let idle_timeout = timeout.min(STREAM_IDLE_TIMEOUT);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let tokenizer_permits = Arc::new(Semaphore::new((processors / 2).max(1)));
        Ok(Self {
            client,
            timeout,
            idle_timeout,
            call_permits,
            tokenizer_permits,
            models,
            names,
            health,
        })
    }

    /// A place among the node's calls to upstreams; none: too many are in progress.
    pub(super) fn acquire_call(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.call_permits).try_acquire_owned().ok()
    }

    /// Which of them answer, as of a few seconds ago at most. `now` is on the monotonic clock.
    pub(super) async fn health(&self, now: Duration) -> Vec<UpstreamHealth> {
        self.health.check(&self.client, now).await
    }

    /// Who answers a key's call of a model; none: nobody does. A test key's calls never reach an
    /// upstream, and cost nobody anything.
    pub(super) fn find(&self, model: &str, key: &KeyRecord) -> Option<ModelBackend> {
        match (key.environment, self.models.get(model)) {
            (Environment::Test, Some(_)) => Some(ModelBackend::Sandbox),
            (Environment::Live, Some(target)) if target.upstream.serves(key) => {
                Some(ModelBackend::Upstream(target.clone()))
            }
            _ if model == SANDBOX_MODEL && self.has_sandbox(key) => Some(ModelBackend::Sandbox),
            _ => None,
        }
    }

    /// Whether the built-in model is there for a key: for every test key, and for a live one that
    /// has no other.
    fn has_sandbox(&self, key: &KeyRecord) -> bool {
        key.environment == Environment::Test
            || !self.models.values().any(|target| target.upstream.serves(key))
    }

    /// Whether a field that names another model, host or credential may go to the upstream of a
    /// model.
    pub(super) fn passes(&self, model: &str, field: &str) -> bool {
        let target = self.models.get(model);
        target.is_some_and(|target| target.upstream.pass_fields.iter().any(|one| one == field))
    }

    /// The models that there are for a key, each with who owns it.
    pub(super) fn models(&self, key: &KeyRecord) -> Vec<(&str, &str)> {
        let is_test = key.environment == Environment::Test;
        let entry = |id: &String| self.models.get_key_value(id);
        let mut models: Vec<(&str, &str)> = self
            .names
            .iter()
            .filter_map(entry)
            .filter(|(_, target)| is_test || target.upstream.serves(key))
            .map(|(id, target)| (id.as_str(), target.upstream.name.as_str()))
            .collect();
        if self.has_sandbox(key) {
            models.push((SANDBOX_MODEL, "latchkey"));
        }
        models
    }
}
