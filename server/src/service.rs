//! What wraps every response: the request id, the log line, the problem body, the security headers.
//! It is one function instead of nested layers, because each layer clones everything below it per
//! request.
//!
//! The busiest endpoints bypass the router: `verify`, `check` and the gateway's. Those of the
//! gateway go through it if pages of other origins may call them, as its layers answer those.

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_LENGTH};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use hyper::body::Body as _;
use latchkey_domain::mask;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::problem::ErrorCode;
use latchkey_gateway::{ApiFormat, DirectEndpoint, UnmatchedRequest};
use latchkey_listener::{AcceptedRequest, BodyPermit, DrainedBody};
use latchkey_services::clock::Clock;
use latchkey_services::forward_auth::AllowedRequest;
use tower::{Service, ServiceExt};
use tracing::Instrument;

use crate::http::challenge::Credentials;
use crate::http::client::ClientIp;
use crate::http::problem::{self, Refusal};
use crate::http::request_id::RequestId;
use crate::http::request_limits::REQUEST_TIMEOUT;
use crate::http::{limits, masked, security_headers};
use crate::ingest;
use crate::metrics::{Metrics, RouteClass};
use crate::otel;
use crate::router::router;
use crate::routes::{check, verify};
use crate::state::AppState;
use crate::system::SystemClock;

/// The target of the log lines of requests.
pub(crate) const LOG_TARGET: &str = module_path!();
/// What a log line shows of a path at most, in bytes.
const LONGEST_SHOWN: usize = 1_024;

/// Everything that this server answers. A clone is another reference to it.
#[derive(Clone)]
pub struct HttpService(Arc<SharedEndpoints>);

/// The endpoints as one connection refers to them. Its requests count their references here, and
/// not where those of all connections would be counted.
struct SharedEndpoints(Arc<Endpoints>);

struct Endpoints {
    state: AppState,
    router: Router,
    /// The headers of an answer to the busiest call.
    of_verified: HeaderMap,
    /// The headers of an answer to a proxy that may let a request through.
    of_allowed: HeaderMap,
}

impl HttpService {
    /// Builds the routes and their layers.
    pub fn new(state: AppState) -> Self {
        let over_https = state.config.public_url.is_https();
        let mut of_verified = security_headers::of_json(over_https);
        RequestId::reserve(&mut of_verified);
        let of_allowed = check::headers_of_allowed(over_https);
        let router = router(state.clone());
        let endpoints = Endpoints { state, router, of_verified, of_allowed };
        Self(Arc::new(SharedEndpoints(Arc::new(endpoints))))
    }

    /// The same for another connection.
    pub(crate) fn of_connection(&self) -> Self {
        Self(Arc::new(SharedEndpoints(Arc::clone(&self.0.0))))
    }

    /// Counter of open connections.
    pub(crate) fn open_connections(&self) -> &Arc<AtomicU64> {
        &self.0.0.metrics().connections
    }
}

impl Endpoints {
    async fn routed(&self, context: &RequestContext, request: Request<DrainedBody>) -> Response {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(context.ip);
        request.extensions_mut().insert(latchkey_gateway::ClientIp(context.ip.0));
        request.extensions_mut().insert(context.id);
        let method = request.method().clone();
        let path = shown(request.uri().path());
        let unmatched = UnmatchedRequest::of(&request);
        let span = tracing::info_span!("request", request_id = %context.id);
        // Its only error is that there is none.
        let routed = self.router.clone().oneshot(request).map(|Ok(response)| response);
        let routed = catch_panic(routed).instrument(span.clone()).await;
        let mut response = routed.unwrap_or_else(|panicked| panicked);
        if let Some(unmatched) = unmatched {
            let is_refusal = response.extensions().get::<Refusal>().is_some();
            let gateway = &self.state.gateway;
            response = unmatched.answer(gateway, context.ip.0, &method, response, is_refusal).await;
        }
        let response = self.finish(context, response).await;
        let elapsed = self.time(context);
        span.in_scope(|| log_response(&method, &path, &response, elapsed));
        response
    }

