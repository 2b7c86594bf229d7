//! `POST /v1/logs`.

use axum::extract::State;
use axum::response::Response;
use latchkey_services::{Services, telemetry};

use super::batch::{Batch, Signal};
use super::body::OtlpBody;
use super::describe::{OtlpHeaders, OtlpMessage, OtlpRefusals, OtlpStored};
use super::log;
use crate::http::problem::Refusal;
use crate::ingest::ExporterSource;

pub(super) const LOG_RECORDS: Signal = Signal {
    resources: "resourceLogs",
    scopes: "scopeLogs",
    items: "logRecords",
    rejected: "rejectedLogRecords",
};

/// Send logs with OpenTelemetry
///
/// OTLP/HTTP: an `ExportLogsServiceRequest` in protobuf or JSON, optionally compressed with
/// `Content-Encoding: gzip`, `deflate` or `zstd`. Records that cannot be stored are counted in
/// `partial_success`; all others are stored. Duplicate records are stored once. Messages and `meta`
/// are truncated to 64 KiB, which is reported in `partial_success` too. The response has the
/// encoding of the request. The key determines the application. `meta` contains the record’s
/// attributes, resource, scope, span and event name.
#[utoipa::path(
    post,
    path = "/v1/logs",
    operation_id = "otlp_logs",
    tag = "Ingest",
    params(OtlpHeaders),
    request_body(content((OtlpMessage = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        OtlpStored,
        OtlpRefusals,
    ),
    security(("key" = []), ("bearer_key" = [])),
)]
pub(crate) async fn otlp_logs(
    State(services): State<Services>,
    ExporterSource(source): ExporterSource,
    body: OtlpBody,
) -> Result<Response, Refusal> {
    let encoding = body.encoding;
    let permit = source.permit(&services, body.len()).await?;
    let batch = permit.run(move || Batch::read(&LOG_RECORDS, body, log::entry)).await?;
    let (incoming, cut, rejected) = batch.into_parts();
    let stored = telemetry::ingest_logs(&services, &source, permit, incoming).await?;
    source.count_rejected(&services, rejected.count());
    Ok(rejected.answer(encoding, stored.cut.max(cut)))
}
