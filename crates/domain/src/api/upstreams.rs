//! Upstreams of the gateway, as instance administrators see them.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// An upstream and how it has done on this node since the node started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpstreamReport {
    /// Name in the upstreams file.
    pub name: String,
    /// Models that it serves, by the names that clients use.
    pub models: Vec<String>,
    /// Endpoints that it serves: `chat`, `completions`, `embeddings`, `responses`, `messages`,
    /// `rerank`, `moderations`, `images` or `audio`.
    pub endpoints: Vec<String>,
    /// False after three failures in a row, until a call succeeds.
    pub healthy: bool,
    /// Mean time to the first byte of recent answers, in milliseconds. Null before the first.
    pub latency_ms: Option<u64>,
    /// Calls that were sent to it.
    pub calls: u64,
    /// Calls that it could not serve: it could not be reached, did not answer in time, answered
    /// with a server error, 429 or a redirect, rejected this server’s credentials, or its answer
    /// broke off or was an error.
    pub errors: u64,
    /// The last of these errors. Null if there was none.
    pub last_failure: Option<UpstreamFailure>,
}

/// A call that an upstream could not serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpstreamFailure {
    /// When it failed.
    pub at: Timestamp,
    /// Status of the upstream’s answer. Null if there was none, or if it began with a success and
    /// broke off or was an error.
    pub status: Option<u16>,
    /// What went wrong, without hosts and credentials.
    pub message: String,
}

/// The upstreams of this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpstreamList {
    /// The upstreams, in the order of the file.
    pub data: Vec<UpstreamReport>,
}