    /// As [`Self::routed`], for an endpoint of the gateway and without its boxes and clones.
    async fn called(
        &self,
        context: &RequestContext,
        endpoint: DirectEndpoint,
        request: Request<DrainedBody>,
    ) -> Response {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(latchkey_gateway::ClientIp(context.ip.0));
        let span = tracing::info_span!("request", request_id = %context.id);
        let gateway = &self.state.gateway;
        let answered = catch_panic(Box::pin(endpoint.answer(gateway, request)));
        let answered = answered.instrument(span.clone());
        let mut response = match answered.await {
            Ok(mut response) => {
                limits::write_attached(&mut response);
                set_content_length(&mut response);
                response
            }
            Err(panicked) => panicked,
        };
        if !response.status().is_success() {
            let sent = UnmatchedRequest::of_endpoint(endpoint.path(), context.format);
            let is_refusal = response.extensions().get::<Refusal>().is_some();
            let (ip, post) = (context.ip.0, Method::POST);
            // Boxed: few calls are refused.
            response = Box::pin(sent.answer(gateway, ip, &post, response, is_refusal)).await;
        }
        let response = self.finish(context, response).await;
        let elapsed = self.time(context);
        span.in_scope(|| log_response(&Method::POST, endpoint.path(), &response, elapsed));
        response
    }

    /// The endpoint of the gateway that answers a request, if it needs no router.
    fn direct(&self, request: &Request<DrainedBody>) -> Option<DirectEndpoint> {
        DirectEndpoint::of(request).filter(|_| self.state.config.cors_origins.is_none())
    }

    /// A good answer to the busiest call is logged for debugging only: it is counted as usage, and
    /// a line each would cost more than the check.
    async fn verify(&self, context: &RequestContext, request: Request<DrainedBody>) -> Response {
        let answer = verify::answer(&self.state, context.ip, request);
        let late = || StatusCode::REQUEST_TIMEOUT.into_response();
        let response = match handled(answer, late).await {
            Ok(json) => self.verified(context, json),
            Err(refused) => self.finish(context, refused).await,
        };
        let elapsed = self.time(context);
        if response.status().is_success() {
            let span = tracing::debug_span!("request", request_id = %context.id);
            span.in_scope(|| tracing::debug!(?elapsed, status = 200, "Verified a key"));
        } else {
            let span = tracing::info_span!("request", request_id = %context.id);
            span.in_scope(|| log_response(&Method::POST, "/v1/keys/verify", &response, elapsed));
        }
        response
    }

    /// Asked by a proxy about each of its requests, so a good answer is logged as that of `verify`.
    async fn check(&self, context: &RequestContext, request: Request<DrainedBody>) -> Response {
        // The body is kept until there is an answer. Whatever drains it would ask a client for it
        // that waits for `100 Continue`.
        let (parts, body) = request.into_parts();
        let answer = check::answer(&self.state, context.ip, &parts);
        let mut response = match handled(answer, check::unavailable).await {
            Ok(allowed) => self.allowed(context, &allowed),
            Err(refused) => self.finish(context, refused).await,
        };
        // A proxy may announce a body that it does not send. Its next request on this connection
        // would be taken for that body.
        if parts.version < Version::HTTP_2 && !body.is_end_stream() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let elapsed = self.time(context);
        if response.status().is_success() {
            let span = tracing::debug_span!("request", request_id = %context.id);
            span.in_scope(|| tracing::debug!(?elapsed, status = 200, "Allowed a request"));
        } else {
            let span = tracing::info_span!("request", request_id = %context.id);
            let path = shown(parts.uri.path());
            span.in_scope(|| log_response(&parts.method, &path, &response, elapsed));
        }
        response
    }

