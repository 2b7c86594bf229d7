//! Where an upstream is, and how a request to it is built.

use std::sync::Arc;

use anyhow::anyhow;
use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use latchkey_checker::KeyRecord;
use latchkey_domain::api::UpstreamFailure;
use latchkey_domain::price::Price;
use reqwest::Url;

use super::audience::Audience;
use super::config::{CapField, EndpointGroup, Tokenizer, Upstream, UpstreamKind};
use super::endpoint::Endpoint;
use super::request_headers::PassedHeaders;
use super::upstream_client::{Origin, UpstreamClient};
use super::upstream_status::UpstreamStatus;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// Sent if the client has not said which version it speaks.
const DEFAULT_ANTHROPIC_VERSION: &str = "2023-06-01";

/// A model under its name at the upstream, with its limits and its price.
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
    /// Its settings without the models.
    settings: Upstream,
    /// Name of the upstream in logs.
    pub(super) name: String,
    pub(super) status: Arc<UpstreamStatus>,
    pub(super) origin: Arc<Origin>,
    /// Targets of [`Endpoint::ALL`], in that order.
    targets: [Uri; Endpoint::ALL.len()],
    models: Uri,
    /// The headers with our credentials.
    credentials: Vec<(HeaderName, HeaderValue)>,
    audience: Audience,
    /// Share of the calls among the upstreams of a model.
    pub(super) weight: u32,
    /// Whether it waits until no other upstream can serve a call.
    pub(super) backup: bool,
    pub(super) pass_fields: Vec<String>,
    pub(super) cap_field: Option<CapField>,
    /// Whether it stops generating when the connection closes.
    pub(super) cancels: bool,
}

impl UpstreamEndpoint {
    /// Prepares calls to an upstream, whose status may be known from before.
    ///
    /// # Errors
    /// The API key is not a valid header value.
    pub(super) fn new(
        upstream: &Upstream,
        status: Arc<UpstreamStatus>,
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
            settings: without_models(upstream),
            name: upstream.name.clone(),
            status,
            targets,
            models: target("/models")?,
            origin,
            credentials: credentials(upstream, base, http)?,
            audience: upstream.audience.clone(),
            weight: upstream.weight,
            backup: upstream.backup,
            pass_fields: upstream.pass_fields.clone(),
            cap_field: upstream.cap_field,
            cancels: upstream.cancels,
        })
    }

    /// Whether the organization of the key may use it.
    pub(super) fn serves(&self, key: &KeyRecord) -> bool {
        self.audience.includes(key.tier, key.organization)
    }

    /// How it is sent our credentials, which tells whose API it speaks.
    pub(super) const fn kind(&self) -> UpstreamKind {
        self.settings.kind
    }

    /// Whether it is configured to serve an endpoint.
    pub(super) fn has(&self, endpoints: EndpointGroup) -> bool {
        self.settings.endpoints.contains(&endpoints)
    }

    /// The endpoints that it is configured to serve, in the order in which they are shown.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = EndpointGroup> {
        EndpointGroup::ALL.into_iter().filter(move |endpoints| self.has(*endpoints))
    }

    /// Whether it was made from these settings, whatever its models are.
    pub(super) fn is_of(&self, upstream: &Upstream) -> bool {
        self.settings == without_models(upstream)
    }

    /// Counts an answer that had begun and did not come to its end, or was an error. `message` is
    /// for administrators, without hosts and credentials.
    pub(super) fn count_broken_answer(&self, message: &str) {
        let (at, message) = (self.origin.now(), message.to_owned());
        self.status.broke_off(UpstreamFailure { at, status: None, message });
    }

    /// Strings that clients must not see: the host and the API key.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(self.origin.host()).chain(self.settings.api_key.as_deref())
    }

    /// Builds a call with the client's headers that pass, and the upstream's credentials.
    pub(super) fn request(
        &self,
        endpoint: Endpoint,
        passed: &PassedHeaders,
        content_type: HeaderValue,
        body: Bytes,
    ) -> Request<Full<Bytes>> {
        // `Endpoint::ALL` has the variants in their order.
        let target = &self.targets[endpoint as usize];
        let mut request = self.origin.request(Method::POST, target.clone(), body);
        request.headers_mut().insert(CONTENT_TYPE, content_type);
        passed.write(request.headers_mut());
        self.authorized(request)
    }

    /// The target of a request about a stored response. `path` follows that of all responses. None
    /// if they do not form a valid URI.
    pub(super) fn response_target(&self, path: &str, query: &str) -> Option<Uri> {
        let target = &self.targets[Endpoint::Responses as usize];
        let queries = [target.query().unwrap_or_default(), query];
        let query = queries.into_iter().filter(|query| !query.is_empty());
        let query = query.collect::<Vec<_>>().join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        let mut parts = target.clone().into_parts();
        parts.path_and_query = Some(format!("{}{path}{mark}{query}", target.path()).parse().ok()?);
        Uri::from_parts(parts).ok()
    }

    /// Builds a request without a body.
    pub(super) fn request_to(&self, method: Method, target: Uri) -> Request<Full<Bytes>> {
        self.authorized(self.origin.request(method, target, Bytes::new()))
    }

    /// Builds a request for the list of models.
    pub(super) fn models_request(&self) -> Request<Full<Bytes>> {
        self.request_to(Method::GET, self.models.clone())
    }

    fn authorized(&self, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
        let headers = request.headers_mut();
        for (name, value) in &self.credentials {
            headers.insert(name, value.clone());
        }
        if self.settings.kind == UpstreamKind::Anthropic {
            let version = HeaderValue::from_static(DEFAULT_ANTHROPIC_VERSION);
            headers.entry(ANTHROPIC_VERSION).or_insert(version);
        }
        request
    }
}

fn without_models(upstream: &Upstream) -> Upstream {
    Upstream { models: Vec::new(), ..upstream.clone() }
}

/// The headers with the API key, or with the credentials in the URL.
fn credentials(
    upstream: &Upstream,
    base: Url,
    http: &reqwest::Client,
) -> anyhow::Result<Vec<(HeaderName, HeaderValue)>> {
    let Some(api_key) = &upstream.api_key else {
        let mut request = http.get(base).build()?;
        let of_url = request.headers_mut().remove(AUTHORIZATION);
        return Ok(of_url.map(|value| (AUTHORIZATION, value)).into_iter().collect());
    };
    let (name, value) = match upstream.kind {
        UpstreamKind::OpenAi => (AUTHORIZATION, HeaderValue::try_from(format!("Bearer {api_key}"))),
        UpstreamKind::Anthropic => (API_KEY, HeaderValue::try_from(api_key)),
    };
    let mut value =
        value.map_err(|_| anyhow!("the key of the upstream \"{}\" is none", upstream.name))?;
    value.set_sensitive(true);
    Ok(vec![(name, value)])
}
