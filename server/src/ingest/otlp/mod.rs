//! OTLP/HTTP: `POST /v1/traces`, `/v1/logs` and `/v1/metrics`, so that OpenTelemetry's exporters
//! deliver unchanged with only the endpoint and a header set. What comes in is stored as the SDKs'
//! own form is.
//!
//! ```text
//! body ─► unpacked (20 MiB) ─► resource ─► scope ─► item ─► entry ─► one insert
//!                                                  └─ can't be read ─► partial_success
//! ```
//! Metrics are answered as OTLP has it, with all of them rejected.

mod attributes;
mod batch;
mod body;
mod describe;
mod json;
mod log;
mod logs;
mod messages;
mod meta;
mod metrics;
mod protobuf;
mod span;
mod traces;

pub(crate) use body::LARGEST_BODY;
pub(crate) use logs::{__path_otlp_logs, otlp_logs};
pub(crate) use metrics::{__path_otlp_metrics, otlp_metrics};
pub(crate) use traces::{__path_langfuse_traces, __path_otlp_traces, langfuse_traces, otlp_traces};

use axum::body::Bytes;
use data_encoding::HEXLOWER;
use latchkey_domain::time::PreciseTimestamp;
use utoipa::ToSchema;

/// Where Langfuse's SDKs send traces.
pub(crate) const LANGFUSE_TRACES: &str = "/api/public/otel/v1/traces";

/// Reads a body as spans, log records and metrics and goes no further, for [`crate::parsers`].
pub(crate) fn read_body(media_type: &str, bytes: &[u8]) {
    let encoding = [body::Encoding::Protobuf, body::Encoding::Json]
        .into_iter()
        .find(|encoding| encoding.media_type() == media_type);
    let Some(encoding) = encoding else { return };
    let body = || body::OtlpBody::of(encoding, bytes.to_vec());
    let _ = batch::Batch::read(&traces::SPANS, body(), span::entry);
    let _ = batch::Batch::read(&logs::LOG_RECORDS, body(), log::entry);
    let _ = metrics::count(body());
}

/// An OTLP message in protobuf.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes what is read and written as bytes")]
pub(crate) struct OtlpMessage(Vec<u8>);

/// Response of an OTLP endpoint. Empty if everything was stored.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the JSON that is written by hand for both encodings")]
pub(crate) struct OtlpResponse {
    /// What was not stored. Absent if everything was stored.
    partial_success: Option<OtlpPartialSuccess>,
}

/// Items of the request that were not stored.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the JSON that is written by hand for both encodings")]
pub(crate) struct OtlpPartialSuccess {
    /// Number of rejected spans as a string. Only in responses of `/v1/traces`.
    rejected_spans: Option<String>,
    /// Number of rejected log records as a string. Only in responses of `/v1/logs`.
    rejected_log_records: Option<String>,
    /// Number of rejected data points as a string. Only in responses of `/v1/metrics`.
    rejected_data_points: Option<String>,
    /// The first errors, each with its reason.
    error_message: String,
}

/// A point in time; 0 is none.
fn time(nanos: u64) -> Option<PreciseTimestamp> {
    (nanos > 0).then(|| PreciseTimestamp::from_nanos(nanos))
}

/// An id of `length` bytes in hex. Another length is no id, and neither are zeros alone.
fn id(bytes: &Bytes, length: usize) -> Option<String> {
    let valid = bytes.len() == length && bytes.iter().any(|byte| *byte != 0);
    valid.then(|| HEXLOWER.encode(bytes))
}

const TRACE_ID: usize = 16;
const SPAN_ID: usize = 8;