    fn allowed(&self, context: &RequestContext, allowed: &AllowedRequest) -> Response {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        *headers = self.of_allowed.clone();
        check::write_allowed(headers, allowed);
        context.id.write(headers);
        response
    }

    /// One log line per request: method, path, status and duration. No query, which may contain an
    /// OAuth code.
    async fn respond(&self, accepted: AcceptedRequest) -> Response {
        let AcceptedRequest { mut request, peer, permit } = accepted;
        if let Some(permit) = &permit {
            request.extensions_mut().insert(Arc::clone(permit));
        }
        let sent = request.uri();
        let normalized = ingest::without_double_slashes(sent);
        if let Some(uri) = normalized.or_else(|| latchkey_gateway::strip_repeated_v1(sent)) {
            *request.uri_mut() = uri;
        }
        if let Some(uri) = latchkey_gateway::encode_model_id(request.uri()) {
            *request.uri_mut() = uri;
        }
        let route = RouteClass::of(request.uri());
        let id = RequestId::new();
        let ip = ClientIp::of(peer, request.headers(), id, &self.state);
        let auth = Credentials::of(request.uri().path());
        let format = ApiFormat::of_request(request.uri().path(), request.headers());
        let clock = SystemClock::start();
        let context = RequestContext { id, route, format, auth, ip, permit, clock };
        match route {
            RouteClass::Check => self.check(&context, request).await,
            RouteClass::Verify if request.method() == Method::POST => {
                self.verify(&context, request).await
            }
            // Boxed: a check need not carry the states of a call or of the router.
            _ => match self.direct(&request) {
                Some(endpoint) => Box::pin(self.called(&context, endpoint, request)).await,
                None => Box::pin(self.routed(&context, request)).await,
            },
        }
    }

    /// As [`Self::respond`], with a span.
    async fn traced(&self, accepted: AcceptedRequest) -> Response {
        let request = &accepted.request;
        let public_url = &self.state.config.public_url;
        let normalized = ingest::without_double_slashes(request.uri());
        let class = RouteClass::of(normalized.as_ref().unwrap_or(request.uri()));
        // The others are found by the router.
        let route = match class {
            RouteClass::Verify if request.method() == Method::POST => Some("/v1/keys/verify"),
            RouteClass::Check => Some("/v1/check/{id}"),
            RouteClass::Gateway => self.direct(request).map(DirectEndpoint::path),
            RouteClass::Verify | RouteClass::Ingest | RouteClass::Api | RouteClass::Pages => None,
        };
        let context = otel::request_context(&otel::TracedRequest {
            method: request.method(),
            version: request.version(),
            headers: request.headers(),
            route,
            path: mask::secrets(&shown(request.uri().path())).into_owned(),
            is_ingest: class == RouteClass::Ingest,
            over_https: public_url.is_https(),
            authority: public_url.authority(),
        });
        Box::pin(otel::trace(context, self.respond(accepted))).await
    }

    /// How long the answer took, which is counted.
    fn time(&self, context: &RequestContext) -> Duration {
        let elapsed = context.clock.monotonic();
        self.metrics().durations.observe(context.route, elapsed);
        elapsed
    }

    fn metrics(&self) -> &Metrics {
        &self.state.metrics
    }

    fn verified(&self, context: &RequestContext, json: Vec<u8>) -> Response {
        let mut response = Response::new(json.into());
        *response.headers_mut() = self.of_verified.clone();
        context.id.write(response.headers_mut());
        response
    }

    async fn finish(&self, context: &RequestContext, response: Response) -> Response {
        let response = problem::render(context.id, context.auth, context.unless_cut_off(response));
        let mut response = masked::refusal(response).await;
        security_headers::set(response.headers_mut(), self.state.config.public_url.is_https());
        context.id.write(response.headers_mut());
        if context.route == RouteClass::Gateway && context.format == ApiFormat::Anthropic {
            context.id.write_for_anthropic(response.headers_mut());
        }
        response
    }
}

