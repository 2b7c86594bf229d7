//! Filters for lists of telemetry.

use serde::{Deserialize, Serialize};

use super::{SpanKind, SpanStatus};
use crate::query::QueryText;

/// Filters for traces. An item must match all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceFilter {
    /// Only items of this trace.
    #[serde(default, deserialize_with = "QueryText::given")]
    pub trace_id: Option<QueryText>,
    /// Only spans of this kind.
    pub kind: Option<SpanKind>,
    /// Only spans with this status.
    pub status: Option<SpanStatus>,
    /// Only spans without a parent.
    #[serde(default)]
    pub root: bool,
    /// Only items whose method, URL or `meta` contains this text.
    #[serde(default, deserialize_with = "QueryText::given")]
    pub q: Option<QueryText>,
}

/// Filters for logs. An item must match all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogFilter {
    /// Only items of this trace.
    #[serde(default, deserialize_with = "QueryText::given")]
    pub trace_id: Option<QueryText>,
    /// Only messages of this level, ignoring case.
    #[serde(default, deserialize_with = "QueryText::given")]
    pub level: Option<QueryText>,
    /// Only items whose message, type or `meta` contains this text.
    #[serde(default, deserialize_with = "QueryText::given")]
    pub q: Option<QueryText>,
}
