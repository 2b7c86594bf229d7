//! Telemetry that applications send, and its stored form. Field names are those of Upblit's SDKs.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use crate::id::{KeyId, LogItemId, TraceItemId};
use crate::key::Environment;
use crate::time::{PreciseTimestamp, Timestamp};
use crate::word::{from_words, words};

/// Body of `POST /ingest/traces`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceBatch {
    /// When the SDK sent the batch.
    #[serde(default, deserialize_with = "optional_client_time")]
    pub timestamp: Option<Timestamp>,
    /// Up to 10,000 items. Any others are rejected.
    pub traces: Vec<TraceEntry>,
}

/// Body of `POST /ingest/logs`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogBatch {
    /// When the SDK sent the batch.
    #[serde(default, deserialize_with = "optional_client_time")]
    pub timestamp: Option<Timestamp>,
    /// Up to 10,000 items. Any others are rejected.
    pub logs: Vec<LogEntry>,
}

/// A request that an application handled. Unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TraceEntry {
    /// Start time: RFC 3339, or milliseconds since the Unix epoch.
    #[serde(deserialize_with = "client_time")]
    pub timestamp: PreciseTimestamp,
    /// HTTP method, or the name of the span if it is not a request. At most 512 characters.
    #[cfg_attr(feature = "openapi", schema(max_length = 512))]
    pub request_method: String,
    /// URL or path. At most 8,192 characters.
    #[serde(rename = "requestURL")]
    #[cfg_attr(feature = "openapi", schema(max_length = 8_192))]
    pub request_url: String,
    /// HTTP status from 0 (no response) to 999.
    #[cfg_attr(feature = "openapi", schema(maximum = 999))]
    pub response_status: u16,
    /// Trace ID. At most 128 characters.
    #[cfg_attr(feature = "openapi", schema(max_length = 128))]
    pub trace_id: String,
    /// Span ID. At most 128 characters.
    #[cfg_attr(feature = "openapi", schema(max_length = 128))]
    pub span_id: String,
    /// ID of the parent span, if there is one. At most 128 characters.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_length = 128))]
    pub parent_span_id: Option<String>,
    /// Duration in milliseconds; null means 0.
    #[serde(deserialize_with = "number_or_zero")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub duration_ms: f64,
    /// Additional attributes as a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub meta: Option<Map<String, Value>>,
}

/// A log message of an application. Unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// ID of the trace that the message belongs to, if there is one. At most 128 characters.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_length = 128))]
    pub trace_id: Option<String>,
    /// Severity, e.g. `info` or `error`. At most 512 characters.
    #[cfg_attr(feature = "openapi", schema(max_length = 512))]
    pub level: String,
    /// Category of the message. At most 512 characters.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(max_length = 512))]
    pub kind: String,
    /// Text of the message. Other JSON values are stored as JSON; if omitted, the text is empty.
    #[serde(default, deserialize_with = "text_or_json")]
    #[cfg_attr(feature = "openapi", schema(max_length = 4_194_304))]
    pub message: String,
    /// Time of the message: RFC 3339, or milliseconds since the Unix epoch.
    #[serde(deserialize_with = "client_time")]
    pub timestamp: PreciseTimestamp,
    /// Time of the message by the client's own clock.
    #[serde(default, deserialize_with = "optional_client_time")]
    pub client_timestamp: Option<Timestamp>,
    /// Additional attributes as a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "map_or_value")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub meta: Option<Map<String, Value>>,
}

/// A stored trace item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct IngestedTrace {
    /// ID of the item.
    pub id: TraceItemId,
    /// ID of the key that sent the item.
    pub key_id: KeyId,
    /// Environment of the key. Items of test keys are deleted after 24 hours.
    pub environment: Environment,
    /// When the item was received.
    pub received_at: Timestamp,
    /// The item as it was sent.
    #[serde(flatten)]
    pub entry: TraceEntry,
}

/// A stored log item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct IngestedLog {
    /// ID of the item.
    pub id: LogItemId,
    /// ID of the key that sent the item.
    pub key_id: KeyId,
    /// Environment of the key. Items of test keys are deleted after 24 hours.
    pub environment: Environment,
    /// When the item was received.
    pub received_at: Timestamp,
    /// The item as it was sent.
    #[serde(flatten)]
    pub entry: LogEntry,
}

/// OpenTelemetry's kind of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum SpanKind {
    /// Not specified, or the item is not a span.
    Unspecified,
    /// An operation within an application.
    Internal,
    /// A request that the application handles.
    Server,
    /// A request that the application sends.
    Client,
    /// A message that the application sends.
    Producer,
    /// A message that the application processes.
    Consumer,
}

words!(SpanKind);
from_words!(SpanKind);

impl SpanKind {
    /// The inverse of `as_str`, except for `unspecified`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().skip(1).find(|kind| kind.as_str() == name)
    }
}

/// OpenTelemetry's status of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum SpanStatus {
    /// The status was not set.
    Unset,
    /// The operation completed successfully.
    Ok,
    /// The operation contains an error.
    Error,
}

words!(SpanStatus);
from_words!(SpanStatus);