impl Service<AcceptedRequest> for HttpService {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, accepted: AcceptedRequest) -> Self::Future {
        let endpoints = Arc::clone(&self.0);
        if otel::is_on() {
            return Box::pin(async move { Ok(Box::pin(endpoints.0.traced(accepted)).await) });
        }
        Box::pin(async move { Ok(endpoints.0.respond(accepted).await) })
    }
}

/// What is known of a request beside what it says.
struct RequestContext {
    id: RequestId,
    route: RouteClass,
    format: ApiFormat,
    auth: Credentials,
    ip: ClientIp,
    permit: Option<Arc<BodyPermit>>,
    clock: SystemClock,
}

impl RequestContext {
    /// The response, unless it is about a body that was cut off because there was no room for it.
    fn unless_cut_off(&self, response: Response) -> Response {
        if !self.permit.as_ref().is_some_and(|permit| permit.is_exceeded()) {
            return response;
        }
        let detail = "The server is receiving too many request bodies. Try again in a moment.";
        match self.route {
            RouteClass::Gateway => latchkey_gateway::unavailable(self.format, detail),
            _ => Refusal::new(ErrorCode::Outcome(Outcome::Unavailable), detail).into_response(),
        }
    }
}

/// A path as a log line shows it: a caller chooses neither how long the line is, nor what is left
/// of a secret that is cut in two.
fn shown(path: &str) -> String {
    if path.len() <= LONGEST_SHOWN {
        return path.to_owned();
    }
    let masked = mask::secrets(path);
    format!("{}…", &masked[..masked.floor_char_boundary(LONGEST_SHOWN)])
}

/// Writes the length of a body that is known, as the router does.
fn set_content_length(response: &mut Response) {
    if let Some(length) = response.body().size_hint().exact() {
        let length = HeaderValue::from(length);
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(length);
    }
}

fn log_response(method: &Method, path: &str, response: &Response, elapsed: Duration) {
    let status = response.status().as_u16();
    let milliseconds = elapsed.as_secs_f64() * 1000.0;
    tracing::info!(%method, path, status, milliseconds, "Request completed");
}

/// What a handler beside the router comes to. Most wait for nothing, and need no timer. `late` is
/// the response of one that takes too long.
async fn handled<T>(
    answer: impl Future<Output = Result<T, Response>>,
    late: impl FnOnce() -> Response,
) -> Result<T, Response> {
    let mut handled = pin!(catch_panic(answer));
    let handled = match futures::poll!(handled.as_mut()) {
        Poll::Ready(handled) => handled,
        Poll::Pending => {
            let in_time = tokio::time::timeout(REQUEST_TIMEOUT, handled).await;
            let Ok(handled) = in_time else { return Err(late()) };
            handled
        }
    };
    handled.flatten()
}

/// A panic is a bug in the server: it is logged, and the caller gets a plain 500.
async fn catch_panic<T>(answer: impl Future<Output = T>) -> Result<T, Response> {
    AssertUnwindSafe(answer).catch_unwind().await.map_err(|panic| panicked(&*panic))
}

fn panicked(panic: &(dyn Any + Send)) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = text, "Request handler panicked");
    Refusal::new(
        ErrorCode::Internal,
        "An internal error occurred. The server’s log has the cause under the request ID.",
    )
    .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_paths_are_cut_and_no_secret_with_them() {
        let secret = format!("lk_live_{}", "0".repeat(38));
        for at in [0, LONGEST_SHOWN - 20, LONGEST_SHOWN - 60, 60_000] {
            let shown = shown(&format!("/{}{secret}/{}", "a/".repeat(at / 2), "b".repeat(2_000)));
            assert!(shown.len() <= LONGEST_SHOWN + 3, "{}", shown.len());
            assert!(!shown.contains("lk_live_0000000"), "{shown}");
        }
        assert_eq!(shown("/v1/keys"), "/v1/keys");
    }
}
