//! The state that handlers share.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use axum::extract::FromRef;
use latchkey_gateway::{Gateway, GatewayConfig, Upstream};
use latchkey_services::Services;
use tokio::sync::Semaphore;

use crate::assets::SiteManifest;
use crate::config::{Config, SignIn};
use crate::metrics::Metrics;
use crate::oauth::GithubClient;
use crate::{fd_limit, http_client};

/// The state that handlers share. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The services that implement the product.
    pub services: Services,
    /// The settings.
    pub config: Arc<Config>,
    /// The upstreams of the gateway.
    pub(crate) gateway: Gateway,
    /// The GitHub client, if GitHub sign-in is configured.
    pub(crate) github: Option<Arc<GithubClient>>,
    /// The names of the site's files.
    pub(crate) site: Arc<SiteManifest>,
    pub(crate) metrics: Arc<Metrics>,
    /// Pages that may be rendered at once.
    pub(crate) rendering: Arc<Semaphore>,
    draining: Arc<AtomicBool>,
}

impl AppState {
    /// Prepares the handlers.
    ///
    /// # Errors
    /// GitHub's URLs are not URLs.
    pub fn new(services: Services, config: Config) -> anyhow::Result<Self> {
        let github = match &config.sign_in {
            SignIn::Github(app) => {
                Some(Arc::new(GithubClient::new(app, &config.public_url.to_string())?))
            }
            SignIn::Local => None,
        };
        Ok(Self {
            gateway: gateway(&services, &config)?,
            services,
            site: Arc::new(SiteManifest::load(&config.cargo_leptos)),
            config: Arc::new(config),
            github,
            metrics: Arc::default(),
            rendering: Arc::new(Semaphore::new(max_concurrent_renders())),
            draining: Arc::default(),
        })
    }

    /// Reads the upstreams file again. Calls in progress keep the upstreams that they began with.
    /// Returns whether anything has changed.
    ///
    /// # Errors
    /// The file can't be read, or says something that can't be. Nothing has changed then.
    pub fn reload_upstreams(&self) -> anyhow::Result<bool> {
        let Some(file) = &self.config.upstreams_file else { return Ok(false) };
        let upstreams = file.read()?;
        let has_changed = self.gateway.reload(&upstreams)?;
        if has_changed {
            tracing::info!("Upstreams reloaded");
            announce(&upstreams);
        }
        Ok(has_changed)
    }

    /// Settles the background responses that have ended and that no client has read. What fails is
    /// logged, and done again later.
    pub async fn settle_background(&self) {
        self.gateway.settle_background().await;
    }

    /// Makes `/readyz` answer 503.
    pub fn begin_drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is stopping.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// Logs who may use which upstream.
pub(crate) fn announce(upstreams: &[Upstream]) {
    for upstream in upstreams {
        let (name, audience) = (&upstream.name, &upstream.audience);
        tracing::info!(upstream = name, %audience, "Upstream configured");
    }
}

impl FromRef<AppState> for Services {
    fn from_ref(state: &AppState) -> Self {
        state.services.clone()
    }
}

/// How many pages are rendered concurrently. Rendering is CPU-bound and needs no credentials, so
/// one CPU is left for calls with a key.
fn max_concurrent_renders() -> usize {
    let processors = available_parallelism().map_or(1, NonZero::get);
    processors.saturating_sub(1).max(1)
}

impl FromRef<AppState> for Gateway {
    fn from_ref(state: &AppState) -> Self {
        state.gateway.clone()
    }
}

fn gateway(services: &Services, config: &Config) -> anyhow::Result<Gateway> {
    let shares = fd_limit::shares();
    let gateway = GatewayConfig {
        upstreams: config.upstreams.clone(),
        upstream_timeout: config.upstream_timeout,
        max_calls: shares.calls,
        max_idle_connections: shares.idle,
    };
    Gateway::new(services.checker.clone(), services.clock(), &gateway, &http_client().build()?)
}
