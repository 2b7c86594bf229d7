//! `POST /v1/traces`.

use axum::extract::State;
use axum::response::Response;
use latchkey_domain::id::ApplicationId;
use latchkey_domain::problem::Problem;
use latchkey_services::telemetry::Source;
use latchkey_services::{Services, telemetry};

use super::batch::{Batch, Signal};
use super::body::OtlpBody;
use super::span;
use super::{OtlpMessage, OtlpResponse};
use crate::http::problem::Refusal;
use crate::ingest::{ExporterSource, LangfuseSource};

pub(super) const SPANS: Signal = Signal {
    resources: "resourceSpans",
    scopes: "scopeSpans",
    items: "spans",
    rejected: "rejectedSpans",
};

/// Send traces with OpenTelemetry
///
/// OTLP/HTTP: an `ExportTraceServiceRequest` in protobuf or JSON, as it is or with
/// `Content-Encoding: gzip`, `deflate` or `zstd`. Spans that can’t be stored are counted in
/// `partial_success`; the others are stored, each once however often it is sent. It also says if
/// `meta` was cut to 64 KiB. The answer has the request’s encoding. The key tells the
/// application.
#[utoipa::path(
    post,
    path = "/v1/traces",
    operation_id = "otlp_traces",
    tag = "Ingest",
    params(
        ("content-encoding" = Option<String>, Header, description = "`gzip`, `deflate` or `zstd`, if the body is packed"),
        ("x-application-id" = Option<ApplicationId>, Header, description = "The application, if the key is for the whole project"),
    ),
    request_body(content((OtlpMessage = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        (status = 200, description = "Stored, but for what `partial_success` tells", content((OtlpResponse = "application/json"), (OtlpMessage = "application/x-protobuf"))),
        (status = 400, description = "`malformed`", body = Problem),
        (status = 401, description = "`missing_key`, `malformed_key`, `unknown_key`, `revoked_key`, `expired_key`", body = Problem),
        (status = 403, description = "`wrong_scope`", body = Problem),
        (status = 409, description = "`limit_reached`: the project’s telemetry takes as much room as its plan has", body = Problem),
        (status = 413, description = "`too_large`: over 20 MiB, sent or unpacked", body = Problem),
        (status = 415, description = "`unsupported_media_type`: neither protobuf nor JSON, or another encoding than gzip, deflate and zstd", body = Problem),
        (status = 422, description = "`invalid`: no list of resources", body = Problem),
        (status = 429, description = "`rate_limited`, `token_rate_limited`, `token_budget_exhausted`, `quota_exceeded`; or `too_many_failures`, instead of `malformed_key` and `unknown_key`, after 60 of these from this address in a minute. With `Retry-After`", body = Problem),
        (status = 503, description = "`unavailable`: also when too much is waiting to be stored. With `Retry-After`", body = Problem),
    ),
    security(("key" = []), ("bearer_key" = [])),
)]
pub(crate) async fn otlp_traces(
    State(services): State<Services>,
    ExporterSource(source): ExporterSource,
    body: OtlpBody,
) -> Result<Response, Refusal> {
    store(&services, &source, body).await
}

/// Send traces with Langfuse’s SDKs
///
/// As `/v1/traces`, at the path that Langfuse’s SDKs send to. They authenticate with the key as
/// password (`LANGFUSE_SECRET_KEY`); the user (`LANGFUSE_PUBLIC_KEY`) may be anything.
#[utoipa::path(
    post,
    path = "/api/public/otel/v1/traces",
    operation_id = "langfuse_traces",
    tag = "Ingest",
    params(
        ("content-encoding" = Option<String>, Header, description = "`gzip`, `deflate` or `zstd`, if the body is packed"),
        ("x-application-id" = Option<ApplicationId>, Header, description = "The application, if the key is for the whole project"),
    ),
    request_body(content((OtlpMessage = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        (status = 200, description = "Stored, but for what `partial_success` tells", content((OtlpResponse = "application/json"), (OtlpMessage = "application/x-protobuf"))),
        (status = 400, description = "`malformed`", body = Problem),
        (status = 401, description = "`missing_key`, `malformed_key`, `unknown_key`, `revoked_key`, `expired_key`", body = Problem),
        (status = 403, description = "`wrong_scope`", body = Problem),
        (status = 409, description = "`limit_reached`: the project’s telemetry takes as much room as its plan has", body = Problem),
        (status = 413, description = "`too_large`: over 20 MiB, sent or unpacked", body = Problem),
        (status = 415, description = "`unsupported_media_type`: neither protobuf nor JSON, or another encoding than gzip, deflate and zstd", body = Problem),
        (status = 422, description = "`invalid`: no list of resources", body = Problem),
        (status = 429, description = "`rate_limited`, `token_rate_limited`, `token_budget_exhausted`, `quota_exceeded`, `too_many_failures`. With `Retry-After`", body = Problem),
        (status = 503, description = "`unavailable`: also when too much is waiting to be stored. With `Retry-After`", body = Problem),
    ),
    security(("basic_key" = []), ("key" = []), ("bearer_key" = [])),
)]
pub(crate) async fn langfuse_traces(
    State(services): State<Services>,
    LangfuseSource(source): LangfuseSource,
    body: OtlpBody,
) -> Result<Response, Refusal> {
    store(&services, &source, body).await
}

async fn store(services: &Services, source: &Source, body: OtlpBody) -> Result<Response, Refusal> {
    let encoding = body.encoding;
    let turn = source.turn(services, body.len()).await?;
    let batch = turn.run(move || Batch::read(&SPANS, body, span::entry)).await?;
    let (incoming, cut, rejected) = batch.into_parts();
    let stored = telemetry::ingest_traces(services, source, turn, incoming).await?;
    source.count_rejected(services, rejected.count());
    Ok(rejected.answer(encoding, stored.cut.max(cut)))
}
