//! What calls to upstreams share: the client, the permits, and the registry of the file as it was
//! last read.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use latchkey_checker::KeyRecord;
use latchkey_checker::clock::Clock;
use latchkey_domain::api::UpstreamReport;
use latchkey_domain::time::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::config::{EndpointGroup, GatewayConfig, Upstream};
use super::conversation::ConversationMemory;
use super::health::UpstreamHealth;
use super::registry::{ModelBackend, Registry, Unserved};
use super::upstream_client::UpstreamClient;
use super::upstream_endpoint::UpstreamEndpoint;

/// Maximum time between two chunks of a response.
const STREAM_IDLE_TIMEOUT: Duration = Duration::from_mins(5);

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
    pub(super) conversations: ConversationMemory,
    registry: RwLock<Arc<Registry>>,
    /// Maximum number of idle connections, over all upstreams.
    max_idle_connections: usize,
    clock: Arc<dyn Clock>,
    /// Turns credentials in URLs into headers.
    http: reqwest::Client,
}

impl Upstreams {
    /// Builds the upstreams from the configuration.
    ///
    /// # Errors
    /// TLS is not available on this system, or an API key is not a valid header value.
    pub(super) fn new(
        config: &GatewayConfig,
        clock: Arc<dyn Clock>,
        http: &reqwest::Client,
    ) -> anyhow::Result<Self> {
        let max_idle_connections = config.max_idle_connections;
        let max_idle = idle_of_each(max_idle_connections, &config.upstreams);
        let client = Arc::new(UpstreamClient::new(Arc::clone(&clock), max_idle)?);
        let registry = Registry::new(&config.upstreams, None, &client, http)?;
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
            conversations: ConversationMemory::default(),
            registry: RwLock::new(Arc::new(registry)),
            max_idle_connections,
            clock,
            http: http.clone(),
        })
    }

    /// Replaces the upstreams and their models. Calls in progress keep those that they began with.
    /// Returns whether anything has changed.
    ///
    /// # Errors
    /// An API key is not a valid header value. Nothing has changed then.
    pub(super) fn reload(&self, upstreams: &[Upstream]) -> anyhow::Result<bool> {
        let previous = self.registry();
        if previous.is_of(upstreams) {
            return Ok(false);
        }
        let registry = Registry::new(upstreams, Some(&previous), &self.client, &self.http)?;
        self.client.set_max_idle(idle_of_each(self.max_idle_connections, upstreams));
        registry.forget_failures_of_changed(&previous);
        *self.registry.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(registry);
        Ok(true)
    }

    fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.current())
    }

    /// The registry, for what neither waits nor reads it again.
    fn current(&self) -> RwLockReadGuard<'_, Arc<Registry>> {
        self.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acquires one of the concurrent calls. None if all are in use.
    pub(super) fn acquire_call(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.call_permits).try_acquire_owned().ok()
    }

    /// The time of the monotonic clock.
    pub(super) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// The time of the wall clock.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Health of the upstreams, at most a few seconds old. `now` is on the monotonic clock.
    pub(super) async fn health(&self, now: Duration) -> Vec<UpstreamHealth> {
        self.registry().health(&self.client, now).await
    }

    /// Finds what serves a model for this key: see [`Registry::find`].
    pub(super) fn find(
        &self,
        model: &str,
        endpoints: EndpointGroup,
        key: &KeyRecord,
    ) -> Result<ModelBackend, Unserved> {
        self.current().find(model, endpoints, key)
    }

    /// The upstream of this name, if the key may use it.
    pub(super) fn upstream(&self, name: &str, key: &KeyRecord) -> Option<Arc<UpstreamEndpoint>> {
        let registry = self.registry();
        registry.endpoint(name).filter(|upstream| upstream.serves(key)).map(Arc::clone)
    }

    /// The upstream of this name, for requests of our own.
    pub(super) fn configured(&self, name: &str) -> Option<Arc<UpstreamEndpoint>> {
        self.registry().endpoint(name).map(Arc::clone)
    }

    /// The model that is meant where a request names none: the first whose upstream serves the
    /// endpoint. None if there is none that the key may use.
    pub(super) fn default_model(
        &self,
        endpoints: EndpointGroup,
        key: &KeyRecord,
    ) -> Option<String> {
        self.registry().default_model(endpoints, key).map(str::to_owned)
    }

    /// Whether all upstreams of the model accept a field that may choose another model, host or
    /// credential.
    pub(super) fn passes(&self, model: &str, field: &str) -> bool {
        self.current().passes(model, field)
    }

    /// Models that the key may use, each with the name of its first upstream.
    pub(super) fn models(&self, key: &KeyRecord) -> Vec<(String, String)> {
        self.registry().models(key)
    }

    /// What instance administrators see of the upstreams.
    pub(super) fn reports(&self) -> Vec<UpstreamReport> {
        self.registry().reports()
    }
}

/// How many idle connections each upstream may have.
fn idle_of_each(all: usize, upstreams: &[Upstream]) -> usize {
    (all / upstreams.len().max(1)).max(1)
}
