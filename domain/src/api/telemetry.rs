//! What applications send in, and how it reads back. Field names are those of Upblit's SDKs.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use crate::id::{KeyId, LogItemId, TraceItemId};
use crate::key::Environment;
use crate::time::Timestamp;

/// The body of `POST /ingest/traces`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceBatch {
    /// When the SDK sent the batch.
    #[serde(default, deserialize_with = "optional_client_time")]
    pub timestamp: Option<Timestamp>,
    /// At most 10,000 items.
    pub traces: Vec<TraceEntry>,
}

/// The body of `POST /ingest/logs`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogBatch {
    /// When the SDK sent the batch.
    #[serde(default, deserialize_with = "optional_client_time")]
    pub timestamp: Option<Timestamp>,
    /// At most 10,000 items.
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
    pub timestamp: Timestamp,
    /// The HTTP method, at most 32 characters.
    pub request_method: String,
    /// The URL or path, at most 8,192 characters.
    #[serde(rename = "requestURL")]
    pub request_url: String,
    /// The HTTP status, 0 (no answer) to 999.
    pub response_status: u16,
    /// The trace, at most 128 characters.
    pub trace_id: String,
    /// The span, at most 128 characters.
    pub span_id: String,
    /// The span above it, if there is one.
    #[serde(default)]
    pub parent_span_id: Option<String>,
    /// How long it took, in milliseconds.
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
    /// The trace that it belongs to, if there is one.
    #[serde(default)]
    pub trace_id: Option<String>,
    /// How serious it is, e.g. `info` or `error`; at most 32 characters.
    pub level: String,
    /// What it is about, at most 128 characters.
    #[serde(rename = "type")]
    pub kind: String,
    /// The text.
    pub message: String,
    /// When it happened: RFC 3339, or milliseconds since the Unix epoch.
    #[serde(deserialize_with = "client_time")]
    pub timestamp: Timestamp,
    /// When it happened by the client's own clock.
    #[serde(default, deserialize_with = "optional_client_time")]
    pub client_timestamp: Option<Timestamp>,
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

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Accepted {
    /// How many items were stored.
    pub accepted: usize,
    /// How many were not.
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
    pub index: usize,
    /// Which field, and what is wrong with it.
    pub message: String,
}

/// SDKs write times as RFC 3339 or as milliseconds since the Unix epoch; both are taken.
struct ClientTime;

impl de::Visitor<'_> for ClientTime {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an RFC 3339 time or milliseconds since 1970")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        Timestamp::parse(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Timestamp, E> {
        Ok(Timestamp::from_millis(millis))
    }

    fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Timestamp, E> {
        Ok(Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)))
    }
}

fn client_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    deserializer.deserialize_any(ClientTime)
}

fn optional_client_time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    struct Wrapped(Timestamp);
    impl<'de> Deserialize<'de> for Wrapped {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            client_time(deserializer).map(Self)
        }
    }
    Ok(Option::<Wrapped>::deserialize(deserializer)?.map(|time| time.0))
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
            assert_eq!(log.client_timestamp, Some(log.timestamp));
        }
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
