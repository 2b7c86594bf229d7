//! How every refusal reads: RFC 9457 problem details with Latchkey's codes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::KeyId;
use crate::outcome::Outcome;

/// The machine-readable reason of a refusal. Each has one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// 400: the body is not the JSON, or not the UTF-8, that it says it is.
    Malformed,
    /// 401: no credentials, or bad ones.
    Unauthenticated,
    /// 403: signed in, but not allowed to do this.
    Forbidden,
    /// 404: it does not exist, or the caller may not know that it does.
    NotFound,
    /// 405: the path exists, the method does not.
    MethodNotAllowed,
    /// 409: another thing of this name exists.
    NameTaken,
    /// 409: the state it is in does not allow this.
    Conflict,
    /// 409: the project has as many active keys as its tier allows.
    TierLimitReached,
    /// 409: the organization, or the person, has as many of these as there may be; `detail` says
    /// the way out.
    LimitReached,
    /// 409: an organization keeps at least one owner.
    LastOwner,
    /// 409: this `Idempotency-Key` has made `key_id` already, or what `detail` names.
    IdempotencyReplay,
    /// 422: this `Idempotency-Key` came with another body before.
    IdempotencyMismatch,
    /// 413: the body is over the route's limit.
    TooLarge,
    /// 415: not a media type that the route takes.
    UnsupportedMediaType,
    /// 422: a field is missing, unknown, of the wrong type or out of range; `errors` says which.
    Invalid,
    /// 429: too many attempts of this address failed in the last minute; `Retry-After` says when it
    /// frees.
    TooManyFailures,
    /// 408: the request did not arrive in time.
    Timeout,
    /// 500: a fault of the server. The log has the rest, under the request id.
    Internal,
    /// The outcome of a key's check, with the outcome's own status.
    #[serde(untagged)]
    Outcome(Outcome),
}

impl ErrorCode {
    /// All codes but the outcomes'.
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

    /// The HTTP status of this code.
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

    /// The short title that goes with the status.
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

/// By hand, because the derive does not see that an outcome stands for its own code.
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
                "The machine-readable reason, each with one status: {}",
                described.collect::<Vec<_>>().join(", ")
            )))
            .enum_values(Some(codes.filter_map(|code| serde_json::to_value(code).ok())))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for ErrorCode {}

/// One field of a request that is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// The field's path, e.g. `name` or `traces[3].durationMs`.
    pub field: String,
    /// What is wrong with it, as a sentence.
    pub message: String,
}

/// A refusal, as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Always `about:blank`: `code` tells problems apart.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "about:blank"))]
    pub kind: AboutBlank,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The machine-readable reason.
    pub code: ErrorCode,
    /// What happened and what to do, for people.
    pub detail: String,
    /// The id under which the server's log has this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub request_id: Option<String>,
    /// The wrong fields, when `code` is `invalid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The key that was made, when `code` is `idempotency_replay`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key_id: Option<KeyId>,
}

/// The one `type` that our problems have.
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
    /// A refusal for this reason.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            kind: AboutBlank,
            title: code.title().to_owned(),
            status: code.status(),
            code,
            detail: detail.into(),
            request_id: None,
            errors: Vec::new(),
            key_id: None,
        }
    }

    /// 422 for one field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// 422 for these fields.
    pub fn invalid_fields(errors: Vec<FieldError>) -> Self {
        let told = errors.iter().map(|error| format!("{}: {}", error.field, error.message));
        let detail = told.collect::<Vec<_>>().join(" ");
        Self { errors, ..Self::new(ErrorCode::Invalid, detail) }
    }

    /// The refusal that an outcome other than `valid` stands for.
    pub fn outcome(outcome: Outcome) -> Self {
        Self::new(ErrorCode::Outcome(outcome), outcome.detail())
    }

    /// The message for `field`, if this refusal has one.
    pub fn field(&self, field: &str) -> Option<&str> {
        let error = self.errors.iter().find(|error| error.field == field)?;
        Some(&error.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_as_one_flat_list() {
        let code = |text: &str| serde_json::from_value::<ErrorCode>(text.into()).unwrap();
        assert_eq!(code("name_taken"), ErrorCode::NameTaken);
        assert_eq!(code("revoked_key"), ErrorCode::Outcome(Outcome::RevokedKey));
        assert_eq!(
            serde_json::to_value(ErrorCode::Outcome(Outcome::RevokedKey)).unwrap(),
            "revoked_key"
        );
    }

    #[test]
    fn a_problem_reads_as_rfc_9457_says() {
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
