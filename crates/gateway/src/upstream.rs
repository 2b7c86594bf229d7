//! Who serves which model.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use latchkey_domain::key::Environment;
use latchkey_services::check::KeyRecord;
use latchkey_services::clock::Clock;
use reqwest::Url;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::audience::Audience;
use super::body::Endpoint;
use super::config::{CapField, GatewayConfig, Tokenizer, Upstream};
use super::reach::{UpstreamReach, Watch};
use super::upstream_client::{Origin, UpstreamClient};

/// The built-in model for newcomers who have configured no upstream.
pub(super) const SANDBOX: &str = "sandbox";
/// The longest silence in an answer that has begun.
const SILENCE_TIMEOUT: Duration = Duration::from_mins(5);
/// The most tokens of an answer where the configuration does not say.
pub(super) const MAX_OUTPUT_TOKENS: u64 = 32_768;

/// The upstreams, by what they serve.
pub(super) struct Upstreams {
    pub(super) client: Arc<UpstreamClient>,
    /// To the first byte.
    pub(super) timeout: Duration,
    /// Between bytes.
    pub(super) silence: Duration,
    /// A permit for each call that may be in progress.
    calls: Arc<Semaphore>,
    /// A permit for each long prompt that may be counted at once: half of the processors stay free.
    pub(super) counts: Arc<Semaphore>,
    models: HashMap<String, Served>,
    /// In the order of the file.
    names: Vec<String>,
    watch: Watch,
}

/// A model of an upstream.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) line: Arc<Line>,
    /// What the upstream calls it.
    pub(super) name: String,
    /// The most tokens of an answer.
    pub(super) most_tokens: u64,
    /// What counts its prompts, if that is known.
    pub(super) tokenizer: Option<Tokenizer>,
}

/// The way to an upstream, with everything that is the same for every call.
pub(super) struct Line {
    /// What operators call the upstream.
    pub(super) name: String,
    pub(super) origin: Arc<Origin>,
    chat: Uri,
    completions: Uri,
    embeddings: Uri,
    models: Uri,
    authorization: Option<HeaderValue>,
    api_key: Option<String>,
    audience: Audience,
    pass_fields: Vec<String>,
    pub(super) cap_field: Option<CapField>,
    /// It stops working when the connection closes.
    pub(super) cancels: bool,
}

impl Line {
    fn to(
        upstream: &Upstream,
        client: &UpstreamClient,
        http: &reqwest::Client,
    ) -> anyhow::Result<Self> {
        let base: Url = upstream.base_url.parse()?;
        let origin = client.origin(&base)?;
        let target = |path: &str| -> anyhow::Result<Uri> {
            let url: Url = format!("{}{path}", upstream.base_url).parse()?;
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            origin.target(format!("{}{query}", url.path()).parse()?)
        };
        Ok(Self {
            name: upstream.name.clone(),
            chat: target(Endpoint::Chat.path())?,
            completions: target(Endpoint::Completions.path())?,
            embeddings: target(Endpoint::Embeddings.path())?,
            models: target("/models")?,
            origin,
            authorization: authorization(upstream, base, http)?,
            api_key: upstream.api_key.clone(),
            audience: upstream.audience.clone(),
            pass_fields: upstream.pass_fields.clone(),
            cap_field: upstream.cap_field,
            cancels: upstream.cancels,
        })
    }

    /// Whether a key's organization may use it.
    fn serves(&self, key: &KeyRecord) -> bool {
        self.audience.includes(key.tier, key.organization)
    }

    /// What no client is told of it: where it is, and what it is called with.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(self.origin.host()).chain(self.api_key.as_deref())
    }

    /// A call, with the upstream's own credentials, if it has any.
    pub(super) fn call(&self, endpoint: Endpoint, body: Bytes) -> Request<Full<Bytes>> {
        let target = match endpoint {
            Endpoint::Chat => &self.chat,
            Endpoint::Completions => &self.completions,
            Endpoint::Embeddings => &self.embeddings,
        };
        let mut request = self.origin.request(Method::POST, target.clone(), body);
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        self.authorized(request)
    }

    /// The question which models it has.
    pub(super) fn ask_for_models(&self) -> Request<Full<Bytes>> {
        let target = self.models.clone();
        self.authorized(self.origin.request(Method::GET, target, Bytes::new()))
    }

    fn authorized(&self, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
        if let Some(value) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        request
    }
}

