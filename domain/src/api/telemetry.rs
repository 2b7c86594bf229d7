//! What applications send in, and how it reads back. Field names are those of Upblit's SDKs.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use crate::id::{KeyId, LogItemId, TraceItemId};
use crate::key::Environment;
use crate::time::{PreciseTimestamp, Timestamp};
use crate::word::from_words;

/// The body of `POST /ingest/traces`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceBatch {
    /// When the SDK sent the batch.
    #[serde(default, deserialize_with = "optional_client_time")]
    pub timestamp: Option<Timestamp>,
    /// The first 10,000 items are stored.
    pub traces: Vec<TraceEntry>,
}

/// The body of `POST /ingest/logs`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogBatch {
    /// When the SDK sent the batch.
    #[serde(default, deserialize_with = "optional_client_time")]
    pub timestamp: Option<Timestamp>,
    /// The first 10,000 items are stored.
    pub logs: Vec<LogEntry>,
}

/// One request that an application served. Unknown fields are ignored: other SDK versions send
/// them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TraceEntry {
    /// When it began: RFC 3339, or milliseconds since the Unix epoch.
    #[serde(deserialize_with = "client_time")]
    pub timestamp: PreciseTimestamp,
    /// The HTTP method, or the name of what is no request; at most 512 characters.
    #[cfg_attr(feature = "openapi", schema(max_length = 512))]
    pub request_method: String,
    /// The URL or path, at most 8,192 characters.
    #[serde(rename = "requestURL")]
    #[cfg_attr(feature = "openapi", schema(max_length = 8_192))]
    pub request_url: String,
    /// The HTTP status, 0 (no answer) to 999.
    #[cfg_attr(feature = "openapi", schema(maximum = 999))]
    pub response_status: u16,
    /// The trace, at most 128 characters.
    #[cfg_attr(feature = "openapi", schema(max_length = 128))]
    pub trace_id: String,
    /// The span, at most 128 characters.
    #[cfg_attr(feature = "openapi", schema(max_length = 128))]
    pub span_id: String,
    /// The span above it, if there is one; at most 128 characters.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_length = 128))]
    pub parent_span_id: Option<String>,
    /// How long it took, in milliseconds; null is 0.
    #[serde(deserialize_with = "number_or_zero")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub duration_ms: f64,
    /// What else the application wants to keep with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub meta: Option<Map<String, Value>>,
}

/// One line that an application logged. Unknown fields are ignored: other SDK versions send them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// The trace that it belongs to, if there is one; at most 128 characters.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_length = 128))]
    pub trace_id: Option<String>,
    /// How serious it is, e.g. `info` or `error`; at most 512 characters.
    #[cfg_attr(feature = "openapi", schema(max_length = 512))]
    pub level: String,
    /// What it is about, at most 512 characters.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(max_length = 512))]
    pub kind: String,
    /// The text, as long as a body may be. What is no text is kept as JSON; absent is empty.
    #[serde(default, deserialize_with = "text_or_json")]
    #[cfg_attr(feature = "openapi", schema(max_length = 4_194_304))]
    pub message: String,
    /// When it happened: RFC 3339, or milliseconds since the Unix epoch.
    #[serde(deserialize_with = "client_time")]
    pub timestamp: PreciseTimestamp,
    /// When it happened by the client's own clock.
    #[serde(default, deserialize_with = "optional_client_time")]
    pub client_timestamp: Option<Timestamp>,
    /// What else the application wants to keep with it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "map_or_value")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub meta: Option<Map<String, Value>>,
}

/// A stored trace item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct IngestedTrace {
    /// Its id.
    pub id: TraceItemId,
    /// The key that brought it.
    pub key_id: KeyId,
    /// The key's environment. What a test key brought is deleted after 24 hours.
    pub environment: Environment,
    /// When it arrived.
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
    /// Its id.
    pub id: LogItemId,
    /// The key that brought it.
    pub key_id: KeyId,
    /// The key's environment. What a test key brought is deleted after 24 hours.
    pub environment: Environment,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The item as it was sent.
    #[serde(flatten)]
    pub entry: LogEntry,
}

/// What a span is, as OpenTelemetry has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum SpanKind {
    /// It says nothing of itself, or is no span.
    Unspecified,
    /// Something within an application.
    Internal,
    /// A request that the application serves.
    Server,
    /// A request that it sends.
    Client,
    /// A message that it sends.
    Producer,
    /// A message that it handles.
    Consumer,
}

from_words!(SpanKind);

impl SpanKind {
    /// All of them, by OpenTelemetry's numbers from 0.
    pub const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::Internal,
        Self::Server,
        Self::Client,
        Self::Producer,
        Self::Consumer,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }

    /// The kind of that name, if it says something.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().skip(1).find(|kind| kind.as_str() == name)
    }
}

/// How a span ended, as OpenTelemetry has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum SpanStatus {
    /// It says nothing of it.
    Unset,
    /// Well.
    Ok,
    /// With an error.
    Error,
}

from_words!(SpanStatus);

impl SpanStatus {
    /// All of them, by OpenTelemetry's numbers from 0.
    pub const ALL: [Self; 3] = [Self::Unset, Self::Ok, Self::Error];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }

    /// The status of that name, if it says something.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().skip(1).find(|status| status.as_str() == name)
    }
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Accepted {
    /// How many items are stored, by this call or by one before that brought the same.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub accepted: usize,
    /// How many were not.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub rejected: usize,
    /// What is wrong with items, the first 20 of them: why one was not stored, or what of it was
    /// cut off.
    pub errors: Vec<ItemError>,
}

/// What is wrong with one item of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ItemError {
    /// Its place in the batch, from 0.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub index: usize,
    /// Which field, and what is wrong with it.
    pub message: String,
}

/// SDKs write times as RFC 3339 or as milliseconds since the Unix epoch, with or without decimals.
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

/// Loggers are handed errors and objects for a message too.
fn text_or_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    })
}

/// Older SDKs' unknown fields were ignored, whatever they held: one of this name refuses no item.
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
    fn times_are_taken_as_text_and_as_milliseconds() {
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
    fn what_sdks_send_is_read() {
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
    fn the_batch_time_may_be_absent_or_null() {
        for body in [json!({"traces": []}), json!({"timestamp": null, "traces": []})] {
            assert!(serde_json::from_value::<TraceBatch>(body).is_ok());
        }
        assert!(
            serde_json::from_value::<TraceBatch>(json!({"timestamp": "soon", "traces": []}))
                .is_err()
        );
    }
}
