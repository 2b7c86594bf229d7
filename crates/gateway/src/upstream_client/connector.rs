//! Establishes connections to upstreams: TCP, TLS, and proxies.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Uri, uri};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use rustls::ClientConfig;
use tower::ServiceExt;

use super::connection::Transport;

/// TCP keep-alive: interval of the probes, and how many may fail before the connection is closed. A
/// stream may be silent for minutes.
const TCP_KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
const TCP_KEEP_ALIVE_RETRIES: u32 = 3;
/// How long sent data may stay unacknowledged.
#[cfg(target_os = "linux")]
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);

type Direct = HttpsConnector<HttpConnector>;

/// What all connections share.
#[derive(Clone)]
pub(super) struct Connector {
    direct: Direct,
    tls: Arc<ClientConfig>,
    proxies: Arc<Matcher>,
}

/// How an upstream is reached.
pub(super) enum Route {
    Direct {
        connector: Direct,
        to: Uri,
    },
    /// Through a tunnel (`CONNECT`). The proxy sees nothing of the content.
    Tunnel {
        connector: HttpsConnector<Tunnel<Direct>>,
        to: Uri,
    },
    /// Requests are sent to the proxy, which forwards them.
    Forward {
        connector: Direct,
        proxy: Uri,
        authorization: Option<HeaderValue>,
    },
}

impl Connector {
    /// With the system's root certificates and the proxies from the environment.
    ///
    /// # Errors
    /// The system's root certificates cannot be read.
    pub(super) fn of_system() -> anyhow::Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .try_with_platform_verifier()?
            .with_no_client_auth();
        Ok(Self::new(tls, Matcher::from_env()))
    }

    pub(super) fn new(mut tls: ClientConfig, proxies: Matcher) -> Self {
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let tls = Arc::new(tls);
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEP_ALIVE_INTERVAL));
        tcp.set_keepalive_interval(Some(TCP_KEEP_ALIVE_INTERVAL));
        tcp.set_keepalive_retries(Some(TCP_KEEP_ALIVE_RETRIES));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT));
        let direct = HttpsConnector::from((tcp, Arc::clone(&tls)));
        Self { direct, tls, proxies: Arc::new(proxies) }
    }

    /// How to reach an upstream.
    pub(super) fn route(&self, to: Uri) -> Route {
        let connector = self.direct.clone();
        let Some(proxy) = self.proxies.intercept(&to) else {
            return Route::Direct { connector, to };
        };
        let authorization = proxy.basic_auth().cloned();
        if to.scheme() != Some(&uri::Scheme::HTTPS) {
            return Route::Forward { connector, proxy: proxy.uri().clone(), authorization };
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), connector);
        if let Some(authorization) = authorization {
            tunnel = tunnel.with_auth(authorization);
        }
        Route::Tunnel { connector: HttpsConnector::from((tunnel, Arc::clone(&self.tls))), to }
    }
}

impl Route {
    /// Establishes a connection.
    pub(super) async fn connect(&self) -> Result<Box<dyn Transport>, Box<dyn Error + Send + Sync>> {
        Ok(match self {
            Self::Direct { connector, to } => {
                Box::new(connector.clone().oneshot(to.clone()).await?)
            }
            Self::Tunnel { connector, to } => {
                Box::new(connector.clone().oneshot(to.clone()).await?)
            }
            Self::Forward { connector, proxy, .. } => {
                Box::new(connector.clone().oneshot(proxy.clone()).await?)
            }
        })
    }
}
