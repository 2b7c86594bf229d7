//! One span per request, by OpenTelemetry's semantic conventions for HTTP servers. It has the
//! route, the path without its query, and the code of a refusal: neither addresses nor headers.

use axum::extract::{MatchedPath, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, Version};
use axum::middleware::Next;
use axum::response::Response;
use latchkey_domain::problem::ErrorCode;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    FutureExt, SpanKind, SpanRef, Status, TraceContextExt, Tracer, get_active_span,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use super::{EXPORT_HEADER, is_on, tracer};

/// Header with the code of a refusal, where an endpoint answers in a format of its own.
const CODE_HEADER: HeaderName = HeaderName::from_static("x-latchkey-code");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROBLEM: &str = "application/problem+json";
/// Longest value of a header that says where a trace comes from, in bytes.
const LONGEST_TRACE_HEADER: usize = 512;
/// Longest code of a refusal that an upstream may have chosen, in bytes.
const LONGEST_CODE: usize = 64;
/// The code of a refusal whose own is none.
const UNKNOWN_CODE: &str = "upstream_error";

/// What is known of a request before it is answered.
pub(crate) struct TracedRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) version: Version,
    pub(crate) headers: &'a HeaderMap,
    /// The template of its path, if no router has to find it.
    pub(crate) route: Option<&'static str>,
    /// The path as it may be shown, without its query.
    pub(crate) path: String,
    /// Whether it brings telemetry.
    pub(crate) is_ingest: bool,
    pub(crate) over_https: bool,
    /// Host and port of the public URL.
    pub(crate) authority: &'a str,
}

/// The context to answer a request in, with its span if traces are exported. In that of a request
/// that exports nothing is traced, and no log record is made.
pub(crate) fn request_context(request: &TracedRequest<'_>) -> Context {
    if request.is_ingest && request.headers.contains_key(EXPORT_HEADER) {
        return Context::new().with_telemetry_suppressed();
    }
    let Some(tracer) = tracer() else { return Context::new() };
    let headers = TraceHeaders(request.headers);
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
    let method = known_method(request.method);
    let name = match request.route {
        Some(route) => format!("{method} {route}"),
        None => method.to_owned(),
    };
    let span = tracer.span_builder(name).with_kind(SpanKind::Server);
    let span = span.with_attributes(attributes(request, method));
    Context::new().with_span(tracer.build_with_context(span, &parent))
}

fn attributes(request: &TracedRequest<'_>, method: &'static str) -> Vec<KeyValue> {
    let scheme = if request.over_https { "https" } else { "http" };
    let mut attributes = vec![
        KeyValue::new("http.request.method", method),
        KeyValue::new("url.scheme", scheme),
        KeyValue::new("url.path", request.path.clone()),
    ];
    attributes.extend(request.route.map(|route| KeyValue::new("http.route", route)));
    let version = match request.version {
        Version::HTTP_2 => Some("2"),
        Version::HTTP_11 => Some("1.1"),
        _ => None,
    };
    attributes.extend(version.map(|version| KeyValue::new("network.protocol.version", version)));
    let authority: Option<Authority> = request.authority.parse().ok();
    if let Some(authority) = authority {
        attributes.push(KeyValue::new("server.address", authority.host().to_owned()));
        let port = authority.port_u16().unwrap_or(if request.over_https { 443 } else { 80 });
        attributes.push(KeyValue::new("server.port", i64::from(port)));
    }
    attributes
}

/// Answers a request in its context, and ends its span when the head of the response is there. One
/// whose client has gone before ends then, without a status.
pub(crate) async fn trace(context: Context, answered: impl Future<Output = Response>) -> Response {
    let response = answered.with_context(context.clone()).await;
    end(&context.span(), &response);
    response
}

fn end(span: &SpanRef<'_>, response: &Response) {
    let (status, headers) = (response.status(), response.headers());
    if !span.is_recording() {
        return;
    }
    span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
    let id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    if let Some(id) = id {
        span.set_attribute(KeyValue::new("latchkey.request_id", id.to_owned()));
    }
    // The code of a problem was noted when it was written; a span keeps both if it is told twice.
    let is_problem = headers.get(CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM);
    if let Some(code) = headers.get(CODE_HEADER).filter(|_| !status.is_success() && !is_problem) {
        let code = code.to_str().ok().filter(|code| is_code(code)).unwrap_or(UNKNOWN_CODE);
        span.set_attribute(KeyValue::new("error.type", code.to_owned()));
    }
    if status.is_server_error() {
        span.set_status(Status::error(""));
    }
    span.end();
}

/// Whether a text looks like a code, and not like anything that a client or an upstream has said.
fn is_code(text: &str) -> bool {
    let is_of_code = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() <= LONGEST_CODE && text.bytes().all(is_of_code)
}

/// Notes the code of a refusal that is answered now.
pub(crate) fn note_error(code: ErrorCode) {
    if !is_on() {
        return;
    }
    // Error codes are strings in JSON too.
    let code = serde_json::to_value(code).unwrap_or_default();
    if let Some(code) = code.as_str() {
        let code = KeyValue::new("error.type", code.to_owned());
        get_active_span(|span| span.set_attribute(code));
    }
}

/// A layer that names the span of a request by the route that the router has found.
pub(crate) async fn name_route(request: Request, next: Next) -> Response {
    if let Some(matched) = request.extensions().get::<MatchedPath>() {
        let route = matched.as_str().to_owned();
        let name = format!("{} {route}", known_method(request.method()));
        get_active_span(|span| {
            span.update_name(name);
            span.set_attribute(KeyValue::new("http.route", route));
        });
    }
    next.run(request).await
}

/// The name of a method, if it is one of HTTP's own: clients may make up others.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        _ => "_OTHER",
    }
}

/// The headers that say where a trace comes from. One that is there twice, or too long, is not.
struct TraceHeaders<'a>(&'a HeaderMap);

impl Extractor for TraceHeaders<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.get_all(name).iter();
        let value = values.next().filter(|value| value.len() <= LONGEST_TRACE_HEADER)?;
        if values.next().is_some() { None } else { value.to_str().ok() }
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("traceparent", value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn trace_header_counts_once_and_short() {
        let get = |values: &[&str]| {
            let headers = headers(values);
            TraceHeaders(&headers).get("traceparent").map(str::to_owned)
        };
        assert_eq!(get(&[TRACE]).as_deref(), Some(TRACE));
        assert_eq!(get(&[TRACE, TRACE]), None);
        assert_eq!(get(&[&"0".repeat(LONGEST_TRACE_HEADER + 1)]), None);
        assert_eq!(get(&[]), None);
    }

    #[test]
    fn only_codes_are_codes() {
        for code in ["budget_exceeded", "rate_limited", "upstream_error"] {
            assert!(is_code(code), "{code}");
        }
        let long = "a".repeat(LONGEST_CODE + 1);
        for text in ["Invalid key lk_live_x", "a b", long.as_str()] {
            assert!(!is_code(text), "{text}");
        }
    }

    #[test]
    fn made_up_methods_have_one_name() {
        assert_eq!(known_method(&Method::PATCH), "PATCH");
        assert_eq!(known_method(&Method::from_bytes(b"LK_LIVE").unwrap()), "_OTHER");
    }
}
