//! The upstreams and models of one reading of the file. A reload replaces all of it at once, while
//! calls in progress keep what they began with.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use latchkey_checker::KeyRecord;
use latchkey_domain::api::UpstreamReport;
use latchkey_domain::key::Environment;
use latchkey_domain::price::Price;

use super::candidates::Candidates;
use super::config::{EndpointGroup, Upstream};
use super::health::{HealthMonitor, UpstreamHealth};
use super::upstream_client::UpstreamClient;
use super::upstream_endpoint::{UpstreamEndpoint, UpstreamModel};

/// The built-in model, for newcomers without an upstream.
pub(super) const SANDBOX_MODEL: &str = "sandbox";
/// Default of `max_output_tokens`.
const MAX_OUTPUT_TOKENS: u64 = 32_768;

/// What serves a call.
pub(super) enum ModelBackend {
    /// The built-in model, at this price.
    Sandbox(Price),
    /// The upstreams of a model.
    Upstreams(Candidates),
}

/// Why nothing serves a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unserved {
    /// The model does not exist for this key.
    Model,
    /// It exists, but no upstream of it serves the endpoint.
    Endpoint,
}

/// The upstreams and their models.
pub(super) struct Registry {
    /// What it was made from.
    settings: Vec<Upstream>,
    upstreams: Vec<ServedUpstream>,
    models: HashMap<String, ServedModel>,
    /// Names of the models in the order of the file.
    names: Vec<String>,
    health: HealthMonitor,
}

struct ServedUpstream {
    endpoint: Arc<UpstreamEndpoint>,
    models: Vec<String>,
}

#[derive(Default)]
struct ServedModel {
    /// The model at each of its upstreams, in the order of the file. Never empty.
    targets: Vec<Arc<UpstreamModel>>,
    turns: Arc<AtomicU64>,
}

impl ServedModel {
    fn serves(&self, key: &KeyRecord) -> bool {
        self.targets.iter().any(|target| target.upstream.serves(key))
    }
}

impl Registry {
    /// Builds the registry. An upstream of `previous` with the same name keeps its status, and one
    /// with the same settings its connections too.
    ///
    /// # Errors
    /// An API key is not a valid header value.
    pub(super) fn new(
        upstreams: &[Upstream],
        previous: Option<&Self>,
        client: &UpstreamClient,
        http: &reqwest::Client,
    ) -> anyhow::Result<Self> {
        let mut models: HashMap<String, ServedModel> = HashMap::new();
        let (mut names, mut served) = (Vec::new(), Vec::new());
        for upstream in upstreams {
            let before = previous.and_then(|previous| previous.endpoint(&upstream.name));
            let endpoint = match before {
                Some(before) if before.is_of(upstream) => Arc::clone(before),
                _ => {
                    let status = before.map(|before| Arc::clone(&before.status));
                    let status = status.unwrap_or_default();
                    Arc::new(UpstreamEndpoint::new(upstream, status, client, http)?)
                }
            };
            for model in &upstream.models {
                if let Some(tokenizer) = model.tokenizer {
                    tokenizer.load();
                }
                if !models.contains_key(&model.id) {
                    names.push(model.id.clone());
                }
                models.entry(model.id.clone()).or_default().targets.push(Arc::new(UpstreamModel {
                    upstream: Arc::clone(&endpoint),
                    name: model.upstream.clone(),
                    max_output_tokens: model.max_output_tokens.unwrap_or(MAX_OUTPUT_TOKENS),
                    tokenizer: model.tokenizer,
                    price: model.price,
                }));
            }
            let models = upstream.models.iter().map(|model| model.id.clone()).collect();
            served.push(ServedUpstream { endpoint, models });
        }
        let endpoints = served.iter().map(|upstream| Arc::clone(&upstream.endpoint));
        let health = HealthMonitor::new(endpoints.collect());
        Ok(Self { settings: upstreams.to_vec(), upstreams: served, models, names, health })
    }

    /// Whether it was made from these settings.
    pub(super) fn is_of(&self, upstreams: &[Upstream]) -> bool {
        self.settings == upstreams
    }

    /// Gives upstreams whose settings differ from those in `previous` a new chance.
    pub(super) fn forget_failures_of_changed(&self, previous: &Self) {
        for ServedUpstream { endpoint, .. } in &self.upstreams {
            let before = previous.endpoint(&endpoint.name);
            if before.is_none_or(|before| !Arc::ptr_eq(before, endpoint)) {
                endpoint.status.forget_failures();
            }
        }
    }