/// What an upstream is called with: its key, or what its URL holds.
fn authorization(
    upstream: &Upstream,
    base: Url,
    http: &reqwest::Client,
) -> anyhow::Result<Option<HeaderValue>> {
    let Some(api_key) = &upstream.api_key else {
        let mut request = http.get(base).build()?;
        return Ok(request.headers_mut().remove(AUTHORIZATION));
    };
    let mut value = HeaderValue::try_from(format!("Bearer {api_key}"))
        .map_err(|_| anyhow!("the key of the upstream \"{}\" is none", upstream.name))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Who answers a call.
pub(super) enum Route {
    Sandbox,
    Upstream(Served),
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
        let (mut models, mut names, mut lines) = (HashMap::new(), Vec::new(), Vec::new());
        for upstream in &config.upstreams {
            let line = Arc::new(Line::to(upstream, &client, http)?);
            for model in &upstream.models {
                let served = Served {
                    line: Arc::clone(&line),
                    name: model.upstream.clone(),
                    most_tokens: model.max_output_tokens.unwrap_or(MAX_OUTPUT_TOKENS),
                    tokenizer: model.tokenizer,
                };
                if let Some(tokenizer) = model.tokenizer {
                    tokenizer.load();
                }
                models.insert(model.id.clone(), served);
                names.push(model.id.clone());
            }
            lines.push(line);
        }
        let watch = Watch::over(lines);
        let calls = Arc::new(Semaphore::new(config.max_calls));
        let timeout = config.upstream_timeout;
        // Whoever lowers the one does not mean to wait longer for the other.
        let silence = timeout.min(SILENCE_TIMEOUT);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let counts = Arc::new(Semaphore::new((processors / 2).max(1)));
        Ok(Self { client, timeout, silence, calls, counts, models, names, watch })
    }

    /// A place among the node's calls to upstreams; none: too many are in progress.
    pub(super) fn begin_call(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.calls).try_acquire_owned().ok()
    }

    /// Which of them answer, as of a few seconds ago at most. `now` is on the monotonic clock.
    pub(super) async fn reach(&self, now: Duration) -> Vec<UpstreamReach> {
        self.watch.look(&self.client, now).await
    }

    /// Who answers a key's call of a model; none: nobody does. A test key's calls never reach an
    /// upstream, and cost nobody anything.
    pub(super) fn find(&self, model: &str, key: &KeyRecord) -> Option<Route> {
        match (key.environment, self.models.get(model)) {
            (Environment::Test, Some(_)) => Some(Route::Sandbox),
            (Environment::Live, Some(served)) if served.line.serves(key) => {
                Some(Route::Upstream(served.clone()))
            }
            _ if model == SANDBOX && self.has_sandbox(key) => Some(Route::Sandbox),
            _ => None,
        }
    }

    /// Whether the built-in model is there for a key: for every test key, and for a live one that
    /// has no other.
    fn has_sandbox(&self, key: &KeyRecord) -> bool {
        key.environment == Environment::Test
            || !self.models.values().any(|served| served.line.serves(key))
    }

    /// Whether a field that names another model, host or credential may go to the upstream of a
    /// model.
    pub(super) fn passes(&self, model: &str, field: &str) -> bool {
        let served = self.models.get(model);
        served.is_some_and(|served| served.line.pass_fields.iter().any(|one| one == field))
    }

    /// The models that there are for a key, each with who owns it.
    pub(super) fn models(&self, key: &KeyRecord) -> Vec<(&str, &str)> {
        let is_test = key.environment == Environment::Test;
        let served = |id: &String| self.models.get_key_value(id);
        let mut models: Vec<(&str, &str)> = self
            .names
            .iter()
            .filter_map(served)
            .filter(|(_, served)| is_test || served.line.serves(key))
            .map(|(id, served)| (id.as_str(), served.line.name.as_str()))
            .collect();
        if self.has_sandbox(key) {
            models.push((SANDBOX, "latchkey"));
        }
        models
    }
}
