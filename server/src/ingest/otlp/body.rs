//! The body of an OTLP call: which encoding it has, and what it holds once it is unpacked.

use std::fmt::Display;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use latchkey_domain::problem::{ErrorCode, Problem};
use latchkey_services::telemetry::MAX_ITEMS;
use serde::de::DeserializeOwned;

use super::{json, protobuf};
use crate::http::json::read;
use crate::http::problem::Refusal;
use crate::ingest::coding::Coding;

/// Maximum body size, compressed and decompressed.
pub(crate) const LARGEST_BODY: usize = 20 * 1024 * 1024;

/// How the messages of a call are written; the answer is written likewise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/x-protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            _ => Err(Refusal::new(
                ErrorCode::UnsupportedMediaType,
                "Send OTLP as application/x-protobuf or as application/json.",
            )),
        }
    }

    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    /// Reads one message. `path` is its place in the body, to say what is wrong where. Of its lists
    /// the first 10,000 elements are read.
    pub(super) fn read<T>(self, path: &dyn Display, part: Bytes) -> Result<T, Problem>
    where
        T: prost::Message + Default + DeserializeOwned,
    {
        self.read_list(path, part, "").map(|(message, _)| message)
    }

    /// The same for a message with one list, and how many elements it has beyond those that are
    /// read. `name` is the list's in JSON; nothing is counted there if it is empty.
    pub(super) fn read_list<T>(
        self,
        path: &dyn Display,
        part: Bytes,
        name: &'static str,
    ) -> Result<(T, usize), Problem>
    where
        T: prost::Message + Default + DeserializeOwned,
    {
        match self {
            Self::Json => {
                let message = json::read(path, &part)?;
                // An element and its comma take two bytes at least.
                let may_have_more = !name.is_empty() && part.len() > 2 * MAX_ITEMS;
                let count = if may_have_more { json::count(&part, name) } else { 0 };
                Ok((message, count.saturating_sub(MAX_ITEMS)))
            }
            Self::Protobuf => {
                let broken = |detail: String| Problem::new(ErrorCode::Malformed, detail);
                let (part, more) = protobuf::bounded(part).ok_or_else(|| {
                    broken(format!("The body is not valid OTLP protobuf at {path}."))
                })?;
                let message = T::decode(part).map_err(|error| {
                    // prost names message and field, never a value.
                    broken(format!("The body is not valid OTLP protobuf at {path}: {error}."))
                })?;
                Ok((message, more))
            }
        }
    }
}

/// The body as it was sent.
pub(crate) struct OtlpBody {
    pub(super) encoding: Encoding,
    coding: Coding,
    sent: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for OtlpBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let encoding = Encoding::of(request.headers())?;
        let coding = Coding::of(request.headers())?;
        let sent = read(request, state).await?;
        Ok(Self { encoding, coding, sent })
    }
}

impl OtlpBody {
    /// A body without a request.
    pub(super) fn of(encoding: Encoding, sent: impl Into<Bytes>) -> Self {
        Self { encoding, coding: Coding::Identity, sent: sent.into() }
    }

    /// How long it is as it was sent.
    pub(super) fn len(&self) -> usize {
        self.sent.len()
    }

    /// What the body holds.
    ///
    /// # Errors
    /// It is too large, or not packed as it says.
    pub(super) fn unpack(self) -> Result<Bytes, Problem> {
        self.coding.unpack(self.sent, LARGEST_BODY)
    }
}
