//! OTLP/HTTP: `POST /v1/traces`, `/v1/logs` and `/v1/metrics`. OpenTelemetry exporters need only
//! the endpoint and a header. Items are stored like those of the SDKs' own format.
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
mod ids;
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
