//! Protects an axum API with Latchkey's API keys.
//!
//! The layer asks Latchkey about the key of each request, and admits nothing that Latchkey did not
//! call valid: what goes wrong on the way is 503, with a line for the operator.
//!
//! ```
//! use axum::{Router, routing::get};
//! use latchkey_axum::{Caller, ConfigError, Latchkey};
//!
//! fn api(service_key: &str) -> Result<Router, ConfigError> {
//!     let keys = Latchkey::new("https://latchkey.example.com", service_key)
//!         .scopes(["orders:read"])
//!         .layer()?;
//!     let hello = get(|caller: Caller| async move { format!("Hello {}", caller.name) });
//!     Ok(Router::new().route("/hello", hello).layer(keys))
//! }
//! ```

mod answer;
mod caller;
mod scope_query;
mod verifier;

use std::mem;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum_core::extract::Request;
use axum_core::response::Response;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use http::request::Parts;
use reqwest::{Client, Url};
use tower_layer::Layer;
use tower_service::Service;

pub use crate::caller::Caller;
pub use crate::scope_query::ScopeQuery;
use crate::verifier::{Settings, Verifier};

const TIMEOUT: Duration = Duration::from_secs(2);
const CACHE_LIMIT: Duration = Duration::from_secs(1);
/// Idle connections are closed before Latchkey, or a proxy before it, closes them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// An option that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("latchkey-axum: {0}")]
pub struct ConfigError(&'static str);

/// Whom to ask, and what; [`Latchkey::layer`] makes the middleware.
pub struct Latchkey {
    url: String,
    token: String,
    timeout: Duration,
    settings: Settings,
}

impl Latchkey {
    /// `url` is Latchkey's address, without `/v1`; `token` a service key with the permission
    /// `keys:verify`.
    pub fn new(url: impl Into<String>, token: impl Into<String>) -> Self {
        let settings = Settings {
            application_id: None,
            scopes: None,
            cost: Box::new(|_| 0),
            ip: Box::new(|_| None),
            key: Box::new(presented_key),
            cache: Duration::ZERO,
        };
        Self { url: url.into(), token: token.into(), timeout: TIMEOUT, settings }
    }

    /// The application that keys have to be for.
    #[must_use]
    pub fn application(mut self, id: impl Into<String>) -> Self {
        self.settings.application_id = Some(id.into());
        self
    }

    /// The scopes that keys need. An array means all of them.
    #[must_use]
    pub fn scopes(mut self, query: impl Into<ScopeQuery>) -> Self {
        self.settings.scopes = Some(match query.into() {
            one @ ScopeQuery::One(_) => ScopeQuery::All(vec![one]),
            operator => operator,
        });
        self
    }

    /// Tokens that a request takes from the key's tokens a minute and token budgets. Default: 0.
    #[must_use]
    pub fn cost(mut self, cost: impl Fn(&Parts) -> u64 + Send + Sync + 'static) -> Self {
        self.settings.cost = Box::new(cost);
        self
    }

    /// The client's address, for keys with `allowed_cidrs`. Without it they are refused.
    #[must_use]
    pub fn ip(mut self, ip: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.settings.ip = Box::new(ip);
        self
    }

    /// Takes the key from the request. Default: `x-api-key`, else `Authorization: Bearer`.
    #[must_use]
    pub fn key(mut self, key: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        self.settings.key = Box::new(key);
        self
    }

    /// How long Latchkey may take. Default: 2 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a valid answer may be used again, at most 1 s. Default: every request is asked
    /// about.
    #[must_use]
    pub fn cache(mut self, cache: Duration) -> Self {
        self.settings.cache = cache;
        self
    }

    /// The middleware.
    ///
    /// # Errors
    /// If an option makes no sense, or TLS can't be set up.
    pub fn layer(self) -> Result<LatchkeyLayer, ConfigError> {
        let endpoint = endpoint(&self.url)?;
        if self.token.is_empty() || !self.token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigError("the token has to be a service key"));
        }
        if self.timeout.is_zero() {
            return Err(ConfigError("the timeout has to be above 0"));
        }
        if self.settings.cache > CACHE_LIMIT {
            return Err(ConfigError("answers are cached for at most a second"));
        }
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", self.token))
            .map_err(|_| ConfigError("the token has to be a service key"))?;
        authorization.set_sensitive(true);
        // An error says that the program has chosen its cryptography itself.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            // Another host would be sent the service key.
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .timeout(self.timeout)
            .build()
            .map_err(|_| ConfigError("the HTTP client can't be set up"))?;
        let cache = Mutex::default();
        let verifier = Verifier { settings: self.settings, endpoint, authorization, client, cache };
        Ok(LatchkeyLayer(Arc::new(verifier)))
    }
}

fn endpoint(url: &str) -> Result<Url, ConfigError> {
    let wrong = ConfigError("the URL has to be Latchkey's, as https://latchkey.example.com");
    let base = Url::parse(url).map_err(|_| wrong)?;
    let is_plain = matches!(base.scheme(), "http" | "https")
        && base.username().is_empty()
        && base.password().is_none()
        && base.query().is_none()
        && base.fragment().is_none();
    if !is_plain {
        return Err(wrong);
    }
    let base = base.as_str().trim_end_matches('/');
    Url::parse(&format!("{base}/v1/keys/verify")).map_err(|_| wrong)
}

fn presented_key(parts: &Parts) -> Option<String> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let own = parts.headers.get("x-api-key").map(text).filter(|key| !key.is_empty());
    own.or_else(|| {
        let credentials = parts.headers.get(AUTHORIZATION).map(text)?;
        let (scheme, key) = credentials.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().to_owned())
    })
}

/// Refuses every request without a valid key.
#[derive(Clone)]
pub struct LatchkeyLayer(Arc<Verifier>);

impl<S> Layer<S> for LatchkeyLayer {
    type Service = LatchkeyService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LatchkeyService { inner, verifier: Arc::clone(&self.0) }
    }
}

/// A service behind a [`LatchkeyLayer`].
#[derive(Clone)]
pub struct LatchkeyService<S> {
    inner: S,
    verifier: Arc<Verifier>,
}

impl<S> Service<Request> for LatchkeyService<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    /// If the client goes, the future is dropped, and with it the call.
    fn call(&mut self, request: Request) -> Self::Future {
        let clone = self.inner.clone();
        // The clone may not be ready.
        let mut inner = mem::replace(&mut self.inner, clone);
        let verifier = Arc::clone(&self.verifier);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match verifier.check(&parts).await {
                Ok((caller, rates)) => {
                    parts.extensions.insert(caller);
                    let mut response = inner.call(Request::from_parts(parts, body)).await?;
                    rates.write(response.headers_mut());
                    Ok(response)
                }
                Err(refusal) => Ok(refusal.response()),
            }
        })
    }
}
