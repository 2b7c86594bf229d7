//! JSON bodies: read whole, within the route's size, with an error that says which field is wrong.

use axum::BoxError;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, OptionalFromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use latchkey_domain::json;
use latchkey_domain::problem::ErrorCode;
use serde::de::DeserializeOwned;

use super::presented::AuthenticatedCaller;
use super::problem::Refusal;

pub(crate) const JSON: &str = "application/json";

/// The JSON body of a request.
///
/// Refuses another media type (415), too much (413), what is no JSON (400), and a missing, unknown
/// or mistyped field (422). Messages never repeat what was sent: it may be a secret in the wrong
/// place.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        require_json(request.headers())?;
        parse(&read(request, state).await?).map(Self)
    }
}

/// An empty body counts as no body, with any media type.
impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Refusal> {
        let json = require_json(request.headers());
        let body = read(request, state).await?;
        if body.is_empty() {
            return Ok(None);
        }
        json?;
        parse(&body).map(|value| Some(Self(value)))
    }
}

pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // As nearly everybody says it, without a copy.
    if kind == JSON {
        return Ok(());
    }
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == JSON || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::UnsupportedMediaType,
        "Send the body as JSON, with Content-Type: application/json.",
    ))
}

/// Reads the whole body, up to the route's limit, and then authenticates the caller once more.
pub(crate) async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Refusal> {
    let has_body = !request.body().is_end_stream();
    let presented = request.extensions().get::<AuthenticatedCaller>().filter(|_| has_body).cloned();
    let body = Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(cause)
            if cause.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE =>
        {
            too_large()
        }
        _ => unreadable(),
    })?;
    if let Some(presented) = presented {
        presented.confirm().await?;
    }
    Ok(body)
}

/// The JSON of a request that is in its parts already, of at most `limit` bytes.
pub(crate) async fn take<T, B>(headers: &HeaderMap, body: B, limit: usize) -> Result<T, Refusal>
where
    T: DeserializeOwned,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    require_json(headers)?;
    let whole = Limited::new(body, limit)
        .collect()
        .await
        .map_err(|error| if error.is::<LengthLimitError>() { too_large() } else { unreadable() })?;
    parse(&whole.to_bytes())
}

fn too_large() -> Refusal {
    Refusal::new(ErrorCode::TooLarge, "The body exceeds the size limit of this endpoint.")
}

fn unreadable() -> Refusal {
    Refusal::new(ErrorCode::Malformed, "The body is incomplete or could not be read.")
}

pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    Ok(json::read(body)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use latchkey_domain::api::{ApplicationKeyRequest, LogBatch, TraceBatch};

    fn refusal<T: DeserializeOwned>(body: &str) -> (ErrorCode, String) {
        let Err(Refusal { problem, .. }) = parse::<T>(body.as_bytes()) else {
            panic!("{body} was taken")
        };
        (problem.code, problem.detail)
    }

    #[test]
    fn invalid_json_is_malformed() {
        let nested = "[".repeat(100_000);
        for body in ["", "{", "{\"name\":\"a", "{\"name\":\"a\"}}", "nul", "\u{feff}{}", &nested] {
            assert_eq!(
                refusal::<ApplicationKeyRequest>(body).0,
                ErrorCode::Malformed,
                "{body:.20}"
            );
        }
        let Err(Refusal { problem, .. }) = parse::<ApplicationKeyRequest>(b"{\"name\":\"\xff\"}")
        else {
            panic!("invalid UTF-8 was taken")
        };
        assert_eq!(problem.code, ErrorCode::Malformed);
    }

    #[test]
    fn wrong_fields_are_named() {
        let detail = |body| refusal::<ApplicationKeyRequest>(body);
        let invalid = |detail: &str| (ErrorCode::Invalid, detail.to_owned());
        assert_eq!(detail(r#"{"color":1}"#), invalid("color: Unknown field."));
        assert_eq!(detail(r#"{"name":5}"#), invalid("name: Expected a string."));
        assert_eq!(detail(r#"{"name":""}"#), invalid("name: Enter a name."));
        for body in ["[]", "null", "5", "\"lk\""] {
            assert_eq!(detail(body), invalid("body: Expected an object."));
        }
        assert_eq!(
            detail(r#"{"environment":"prod"}"#),
            invalid("environment: Expected \"live\" or \"test\".")
        );
        assert_eq!(refusal::<TraceBatch>("{}"), invalid("traces: This field is required."));
        assert_eq!(
            refusal::<TraceBatch>(r#"{"traces":[1]}"#),
            invalid("traces[0]: Expected an object.")
        );
        let item = r#"{"traces":[{"timestamp":"now"}]}"#;
        assert_eq!(refusal::<TraceBatch>(item).1.split(':').next(), Some("traces[0].timestamp"));
        let log = r#"{"logs":[{"level":"info","type":"a","message":"b"}]}"#;
        assert_eq!(refusal::<LogBatch>(log), invalid("logs[0].timestamp: This field is required."));
    }

    #[test]
    fn rejected_value_is_not_echoed() {
        let secret = "lk_live_0000000000000000000000000000000000000x";
        for body in [
            format!(r#"{{"environment":"{secret}"}}"#),
            format!(r#"{{"name":{{"a":"{secret}"}}}}"#),
            format!("\"{secret}\""),
        ] {
            assert!(!refusal::<ApplicationKeyRequest>(&body).1.contains(secret), "{body}");
        }
    }
}