    pub(super) fn endpoint(&self, name: &str) -> Option<&Arc<UpstreamEndpoint>> {
        let mut endpoints = self.upstreams.iter().map(|upstream| &upstream.endpoint);
        endpoints.find(|endpoint| endpoint.name == name)
    }

    /// Health of the upstreams, at most a few seconds old. `now` is on the monotonic clock.
    pub(super) async fn health(
        &self,
        client: &Arc<UpstreamClient>,
        now: Duration,
    ) -> Vec<UpstreamHealth> {
        self.health.check(client, now).await
    }

    /// Finds what serves a model for this key. Calls of test keys always go to the sandbox, so no
    /// upstream charges for them. They cost the key what the model would at the most expensive of
    /// its upstreams, or the sandbox's price, so that spend limits can be tried.
    pub(super) fn find(
        &self,
        model: &str,
        endpoints: EndpointGroup,
        key: &KeyRecord,
    ) -> Result<ModelBackend, Unserved> {
        let is_test = key.environment == Environment::Test;
        if let Some(served) = self.models.get(model)
            && (is_test || served.serves(key))
        {
            if is_test {
                let targets = Candidates::new(served.targets.clone(), &served.turns);
                let price = targets.and_then(|targets| targets.price());
                return Ok(ModelBackend::Sandbox(price.unwrap_or(Price::SANDBOX)));
            }
            let serve = |target: &&Arc<UpstreamModel>| {
                target.upstream.has(endpoints) && target.upstream.serves(key)
            };
            let targets = served.targets.iter().filter(serve).map(Arc::clone).collect();
            let candidates = Candidates::new(targets, &served.turns);
            return candidates.map(ModelBackend::Upstreams).ok_or(Unserved::Endpoint);
        }
        if model == SANDBOX_MODEL && self.has_sandbox(key) {
            return Ok(ModelBackend::Sandbox(Price::SANDBOX));
        }
        Err(Unserved::Model)
    }

    /// The model that is meant where a request names none: the first whose upstream serves the
    /// endpoint.
    pub(super) fn default_model(&self, endpoints: EndpointGroup, key: &KeyRecord) -> Option<&str> {
        let is_test = key.environment == Environment::Test;
        let serves = |name: &&String| {
            self.models.get(*name).is_some_and(|served| {
                served.targets.iter().any(|target| {
                    target.upstream.has(endpoints) && (is_test || target.upstream.serves(key))
                })
            })
        };
        let name = self.names.iter().find(serves).map(String::as_str);
        name.or_else(|| self.has_sandbox(key).then_some(SANDBOX_MODEL))
    }

    /// Whether the key may use the sandbox: all test keys, and live keys that have no other model.
    fn has_sandbox(&self, key: &KeyRecord) -> bool {
        key.environment == Environment::Test
            || !self.models.values().any(|served| served.serves(key))
    }

    /// Whether all upstreams of the model accept a field that may choose another model, host or
    /// credential.
    pub(super) fn passes(&self, model: &str, field: &str) -> bool {
        let passes = |target: &Arc<UpstreamModel>| {
            target.upstream.pass_fields.iter().any(|one| one == field)
        };
        self.models.get(model).is_some_and(|served| served.targets.iter().all(passes))
    }

    /// Models that the key may use, each with the name of its first upstream.
    pub(super) fn models(&self, key: &KeyRecord) -> Vec<(String, String)> {
        let is_test = key.environment == Environment::Test;
        let listed = |id: &String| {
            let targets = &self.models.get(id)?.targets;
            let target = targets.iter().find(|target| is_test || target.upstream.serves(key))?;
            Some((id.clone(), target.upstream.name.clone()))
        };
        let mut models: Vec<_> = self.names.iter().filter_map(listed).collect();
        if self.has_sandbox(key) {
            models.push((SANDBOX_MODEL.to_owned(), "latchkey".to_owned()));
        }
        models
    }

    /// What instance administrators see of the upstreams.
    pub(super) fn reports(&self) -> Vec<UpstreamReport> {
        let report = |ServedUpstream { endpoint, models }: &ServedUpstream| {
            let seen = endpoint.status.snapshot();
            let milliseconds = |latency: Duration| u64::try_from(latency.as_millis());
            UpstreamReport {
                name: endpoint.name.clone(),
                models: models.clone(),
                endpoints: endpoint.endpoints().map(|group| group.as_str().to_owned()).collect(),
                healthy: seen.is_healthy,
                latency_ms: seen.latency.map(|latency| milliseconds(latency).unwrap_or(u64::MAX)),
                calls: seen.calls,
                errors: seen.errors,
                last_failure: seen.last_failure,
            }
        };
        self.upstreams.iter().map(report).collect()
    }
}
