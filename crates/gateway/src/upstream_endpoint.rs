//! Where an upstream is, and how a request to it is built.

use std::sync::Arc;

use anyhow::anyhow;
use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use latchkey_checker::KeyRecord;
use latchkey_domain::price::Price;
use reqwest::Url;

use super::audience::Audience;
use super::config::{CapField, Tokenizer, Upstream};
use super::endpoint::Endpoint;
use super::upstream_client::{Origin, UpstreamClient};

/// A model under its name at the upstream, with its limits and its price.
#[derive(Clone)]
pub(super) struct UpstreamModel {
    pub(super) upstream: Arc<UpstreamEndpoint>,
    /// Name of the model at the upstream.
    pub(super) name: String,
    /// Maximum output tokens.
    pub(super) max_output_tokens: u64,
    /// Tokenizer of the model, if known.
    pub(super) tokenizer: Option<Tokenizer>,
    /// What the model costs, if known.
    pub(super) price: Option<Price>,
}

/// An upstream, with everything that is the same for each call prepared in advance.
pub(super) struct UpstreamEndpoint {
    /// Name of the upstream in logs.
    pub(super) name: String,
    pub(super) origin: Arc<Origin>,
    /// Targets of [`Endpoint::ALL`], in that order.
    targets: [Uri; Endpoint::ALL.len()],
    models: Uri,
    authorization: Option<HeaderValue>,
    api_key: Option<String>,
    audience: Audience,
    pub(super) pass_fields: Vec<String>,
    pub(super) cap_field: Option<CapField>,
    /// Whether it stops generating when the connection closes.
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
        let mut targets = std::array::from_fn(|_| Uri::default());
        for (place, endpoint) in targets.iter_mut().zip(Endpoint::ALL) {
            *place = target(endpoint.path())?;
        }
        Ok(Self {
            name: upstream.name.clone(),
            targets,
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

    /// Whether the organization of the key may use it.
    pub(super) fn serves(&self, key: &KeyRecord) -> bool {
        self.audience.includes(key.tier, key.organization)
    }

    /// Strings that clients must not see: the host and the API key.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(self.origin.host()).chain(self.api_key.as_deref())
    }

    /// Builds a call with the upstream's credentials.
    pub(super) fn request(&self, endpoint: Endpoint, body: Bytes) -> Request<Full<Bytes>> {
        // `Endpoint::ALL` has the variants in their order.
        let target = &self.targets[endpoint as usize];
        let mut request = self.origin.request(Method::POST, target.clone(), body);
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        self.authorized(request)
    }

    /// Builds a request for the list of models.
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

/// The `Authorization` header: the API key, or the credentials in the URL.
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
