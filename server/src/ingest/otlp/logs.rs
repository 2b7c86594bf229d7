//! `POST /v1/logs`.

use axum::extract::State;
use axum::response::Response;
use latchkey_services::{Services, telemetry};

use super::batch::{Batch, Signal};
use super::body::OtlpBody;
use super::describe::{OtlpHeaders, OtlpRefusals};
use super::log;
use super::{OtlpMessage, OtlpResponse};
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
/// OTLP/HTTP: an `ExportLogsServiceRequest` in protobuf or JSON, as it is or with
/// `Content-Encoding: gzip`, `deflate` or `zstd`. Records that can’t be stored are counted in
/// `partial_success`; the others are stored, each once however often it is sent. It also says if a
/// message or `meta` was cut to 64 KiB. The answer has the request’s encoding. The key tells the
/// application. `meta` keeps the record’s attributes, resource, scope, span and event name.
#[utoipa::path(
    post,
    path = "/v1/logs",
    operation_id = "otlp_logs",
    tag = "Ingest",
    params(OtlpHeaders),
    request_body(content((OtlpMessage = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        (status = 200, description = "Stored, but for what `partial_success` tells", content((OtlpResponse = "application/json"), (OtlpMessage = "application/x-protobuf"))),
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
    let turn = source.turn(&services, body.len()).await?;
    let batch = turn.run(move || Batch::read(&LOG_RECORDS, body, log::entry)).await?;
    let (incoming, cut, rejected) = batch.into_parts();
    let stored = telemetry::ingest_logs(&services, &source, turn, incoming).await?;
    source.count_rejected(&services, rejected.count());
    Ok(rejected.answer(encoding, stored.cut.max(cut)))
}
