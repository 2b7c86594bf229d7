//! Errors of the API: RFC 9457 problem details with Latchkey's codes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::api::RefusingLimit;
use crate::id::KeyId;
use crate::outcome::Outcome;

/// Machine-readable error code. Each has one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// 400: the body is not valid JSON or not valid UTF-8.
    Malformed,
    /// 401: missing or invalid credentials.
    Unauthenticated,
    /// 403: the caller is authenticated but lacks the permission.
    Forbidden,
    /// 404: the resource does not exist, or the caller has no access to it.
    NotFound,
    /// 405: the path does not support this method.
    MethodNotAllowed,
    /// 409: the name is already in use.
    NameTaken,
    /// 409: the state of the resource does not allow this operation.
    Conflict,
    /// 409: the project has the maximum number of active keys of its tier.
    TierLimitReached,
    /// 409: the organization or the user has reached a limit; `detail` says what to do.
    LimitReached,
    /// 409: an organization must have at least one owner.
    LastOwner,
    /// 409: a request with this `Idempotency-Key` has already succeeded; `key_id` is the key it
    /// created.
    IdempotencyReplay,
    /// 422: this `Idempotency-Key` was used with a different body.
    IdempotencyMismatch,
    /// 413: the body exceeds the size limit of the endpoint.
    TooLarge,
    /// 415: the endpoint does not accept this media type.
    UnsupportedMediaType,
    /// 422: a field is missing, unknown, of the wrong type or out of range; `errors` lists all of
    /// them.
    Invalid,
    /// 429: too many failed attempts from this IP address, or with this imported key; `Retry-After`
    /// says how long to wait.
    TooManyFailures,
    /// 408: the request did not arrive in time.
    Timeout,
    /// 500: an error of the server. The log has the cause, under the request ID.
    Internal,
    /// Outcome of a key's check, with its own status.
    #[serde(untagged)]
    Outcome(Outcome),
}

impl ErrorCode {
    /// All codes except outcomes.
    pub const OWN: [Self; 18] = [
        Self::Malformed,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Timeout,
        Self::NameTaken,
        Self::Conflict,
        Self::TierLimitReached,
        Self::LimitReached,
        Self::LastOwner,
        Self::IdempotencyReplay,
        Self::IdempotencyMismatch,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Invalid,
        Self::TooManyFailures,
        Self::Internal,
    ];

    /// HTTP status of this code.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Timeout => 408,
            Self::NameTaken
            | Self::Conflict
            | Self::TierLimitReached
            | Self::LimitReached
            | Self::LastOwner
            | Self::IdempotencyReplay => 409,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid | Self::IdempotencyMismatch => 422,
            Self::TooManyFailures => 429,
            Self::Internal => 500,
            Self::Outcome(outcome) => outcome.status(),
        }
    }

    /// Short title of the status.
    const fn title(self) -> &'static str {
        match self.status() {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            409 => "Conflict",
            413 => "Content Too Large",
            415 => "Unsupported Media Type",
            422 => "Unprocessable Content",
            429 => "Too Many Requests",
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        }
    }
}

/// Implemented by hand: the derive does not see that an outcome serializes as its own code.
#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for ErrorCode {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let refusals = Outcome::ALL.into_iter().filter(|outcome| *outcome != Outcome::Valid);
        let codes = Self::OWN.into_iter().chain(refusals.map(Self::Outcome));
        let described = codes.clone().map(|code| {
            let name = serde_json::to_value(code).unwrap_or_default();
            format!("{} ({})", name.as_str().unwrap_or_default(), code.status())
        });
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some(format!(
                "Machine-readable error code. Each has one HTTP status: {}",
                described.collect::<Vec<_>>().join(", ")
            )))
            .enum_values(Some(codes.filter_map(|code| serde_json::to_value(code).ok())))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for ErrorCode {}

/// A validation error of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// Path of the field, e.g. `name` or `traces[3].durationMs`.
    pub field: String,
    /// What is wrong with the value.
    pub message: String,
}

/// An error as `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Always `about:blank`. Use `code` to tell errors apart.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "about:blank"))]
    pub kind: AboutBlank,
    /// Short title of the status.
    pub title: Box<str>,
    /// HTTP status of the response.
    pub status: u16,
    /// Machine-readable code of the error.
    pub code: ErrorCode,
    /// What happened and what to do, for humans.
    pub detail: String,
    /// ID of the request in the server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub request_id: Option<String>,
    /// Invalid fields, if `code` is `invalid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// ID of the key that the first request created, if `code` is `idempotency_replay`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key_id: Option<KeyId>,
    /// The limit that refused the request, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub limit: Option<Box<RefusingLimit>>,
}

/// The only value of `type` in our problem details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AboutBlank;

impl Serialize for AboutBlank {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("about:blank")
    }
}

impl<'de> Deserialize<'de> for AboutBlank {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|_| Self)
    }
}

impl Problem {
    /// An error with this code.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            kind: AboutBlank,
            title: code.title().into(),
            status: code.status(),
            code,
            detail: detail.into(),
            request_id: None,
            errors: Vec::new(),
            key_id: None,
            limit: None,
        }
    }

    /// 422 for one field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// 422 for these fields.
    pub fn invalid_fields(errors: Vec<FieldError>) -> Self {
        let texts = errors.iter().map(|error| format!("{}: {}", error.field, error.message));
        let detail = texts.collect::<Vec<_>>().join(" ");
        Self { errors, ..Self::new(ErrorCode::Invalid, detail) }
    }

    /// The error for an outcome other than `valid`.
    pub fn outcome(outcome: Outcome) -> Self {
        Self::new(ErrorCode::Outcome(outcome), outcome.detail())
    }

    /// The message for `field`, if there is one.
    pub fn field(&self, field: &str) -> Option<&str> {
        let error = self.errors.iter().find(|error| error.field == field)?;
        Some(&error.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_serialize_as_one_flat_list() {
        let code = |text: &str| serde_json::from_value::<ErrorCode>(text.into()).unwrap();
        assert_eq!(code("name_taken"), ErrorCode::NameTaken);
        assert_eq!(code("revoked_key"), ErrorCode::Outcome(Outcome::RevokedKey));
        assert_eq!(
            serde_json::to_value(ErrorCode::Outcome(Outcome::RevokedKey)).unwrap(),
            "revoked_key"
        );
    }

    #[test]
    fn problem_serializes_as_rfc_9457() {
        let problem = Problem::invalid("name", "Enter a name.");
        assert_eq!(
            serde_json::to_value(problem).unwrap(),
            serde_json::json!({
                "type": "about:blank",
                "title": "Unprocessable Content",
                "status": 422,
                "code": "invalid",
                "detail": "name: Enter a name.",
                "errors": [{"field": "name", "message": "Enter a name."}],
            })
        );
    }
}
