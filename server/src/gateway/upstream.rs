//! Who serves which model.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use latchkey_domain::key::Environment;
use reqwest::Client;

use super::reach::{UpstreamReach, Watch};
use crate::config::{Config, Upstream};

/// The built-in model for newcomers who have configured no upstream.
pub(super) const SANDBOX: &str = "sandbox";
/// How long a connection to an upstream may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// The upstreams, by what they serve.
pub(crate) struct Upstreams {
    pub(super) client: Client,
    /// To the first byte, and between bytes.
    pub(super) patience: Duration,
    models: HashMap<String, Served>,
    /// In the order of the file.
    names: Vec<String>,
    watch: Watch,
}

/// A model of an upstream.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) upstream: Arc<Upstream>,
    /// What the upstream calls it.
    pub(super) name: String,
}

/// Who answers a call.
pub(super) enum Answerer {
    Sandbox,
    Upstream(Served),
}

impl Upstreams {
    /// From the configuration.
    ///
    /// # Errors
    /// The system has no TLS to call with.
    pub(crate) fn new(config: &Config) -> reqwest::Result<Self> {
        let client = Client::builder()
            .connect_timeout(CONNECT_PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .build()?;
        let upstreams: Vec<_> = config.upstreams.iter().cloned().map(Arc::new).collect();
        let (mut models, mut names) = (HashMap::new(), Vec::new());
        for upstream in &upstreams {
            for model in &upstream.models {
                let served =
                    Served { upstream: Arc::clone(upstream), name: model.upstream.clone() };
                models.insert(model.id.clone(), served);
                names.push(model.id.clone());
            }
        }
        let watch = Watch::over(upstreams);
        Ok(Self { client, patience: config.upstream_timeout, models, names, watch })
    }

    /// Which of them answer, as of a few seconds ago at most. `now` is on the monotonic clock.
    pub(crate) async fn reach(&self, now: Duration) -> Vec<UpstreamReach> {
        self.watch.look(&self.client, now).await
    }

    /// Who answers a call of a model; none: nobody serves it. A test key's calls never reach an upstream.
    pub(super) fn find(&self, model: &str, environment: Environment) -> Option<Answerer> {
        match (environment, self.models.get(model)) {
            (Environment::Test, Some(_)) => Some(Answerer::Sandbox),
            (Environment::Live, Some(served)) => Some(Answerer::Upstream(served.clone())),
            (Environment::Test, None) if model == SANDBOX => Some(Answerer::Sandbox),
            (Environment::Live, None) if model == SANDBOX && self.models.is_empty() => {
                Some(Answerer::Sandbox)
            }
            _ => None,
        }
    }

    /// The models that there are, each with who owns it.
    pub(super) fn models(&self, environment: Environment) -> Vec<(&str, &str)> {
        let served = |id: &String| self.models.get_key_value(id);
        let mut models: Vec<(&str, &str)> = self
            .names
            .iter()
            .filter_map(served)
            .map(|(id, served)| (id.as_str(), served.upstream.name.as_str()))
            .collect();
        if environment == Environment::Test || models.is_empty() {
            models.push((SANDBOX, "latchkey"));
        }
        models
    }
}
