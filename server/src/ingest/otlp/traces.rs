//! `POST /v1/traces`.

use axum::extract::State;
use axum::response::Response;
use latchkey_services::telemetry::Source;
use latchkey_services::{Services, telemetry};

use super::batch::{Batch, Signal};
use super::body::OtlpBody;
use super::describe::{OtlpHeaders, OtlpMessage, OtlpRefusals, OtlpStored};
use super::span;
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
/// OTLP/HTTP: an `ExportTraceServiceRequest` in protobuf or JSON, optionally compressed with
/// `Content-Encoding: gzip`, `deflate` or `zstd`. Spans that cannot be stored are counted in
/// `partial_success`; all others are stored. Duplicate spans are stored once. `meta` is truncated
/// to 64 KiB, which is reported in `partial_success` too. The response has the encoding of the
/// request. The key determines the application.
#[utoipa::path(
    post,
    path = "/v1/traces",
    operation_id = "otlp_traces",
    tag = "Ingest",
    params(OtlpHeaders),
    request_body(content((OtlpMessage = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        OtlpStored,
        OtlpRefusals,
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
/// Like `/v1/traces`, at the path that Langfuse’s SDKs use. Send the key as the password of Basic
/// authentication (`LANGFUSE_SECRET_KEY`). The username (`LANGFUSE_PUBLIC_KEY`) is ignored.
#[utoipa::path(
    post,
    path = "/api/public/otel/v1/traces",
    operation_id = "langfuse_traces",
    tag = "Ingest",
    params(OtlpHeaders),
    request_body(content((OtlpMessage = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        OtlpStored,
        OtlpRefusals,
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
    let permit = source.permit(services, body.len()).await?;
    let batch = permit.run(move || Batch::read(&SPANS, body, span::entry)).await?;
    let (incoming, cut, rejected) = batch.into_parts();
    let stored = telemetry::ingest_traces(services, source, permit, incoming).await?;
    source.count_rejected(services, rejected.count());
    Ok(rejected.answer(encoding, stored.cut.max(cut)))
}
