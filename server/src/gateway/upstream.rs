//! Who serves which model.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use axum::http::HeaderValue;
use axum::http::header::AUTHORIZATION;
use latchkey_domain::key::Environment;
use reqwest::{Client, RequestBuilder, Url};

use super::body::Endpoint;
use super::reach::{UpstreamReach, Watch};
use crate::config::{Config, Upstream};
use crate::http_client;

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
    pub(super) line: Arc<Line>,
    /// What the upstream calls it.
    pub(super) name: String,
}

/// The way to an upstream, with everything that is the same for every call.
pub(super) struct Line {
    /// What operators call the upstream.
    pub(super) name: String,
    chat: Url,
    completions: Url,
    embeddings: Url,
    pub(super) models: Url,
    authorization: Option<HeaderValue>,
}

impl Line {
    fn to(upstream: &Upstream) -> anyhow::Result<Self> {
        let url = |path: &str| -> anyhow::Result<Url> {
            Ok(format!("{}{path}", upstream.base_url).parse()?)
        };
        let authorization = upstream.api_key.as_ref().map(|api_key| {
            let mut value = HeaderValue::try_from(format!("Bearer {api_key}"))
                .map_err(|_| anyhow!("the key of the upstream \"{}\" is none", upstream.name))?;
            value.set_sensitive(true);
            anyhow::Ok(value)
        });
        Ok(Self {
            name: upstream.name.clone(),
            chat: url(Endpoint::Chat.path())?,
            completions: url(Endpoint::Completions.path())?,
            embeddings: url(Endpoint::Embeddings.path())?,
            models: url("/models")?,
            authorization: authorization.transpose()?,
        })
    }

    /// Where an endpoint is.
    pub(super) const fn url(&self, endpoint: Endpoint) -> &Url {
        match endpoint {
            Endpoint::Chat => &self.chat,
            Endpoint::Completions => &self.completions,
            Endpoint::Embeddings => &self.embeddings,
        }
    }

    /// A request with the upstream's own credentials, if it has any.
    pub(super) fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value.clone()),
            None => request,
        }
    }
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
    /// The system has no TLS to call with, or a key can't be sent.
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let client = http_client().connect_timeout(CONNECT_PATIENCE).tcp_nodelay(true).build()?;
        let (mut models, mut names, mut lines) = (HashMap::new(), Vec::new(), Vec::new());
        for upstream in &config.upstreams {
            let line = Arc::new(Line::to(upstream)?);
            for model in &upstream.models {
                let served = Served { line: Arc::clone(&line), name: model.upstream.clone() };
                models.insert(model.id.clone(), served);
                names.push(model.id.clone());
            }
            lines.push(line);
        }
        let watch = Watch::over(lines);
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
            .map(|(id, served)| (id.as_str(), served.line.name.as_str()))
            .collect();
        if environment == Environment::Test || models.is_empty() {
            models.push((SANDBOX, "latchkey"));
        }
        models
    }
}
