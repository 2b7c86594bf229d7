//! What the lists of telemetry are narrowed to.

use serde::{Deserialize, Serialize};

use super::{SpanKind, SpanStatus};
use crate::query::QueryText;

/// Which traces of an application are wanted; all that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceFilter {
    /// Of this trace.
    #[serde(default, deserialize_with = "QueryText::given")]
    pub trace_id: Option<QueryText>,
    /// Spans of this kind.
    pub kind: Option<SpanKind>,
    /// Spans with this status.
    pub status: Option<SpanStatus>,
    /// Those that have no span above them.
    #[serde(default)]
    pub root: bool,
    /// A text within the method, the URL or what `meta` holds, the name among it.
    #[serde(default, deserialize_with = "QueryText::given")]
    pub q: Option<QueryText>,
}

/// Which logs of an application are wanted; all that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogFilter {
    /// Of this trace.
    #[serde(default, deserialize_with = "QueryText::given")]
    pub trace_id: Option<QueryText>,
    /// Of this level, in upper or lower case.
    #[serde(default, deserialize_with = "QueryText::given")]
    pub level: Option<QueryText>,
    /// A text within the message, the type or what `meta` holds.
    #[serde(default, deserialize_with = "QueryText::given")]
    pub q: Option<QueryText>,
}
