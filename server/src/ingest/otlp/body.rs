//! The body of an OTLP call: which encoding it has, and what it holds once it is unpacked.

use std::fmt::Display;
use std::io::Read;
use std::iter::Enumerate;
use std::vec::IntoIter;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use flate2::read::MultiGzDecoder;
use latchkey_domain::problem::{ErrorCode, Problem};
use latchkey_services::telemetry::MOST_ITEMS;
use serde::de::DeserializeOwned;

use super::json;
use crate::http::json::read;
use crate::http::problem::Refusal;
use crate::ingest::LARGEST_BODY;

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

    /// The media type.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    /// Reads one message. `path` is its place in the body, to say what is wrong where.
    pub(super) fn read<T>(self, path: &dyn Display, part: Bytes) -> Result<T, Problem>
    where
        T: prost::Message + Default + DeserializeOwned,
    {
        match self {
            Self::Json => json::read(path, &part),
            Self::Protobuf => T::decode(part).map_err(|error| {
                // prost names message and field, never a value.
                let detail = format!("The body is not OTLP in protobuf, at {path}: {error}.");
                Problem::new(ErrorCode::Malformed, detail)
            }),
        }
    }
}

/// The elements of a list, numbered: in JSON they were counted when they were read.
pub(super) fn elements(
    path: &dyn Display,
    list: Vec<Bytes>,
) -> Result<Enumerate<IntoIter<Bytes>>, Problem> {
    if list.len() > MOST_ITEMS {
        return Err(Problem::invalid(path.to_string(), "Send at most 10,000 items."));
    }
    Ok(list.into_iter().enumerate())
}

/// The body as it was sent.
pub(crate) struct OtlpBody {
    pub(super) encoding: Encoding,
    gzip: bool,
    sent: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for OtlpBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let encoding = Encoding::of(request.headers())?;
        let gzip = is_gzip(request.headers())?;
        let sent = read(request, state).await?;
        Ok(Self { encoding, gzip, sent })
    }
}

impl OtlpBody {
    /// One that came from nobody.
    pub(super) fn of(encoding: Encoding, sent: impl Into<Bytes>) -> Self {
        Self { encoding, gzip: false, sent: sent.into() }
    }

    #[cfg(test)]
    pub(super) fn json(sent: impl Into<Bytes>) -> Self {
        Self { encoding: Encoding::Json, gzip: false, sent: sent.into() }
    }

    /// How long it is as it was sent.
    pub(super) fn len(&self) -> usize {
        self.sent.len()
    }

    /// What the body holds. No more of it is unpacked than a body may hold, whatever was packed.
    pub(super) fn unpack(self) -> Result<Bytes, Problem> {
        if !self.gzip {
            return Ok(self.sent);
        }
        let mut body = Vec::new();
        let most = u64::try_from(LARGEST_BODY).unwrap_or(u64::MAX);
        let result = MultiGzDecoder::new(&*self.sent).take(most + 1).read_to_end(&mut body);
        if body.len() > LARGEST_BODY {
            return Err(Problem::new(ErrorCode::TooLarge, "The body is over 4 MiB unpacked."));
        }
        match result {
            Ok(_) => Ok(body.into()),
            Err(_) => Err(Problem::new(
                ErrorCode::Malformed,
                "The body is not what Content-Encoding says: it can’t be unpacked as gzip.",
            )),
        }
    }
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Refusal> {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    let coding = codings.next().map(|value| value.to_str().unwrap_or("?").trim());
    match coding.map(str::to_ascii_lowercase).as_deref() {
        _ if codings.next().is_some() => {}
        None | Some("" | "identity") => return Ok(false),
        Some("gzip" | "x-gzip") => return Ok(true),
        Some(_) => {}
    }
    Err(Refusal::new(
        ErrorCode::UnsupportedMediaType,
        "Send the body as it is or with Content-Encoding: gzip.",
    ))
}
