//! The address of an upstream and its idle connections.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::Context;
use axum::body::Bytes;
use axum::http::header::{ACCEPT, HOST, PROXY_AUTHORIZATION};
use axum::http::uri::{Authority, PathAndQuery, Scheme};
use axum::http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use latchkey_checker::clock::Clock;
use latchkey_domain::time::Timestamp;
use reqwest::Url;
use tokio::runtime::Handle;

use super::connection::Connection;
use super::connector::{Connector, Route};

/// How long an idle connection is kept: less than the five seconds after which common servers close
/// theirs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// How often expired idle connections are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);

/// Scheme, host and port of an upstream, with a pool of idle connections.
pub(crate) struct Origin {
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    route: Route,
    idle: Mutex<IdlePool>,
    max_idle: Arc<AtomicUsize>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct IdlePool {
    /// Each with the time of its last use, the latest at the end.
    connections: VecDeque<(Duration, Connection)>,
    /// Whether a task is running that closes expired connections.
    is_swept: bool,
}

impl Origin {
    /// The origin of a URL, with a pool of at most `max_idle` connections.
    ///
    /// # Errors
    /// The URL has no host.
    pub(super) fn new(
        url: &Url,
        connector: &Connector,
        clock: Arc<dyn Clock>,
        max_idle: Arc<AtomicUsize>,
    ) -> anyhow::Result<Self> {
        let mut host = url.host_str().context("a URL without a host")?.to_owned();
        if let Some(port) = url.port() {
            host = format!("{host}:{port}");
        }
        let scheme: Scheme = url.scheme().parse()?;
        let authority: Authority = host.parse()?;
        let root = Uri::builder().scheme(scheme.clone()).authority(authority.clone());
        Ok(Self {
            scheme,
            authority,
            host: host.try_into()?,
            route: connector.route(root.path_and_query("/").build()?),
            idle: Mutex::default(),
            max_idle,
            clock,
        })
    }

    /// Host name or IP address.
    pub(crate) fn host(&self) -> &str {
        self.authority.host()
    }

    /// The time of the wall clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The request target of a path.
    ///
    /// # Errors
    /// The parts do not form a valid URI.
    pub(crate) fn target(&self, path: PathAndQuery) -> anyhow::Result<Uri> {
        if !matches!(self.route, Route::Forward { .. }) {
            return Ok(path.into());
        }
        let (scheme, authority) = (self.scheme.clone(), self.authority.clone());
        Ok(Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build()?)
    }

    /// Builds a request to this origin.
    pub(crate) fn request(&self, method: Method, target: Uri, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = target;
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        if let Route::Forward { authorization: Some(value), .. } = &self.route {
            headers.insert(PROXY_AUTHORIZATION, value.clone());
        }
        request
    }

    pub(super) const fn route(&self) -> &Route {
        &self.route
    }

    /// Takes the most recently used idle connection that is still open.
    pub(super) fn take_idle(&self) -> Option<Connection> {
        loop {
            let (used, mut connection) = self.idle().connections.pop_back()?;
            let age = self.clock.monotonic().saturating_sub(used);
            if age < IDLE_TIMEOUT && connection.is_idle() {
                return Some(connection);
            }
        }
    }

    /// Returns a connection to the pool after its response is complete.
    pub(super) fn keep(self: &Arc<Self>, mut connection: Connection) {
        if !connection.is_idle() {
            return;
        }
        let now = self.clock.monotonic();
        let mut idle = self.idle();
        if idle.connections.len() >= self.max_idle.load(Ordering::Relaxed) {
            return;
        }
        idle.connections.push_back((now, connection));
        // During shutdown there is no runtime.
        if !idle.is_swept
            && let Ok(runtime) = Handle::try_current()
        {
            idle.is_swept = true;
            runtime.spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Removes expired and closed connections. Returns whether any are left.
    fn close_old(&self) -> bool {
        let now = self.clock.monotonic();
        let mut idle = self.idle();
        idle.connections.retain_mut(|(used, connection)| {
            now.saturating_sub(*used) < IDLE_TIMEOUT && connection.is_idle()
        });
        idle.is_swept = !idle.connections.is_empty();
        idle.is_swept
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, IdlePool> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs until no idle connections are left.
async fn sweep(origin: Weak<Origin>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        match origin.upgrade() {
            Some(origin) if origin.close_old() => {}
            _ => return,
        }
    }
}
