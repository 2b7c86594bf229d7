//! The way to an upstream.

use std::sync::Arc;

use anyhow::anyhow;
use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use latchkey_services::check::KeyRecord;
use reqwest::Url;

use super::audience::Audience;
use super::config::{CapField, Tokenizer, Upstream};
use super::endpoint::Endpoint;
use super::upstream_client::{Origin, UpstreamClient};

/// A model, and how its upstream is called for it.
#[derive(Clone)]
pub(super) struct UpstreamModel {
    pub(super) upstream: Arc<UpstreamEndpoint>,
    /// What the upstream calls it.
    pub(super) name: String,
    /// The most tokens of an answer.
    pub(super) max_output_tokens: u64,
    /// What counts its prompts, if that is known.
    pub(super) tokenizer: Option<Tokenizer>,
}

/// The way to an upstream, with everything that is the same for every call.
pub(super) struct UpstreamEndpoint {
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
    pub(super) pass_fields: Vec<String>,
    pub(super) cap_field: Option<CapField>,
    /// It stops working when the connection closes.
    pub(super) cancels: bool,
}

impl UpstreamEndpoint {
    pub(super) fn new(
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
    pub(super) fn serves(&self, key: &KeyRecord) -> bool {
        self.audience.includes(key.tier, key.organization)
    }

    /// What no client is told of it: where it is, and what it is called with.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(self.origin.host()).chain(self.api_key.as_deref())
    }

    /// A call, with the upstream's own credentials, if it has any.
    pub(super) fn request(&self, endpoint: Endpoint, body: Bytes) -> Request<Full<Bytes>> {
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
    pub(super) fn models_request(&self) -> Request<Full<Bytes>> {
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
