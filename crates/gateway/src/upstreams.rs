//! The configured upstreams and models: which of them serves a call.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use latchkey_checker::KeyRecord;
use latchkey_checker::clock::Clock;
use latchkey_domain::key::Environment;
use latchkey_domain::price::Price;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::config::GatewayConfig;
use super::health::{HealthMonitor, UpstreamHealth};
use super::upstream_client::UpstreamClient;
use super::upstream_endpoint::{UpstreamEndpoint, UpstreamModel};

/// The built-in model, for newcomers without an upstream.
pub(super) const SANDBOX_MODEL: &str = "sandbox";
/// Maximum time between two chunks of a response.
const STREAM_IDLE_TIMEOUT: Duration = Duration::from_mins(5);
/// Default of `max_output_tokens`.
pub(super) const MAX_OUTPUT_TOKENS: u64 = 32_768;

/// All upstreams and their models.
pub(super) struct Upstreams {
    pub(super) client: Arc<UpstreamClient>,
    /// Time-out to the first byte.
    pub(super) timeout: Duration,
    /// Time-out between two chunks.
    pub(super) idle_timeout: Duration,
    /// One permit for each concurrent call.
    call_permits: Arc<Semaphore>,
    /// One permit for each prompt that may be tokenized at the same time. Half of the processors
    /// stay free for other work.
    pub(super) tokenizer_permits: Arc<Semaphore>,
    models: HashMap<String, UpstreamModel>,
    /// Names of the models in the order of the file.
    names: Vec<String>,
    health: HealthMonitor,
}

/// What serves a call.
pub(super) enum ModelBackend {
    /// The built-in model, at this price.
    Sandbox(Price),
    Upstream(UpstreamModel),
}

impl Upstreams {
    /// Builds the registry from the configuration.
    ///
    /// # Errors
    /// TLS is not available on this system, or an API key is not a valid header value.
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
                    price: model.price,
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
        // An operator who lowers one time-out does not want to wait longer for the other.
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

    /// Acquires one of the concurrent calls. None if all are in use.
    pub(super) fn acquire_call(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.call_permits).try_acquire_owned().ok()
    }

    /// Health of the upstreams, at most a few seconds old. `now` is on the monotonic clock.
    pub(super) async fn health(&self, now: Duration) -> Vec<UpstreamHealth> {
        self.health.check(&self.client, now).await
    }

    /// Finds what serves a model for this key. Calls of test keys always go to the sandbox, so no
    /// upstream charges for them. They cost the key what the model would, or the sandbox's price,
    /// so that spend limits can be tried.
    pub(super) fn find(&self, model: &str, key: &KeyRecord) -> Option<ModelBackend> {
        match (key.environment, self.models.get(model)) {
            (Environment::Test, Some(target)) => {
                Some(ModelBackend::Sandbox(target.price.unwrap_or(Price::SANDBOX)))
            }
            (Environment::Live, Some(target)) if target.upstream.serves(key) => {
                Some(ModelBackend::Upstream(target.clone()))
            }
            _ if model == SANDBOX_MODEL && self.has_sandbox(key) => {
                Some(ModelBackend::Sandbox(Price::SANDBOX))
            }
            _ => None,
        }
    }

    /// Whether the key may use the sandbox: all test keys, and live keys that have no other model.
    fn has_sandbox(&self, key: &KeyRecord) -> bool {
        key.environment == Environment::Test
            || !self.models.values().any(|target| target.upstream.serves(key))
    }

    /// Whether the upstream of the model accepts a field that may choose another model, host or
    /// credential.
    pub(super) fn passes(&self, model: &str, field: &str) -> bool {
        let target = self.models.get(model);
        target.is_some_and(|target| target.upstream.pass_fields.iter().any(|one| one == field))
    }

    /// Models that the key may use, each with the name of its upstream.
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
