//! An upstream's address, and the connections to it that wait for a call.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::Context;
use axum::body::Bytes;
use axum::http::header::{ACCEPT, HOST, PROXY_AUTHORIZATION};
use axum::http::uri::{Authority, PathAndQuery, Scheme};
use axum::http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use latchkey_services::clock::Clock;
use reqwest::Url;
use tokio::runtime::Handle;

use super::connection::Connection;
use super::connector::{Connector, Route};

/// How long a connection is kept that nobody uses: less than the five seconds after which common
/// servers close theirs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// How often those that were kept too long are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);

/// Where an upstream is, with the connections that are open to it.
pub(crate) struct Origin {
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    route: Route,
    idle: Mutex<Idle>,
    max_idle: usize,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Idle {
    /// Each with when it was last used, the latest at the end.
    connections: VecDeque<(Duration, Connection)>,
    /// Somebody closes those that are kept too long.
    is_swept: bool,
}

impl Origin {
    /// Of a URL. At most `most_idle` connections wait.
    ///
    /// # Errors
    /// The URL has no host.
    pub(super) fn new(
        url: &Url,
        connector: &Connector,
        clock: Arc<dyn Clock>,
        max_idle: usize,
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

    /// Its name or address.
    pub(crate) fn host(&self) -> &str {
        self.authority.host()
    }

    /// What names a path of it in a request.
    ///
    /// # Errors
    /// The parts make no URI.
    pub(crate) fn target(&self, path: PathAndQuery) -> anyhow::Result<Uri> {
        if !matches!(self.route, Route::Forward { .. }) {
            return Ok(path.into());
        }
        let (scheme, authority) = (self.scheme.clone(), self.authority.clone());
        Ok(Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build()?)
    }

    /// A request to it.
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

    /// The connection that was used last, if one waits that is still open.
    pub(super) fn take_idle(&self) -> Option<Connection> {
        loop {
            let (used, mut connection) = self.idle().connections.pop_back()?;
            let age = self.clock.monotonic().saturating_sub(used);
            if age < IDLE_TIMEOUT && connection.is_idle() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose answer is whole for the next call.
    pub(super) fn keep(self: &Arc<Self>, mut connection: Connection) {
        if !connection.is_idle() {
            return;
        }
        let now = self.clock.monotonic();
        let mut idle = self.idle();
        if idle.connections.len() >= self.max_idle {
            return;
        }
        idle.connections.push_back((now, connection));
        // There is no runtime when the process ends.
        if !idle.is_swept
            && let Ok(runtime) = Handle::try_current()
        {
            idle.is_swept = true;
            runtime.spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Closes what was kept too long, or was closed by the other side. Returns whether some are
    /// left.
    fn close_old(&self) -> bool {
        let now = self.clock.monotonic();
        let mut idle = self.idle();
        idle.connections.retain_mut(|(used, connection)| {
            now.saturating_sub(*used) < IDLE_TIMEOUT && connection.is_idle()
        });
        idle.is_swept = !idle.connections.is_empty();
        idle.is_swept
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Goes on as long as connections wait.
async fn sweep(origin: Weak<Origin>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        match origin.upgrade() {
            Some(origin) if origin.close_old() => {}
            _ => return,
        }
    }
}
