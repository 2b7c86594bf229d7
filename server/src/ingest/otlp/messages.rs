//! The messages of OTLP 1.x that the server reads, in both encodings: protobuf by field number,
//! JSON by name. Traces and logs share the outer messages.
//!
//! The elements of lists stay encoded ([`Bytes`], in the body's encoding) until they are processed.
//! An empty span takes 2 bytes of a body and 280 bytes of memory: decoded at once, a body within
//! its limit could take half a gigabyte (docs/decisions/010-otlp-messages.md).

use axum::body::Bytes;
use serde::Deserialize;

use super::json;

/// OTLP's `ExportTraceServiceRequest` and `ExportLogsServiceRequest`.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct Export {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    #[serde(rename = "resourceSpans", alias = "resourceLogs", deserialize_with = "json::parts")]
    pub(super) resources: Vec<Bytes>,
}

/// OTLP's `ResourceSpans` and `ResourceLogs`.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct OfResource {
    #[prost(bytes = "bytes", optional, tag = "1")]
    #[serde(deserialize_with = "json::part")]
    pub(super) resource: Option<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    #[serde(rename = "scopeSpans", alias = "scopeLogs", deserialize_with = "json::parts")]
    pub(super) scopes: Vec<Bytes>,
}

/// OTLP's `ScopeSpans` and `ScopeLogs`.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct OfScope {
    #[prost(bytes = "bytes", optional, tag = "1")]
    #[serde(deserialize_with = "json::part")]
    pub(super) scope: Option<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    #[serde(rename = "spans", alias = "logRecords", deserialize_with = "json::parts")]
    pub(super) items: Vec<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct Resource {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    #[serde(deserialize_with = "json::parts")]
    pub(super) attributes: Vec<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct Scope {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "json::text")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "json::text")]
    pub(super) version: String,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    #[serde(deserialize_with = "json::parts")]
    pub(super) attributes: Vec<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "OTLP’s names")]
