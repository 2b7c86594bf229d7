//! Who called, as handlers take it.

use axum_core::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Whoever holds the key of a request. A handler takes it as an argument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Caller {
    /// `key_…`, as on the pages and in the API.
    pub key_id: String,
    /// Name of the key.
    pub name: String,
    /// `live` or `test`.
    pub environment: String,
    /// ID of the key's project.
    pub project_id: String,
    /// ID of the application that the key is for; `None` if it is for the whole project.
    pub application_id: Option<String>,
    /// Your own ID of the key's user.
    #[serde(default)]
    pub external_id: Option<String>,
    /// What the key may do.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What you keep with the key.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// Words that you sort keys by.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Fails with 500 where no [`crate::LatchkeyLayer`] stands before the handler.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            tracing::error!("No LatchkeyLayer stands before a handler that takes a Caller");
            StatusCode::INTERNAL_SERVER_ERROR
        })
    }
}
