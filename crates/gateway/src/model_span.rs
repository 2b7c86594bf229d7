//! A span of a call to a model, by OpenTelemetry's semantic conventions for generative AI. It never
//! has prompts, answers or credentials.
//!
//! There is one only while a request is answered in a trace. All else finds an empty one, which
//! costs nothing.

use std::borrow::Cow;

use axum::http::{HeaderName, HeaderValue};
use latchkey_domain::token_usage::TokenUsage;
use opentelemetry::global::BoxedSpan;
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};

use super::config::UpstreamKind;
use super::endpoint::Endpoint;

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");
/// Name of the scope of these spans.
const SCOPE: &str = "latchkey-gateway";

/// A span of a call to a model, if there is a trace. Dropping it ends it.
pub(super) struct ModelSpan(Option<BoxedSpan>);

impl ModelSpan {
    /// No span.
    pub(super) const NONE: Self = Self(None);

    /// Starts the span of a call that is sent to an upstream, for a model that the client calls
    /// `model` and the upstream `sent`.
    pub(super) fn of_upstream(
        endpoint: Endpoint,
        model: &str,
        (upstream, kind): (&str, UpstreamKind),
        sent: &str,
    ) -> Self {
        let provider = match kind {
            UpstreamKind::OpenAi => "openai",
            UpstreamKind::Anthropic => "anthropic",
        };
        Self::start(endpoint, model, SpanKind::Client, || {
            vec![
                KeyValue::new("gen_ai.provider.name", provider),
                KeyValue::new("gen_ai.response.model", sent.to_owned()),
                KeyValue::new("latchkey.upstream.name", upstream.to_owned()),
            ]
        })
    }

    /// Starts the span of a call that the sandbox answers.
    pub(super) fn of_sandbox(endpoint: Endpoint, model: &str) -> Self {
        Self::start(endpoint, model, SpanKind::Internal, || {
            vec![
                KeyValue::new("gen_ai.provider.name", "latchkey"),
                KeyValue::new("gen_ai.response.model", model.to_owned()),
            ]
        })
    }

    fn start(
        endpoint: Endpoint,
        model: &str,
        kind: SpanKind,
        rest: impl FnOnce() -> Vec<KeyValue>,
    ) -> Self {
        if !Context::map_current(Context::has_active_span) {
            return Self::NONE;
        }
        let operation = operation(endpoint);
        let mut attributes = rest();
        attributes.push(KeyValue::new("gen_ai.operation.name", operation));
        attributes.push(KeyValue::new("gen_ai.request.model", model.to_owned()));
        let tracer = global::tracer(SCOPE);
        let span = tracer.span_builder(format!("{operation} {model}"));
        Self(Some(span.with_kind(kind).with_attributes(attributes).start(&tracer)))
    }

    /// Notes why the call failed, and the status of the upstream's answer, if there was one.
    pub(super) fn fail(&mut self, error: &'static str, status: Option<u16>) {
        let Some(span) = &mut self.0 else { return };
        span.set_attribute(KeyValue::new("error.type", error));
        if let Some(status) = status {
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        }
        span.set_status(Status::Error { description: Cow::Borrowed("") });
    }

    /// Ends the span with the usage of the call, if it is known.
    pub(super) fn end(&mut self, usage: Option<TokenUsage>) {
        let Some(mut span) = self.0.take() else { return };
        if let Some(TokenUsage { prompt, completion, estimated, .. }) = usage {
            let tokens = [
                ("gen_ai.usage.input_tokens", prompt),
                ("gen_ai.usage.output_tokens", completion),
                // How many of them are an estimate.
                ("latchkey.usage.estimated_tokens", estimated),
            ];
            span.set_attributes(tokens.map(|(name, count)| {
                KeyValue::new(name, i64::try_from(count).unwrap_or(i64::MAX))
            }));
        }
        span.end();
    }

    /// The headers by which an upstream goes on with the trace.
    pub(super) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let Some(span) = &self.0 else { return Vec::new() };
        let context = span.span_context();
        if !context.is_valid() {
            return Vec::new();
        }
        let (trace, id) = (context.trace_id(), context.span_id());
        let parent = format!("00-{trace}-{id}-{:02x}", context.trace_flags());
        let headers = [(TRACE_PARENT, parent), (TRACE_STATE, context.trace_state().header())];
        let told = headers.into_iter().filter(|(_, text)| !text.is_empty());
        told.filter_map(|(name, text)| Some((name, HeaderValue::try_from(text).ok()?))).collect()
    }
}

/// The operation of an endpoint, by the conventions' name if they have one.
const fn operation(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Chat
        | Endpoint::Responses
        | Endpoint::CompactResponse
        | Endpoint::Messages
        | Endpoint::CountTokens
        | Endpoint::InputTokens => "chat",
        Endpoint::Completions => "text_completion",
        Endpoint::Embeddings => "embeddings",
        Endpoint::Rerank => "rerank",
        Endpoint::Moderations => "moderation",
        Endpoint::Images => "image_generation",
        Endpoint::Speech => "speech",
        Endpoint::Transcriptions => "transcription",
        Endpoint::Translations => "translation",
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::noop::NoopTracer;

    use super::*;

    #[test]
    fn without_a_trace_there_is_no_span() {
        let mut span = ModelSpan::of_sandbox(Endpoint::Chat, "sandbox");
        assert!(span.0.is_none() && span.headers().is_empty());
        span.fail("upstream_error", Some(500));
        span.end(Some(TokenUsage::default()));
    }

    #[test]
    fn invalid_context_is_not_passed_on() {
        let parent = Context::new().with_span(NoopTracer::new().start("request"));
        let _entered = parent.attach();
        let mut span = ModelSpan::of_sandbox(Endpoint::Chat, "sandbox");
        assert!(span.0.is_some() && span.headers().is_empty());
        span.end(None);
        assert!(span.0.is_none());
    }
}