pub(super) struct Span {
    #[prost(bytes = "bytes", tag = "1")]
    #[serde(deserialize_with = "json::id")]
    pub(super) trace_id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    #[serde(deserialize_with = "json::id")]
    pub(super) span_id: Bytes,
    #[prost(string, tag = "3")]
    #[serde(deserialize_with = "json::text")]
    pub(super) trace_state: String,
    #[prost(bytes = "bytes", tag = "4")]
    #[serde(deserialize_with = "json::id")]
    pub(super) parent_span_id: Bytes,
    #[prost(string, tag = "5")]
    #[serde(deserialize_with = "json::text")]
    pub(super) name: String,
    #[prost(int32, tag = "6")]
    #[serde(deserialize_with = "json::span_kind")]
    pub(super) kind: i32,
    #[prost(fixed64, tag = "7")]
    #[serde(deserialize_with = "json::integer")]
    pub(super) start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    #[serde(deserialize_with = "json::integer")]
    pub(super) end_time_unix_nano: u64,
    #[prost(bytes = "bytes", repeated, tag = "9")]
    #[serde(deserialize_with = "json::parts")]
    pub(super) attributes: Vec<Bytes>,
    #[prost(uint32, tag = "10")]
    #[serde(deserialize_with = "json::integer")]
    pub(super) dropped_attributes_count: u32,
    #[prost(bytes = "bytes", repeated, tag = "11")]
    #[serde(deserialize_with = "json::parts")]
    pub(super) events: Vec<Bytes>,
    #[prost(uint32, tag = "12")]
    #[serde(deserialize_with = "json::integer")]
    pub(super) dropped_events_count: u32,
    #[prost(bytes = "bytes", repeated, tag = "13")]
    #[serde(deserialize_with = "json::parts")]
    pub(super) links: Vec<Bytes>,
    #[prost(uint32, tag = "14")]
    #[serde(deserialize_with = "json::integer")]
    pub(super) dropped_links_count: u32,
    #[prost(bytes = "bytes", optional, tag = "15")]
    #[serde(deserialize_with = "json::part")]
    pub(super) status: Option<Bytes>,
    #[prost(fixed32, tag = "16")]
    #[serde(deserialize_with = "json::integer")]
    pub(super) flags: u32,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Event {
    #[prost(fixed64, tag = "1")]
    #[serde(deserialize_with = "json::integer")]
    pub(super) time_unix_nano: u64,
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "json::text")]
    pub(super) name: String,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    #[serde(deserialize_with = "json::parts")]
    pub(super) attributes: Vec<Bytes>,
    #[prost(uint32, tag = "4")]
    #[serde(deserialize_with = "json::integer")]
    pub(super) dropped_attributes_count: u32,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Link {
    #[prost(bytes = "bytes", tag = "1")]
    #[serde(deserialize_with = "json::id")]
    pub(super) trace_id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    #[serde(deserialize_with = "json::id")]
    pub(super) span_id: Bytes,
    #[prost(string, tag = "3")]
    #[serde(deserialize_with = "json::text")]
    pub(super) trace_state: String,
    #[prost(bytes = "bytes", repeated, tag = "4")]
    #[serde(deserialize_with = "json::parts")]
    pub(super) attributes: Vec<Bytes>,
    #[prost(uint32, tag = "5")]
    #[serde(deserialize_with = "json::integer")]
    pub(super) dropped_attributes_count: u32,
    #[prost(fixed32, tag = "6")]
    #[serde(deserialize_with = "json::integer")]
    pub(super) flags: u32,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "json::text")]
    pub(super) message: String,
    #[prost(int32, tag = "3")]
    #[serde(deserialize_with = "json::status_code")]
    pub(super) code: i32,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LogRecord {
    #[prost(fixed64, tag = "1")]
    #[serde(deserialize_with = "json::integer")]
    pub(super) time_unix_nano: u64,
    #[prost(int32, tag = "2")]
    #[serde(deserialize_with = "json::severity")]
    pub(super) severity_number: i32,
    #[prost(string, tag = "3")]
    #[serde(deserialize_with = "json::text")]
    pub(super) severity_text: String,
    #[prost(bytes = "bytes", optional, tag = "5")]
    #[serde(deserialize_with = "json::part")]
    pub(super) body: Option<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "6")]
    #[serde(deserialize_with = "json::parts")]
    pub(super) attributes: Vec<Bytes>,
    #[prost(uint32, tag = "7")]
    #[serde(deserialize_with = "json::integer")]
    pub(super) dropped_attributes_count: u32,
    #[prost(fixed32, tag = "8")]
    #[serde(deserialize_with = "json::integer")]
    pub(super) flags: u32,
    #[prost(bytes = "bytes", tag = "9")]
    #[serde(deserialize_with = "json::id")]
    pub(super) trace_id: Bytes,
    #[prost(bytes = "bytes", tag = "10")]
    #[serde(deserialize_with = "json::id")]
    pub(super) span_id: Bytes,
    #[prost(fixed64, tag = "11")]
    #[serde(deserialize_with = "json::integer")]
    pub(super) observed_time_unix_nano: u64,
    #[prost(string, tag = "12")]
    #[serde(deserialize_with = "json::text")]
    pub(super) event_name: String,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "json::text")]
    pub(super) key: String,
    #[prost(bytes = "bytes", optional, tag = "2")]
    #[serde(deserialize_with = "json::part")]
    pub(super) value: Option<Bytes>,
}

/// A `oneof`: at most one of its fields is there.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "OTLP’s names")]
pub(super) struct AnyValue {
    #[prost(string, optional, tag = "1")]
    pub(super) string_value: Option<String>,
    #[prost(bool, optional, tag = "2")]
    pub(super) bool_value: Option<bool>,
    #[prost(int64, optional, tag = "3")]
    #[serde(deserialize_with = "json::some_integer")]
    pub(super) int_value: Option<i64>,
    #[prost(double, optional, tag = "4")]
    #[serde(deserialize_with = "json::double")]
    pub(super) double_value: Option<f64>,
    #[prost(bytes = "bytes", optional, tag = "5")]
    #[serde(deserialize_with = "json::part")]
    pub(super) array_value: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "6")]
    #[serde(deserialize_with = "json::part")]
    pub(super) kvlist_value: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "7")]
    #[serde(deserialize_with = "json::base64")]
    pub(super) bytes_value: Option<Bytes>,
}

/// OTLP's `ArrayValue` and `KeyValueList`.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct Values {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    #[serde(deserialize_with = "json::parts")]
    pub(super) values: Vec<Bytes>,
}

/// `ExportTraceServiceResponse`, `ExportLogsServiceResponse` and `ExportMetricsServiceResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) partial_success: Option<PartialSuccess>,
}

/// `ExportTracePartialSuccess`, `ExportLogsPartialSuccess` and `ExportMetricsPartialSuccess`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(super) rejected: i64,
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}