impl SpanStatus {
    /// The inverse of `as_str`, except for `unset`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().skip(1).find(|status| status.as_str() == name)
    }
}

/// Result of an ingest request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Accepted {
    /// Number of items that are stored, including duplicates of items stored before.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub accepted: usize,
    /// Number of items that were not stored.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub rejected: usize,
    /// The first 20 errors: items that were not stored, and values that were truncated.
    pub errors: Vec<ItemError>,
}

/// An error in one item of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ItemError {
    /// Zero-based index of the item in the batch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub index: usize,
    /// The field and what is wrong with it.
    pub message: String,
}

/// SDKs send times as RFC 3339 or as milliseconds since the Unix epoch, with or without decimals.
struct ClientTime;

impl de::Visitor<'_> for ClientTime {
    type Value = PreciseTimestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an RFC 3339 time or milliseconds since 1970")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<PreciseTimestamp, E> {
        PreciseTimestamp::parse(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, millis: i64) -> Result<PreciseTimestamp, E> {
        Ok(Timestamp::from_millis(millis).into())
    }

    fn visit_u64<E: de::Error>(self, millis: u64) -> Result<PreciseTimestamp, E> {
        Ok(Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)).into())
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the casts saturate, and the fraction is from 0 to 1"
    )]
    fn visit_f64<E: de::Error>(self, millis: f64) -> Result<PreciseTimestamp, E> {
        let whole = millis.floor();
        let nanos = ((millis - whole) * 1e6).round() as u32;
        Ok(PreciseTimestamp::new(Timestamp::from_millis(whole as i64), nanos))
    }
}

fn client_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PreciseTimestamp, D::Error> {
    deserializer.deserialize_any(ClientTime)
}

fn optional_client_time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    struct Wrapped(PreciseTimestamp);
    impl<'de> Deserialize<'de> for Wrapped {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            client_time(deserializer).map(Self)
        }
    }
    Ok(Option::<Wrapped>::deserialize(deserializer)?.map(|time| time.0.millisecond()))
}

/// Upblit's SDK for Express sends null for every span of `service()` and `call()`.
fn number_or_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Some loggers pass errors and objects as the message.
fn text_or_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    })
}

/// Earlier versions ignored unknown fields, so a `meta` that is not an object must not reject the
/// item.
fn map_or_value<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Map<String, Value>>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => None,
        Value::Object(map) => Some(map),
        other => Some(Map::from_iter([("value".to_owned(), other)])),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn client_time_parses_from_text_and_milliseconds() {
        for time in [json!("2026-11-21T07:45:53.120Z"), json!(1_795_247_153_120_i64)] {
            let log: LogEntry = serde_json::from_value(json!({
                "level": "info", "type": "app", "message": "hi", "timestamp": time,
                "clientTimestamp": time, "somethingNew": [1],
            }))
            .unwrap();
            assert_eq!(log.timestamp.to_string(), "2026-11-21T07:45:53.120Z");
            assert_eq!(log.client_timestamp, Some(log.timestamp.millisecond()));
        }
    }

    #[test]
    fn times_keep_their_nanoseconds() {
        for (time, expected) in [
            (json!("2026-11-21T07:45:53.120000007Z"), "2026-11-21T07:45:53.120000007Z"),
            (json!(1_795_247_153_120.25), "2026-11-21T07:45:53.120250Z"),
        ] {
            let log: LogEntry = serde_json::from_value(json!({
                "level": "info", "type": "app", "message": "hi", "timestamp": time,
            }))
            .unwrap();
            let expected = PreciseTimestamp::parse(expected).unwrap();
            assert_eq!(log.timestamp, expected);
        }
    }

    #[test]
    fn sdk_payload_is_parsed() {
        let trace: TraceEntry = serde_json::from_value(json!({
            "timestamp": 0, "requestMethod": "SERVICE", "requestURL": "charge", "responseStatus": 0,
            "traceId": "a", "spanId": "b", "durationMs": null,
        }))
        .unwrap();
        assert!(trace.duration_ms.abs() < f64::EPSILON);
        for (message, expected) in [
            (json!("text"), "text"),
            (json!({"code": 7}), r#"{"code":7}"#),
            (json!([1, null]), "[1,null]"),
            (json!(true), "true"),
            (Value::Null, ""),
        ] {
            let log: LogEntry = serde_json::from_value(json!({
                "level": "info", "type": "app", "message": message, "timestamp": 0, "meta": [1],
            }))
            .unwrap();
            assert_eq!(log.message, expected);
            assert_eq!(Value::from(log.meta.unwrap()), json!({"value": [1]}));
        }
        let absent = json!({"level": "info", "type": "app", "timestamp": 0});
        let absent: LogEntry = serde_json::from_value(absent).unwrap();
        assert_eq!((absent.message.as_str(), absent.meta), ("", None));
    }

    #[test]
    fn batch_time_may_be_absent_or_null() {
        for body in [json!({"traces": []}), json!({"timestamp": null, "traces": []})] {
            assert!(serde_json::from_value::<TraceBatch>(body).is_ok());
        }
        assert!(
            serde_json::from_value::<TraceBatch>(json!({"timestamp": "soon", "traces": []}))
                .is_err()
        );
    }
}
