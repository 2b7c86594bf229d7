//! The responses of the gateway's endpoints, as the API's description lists them. Handlers return a
//! [`super::error::GatewayError`].

use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::error::{AnthropicErrorBody, ErrorBody};

/// An error in the format that the client reads. Described by hand: a derived schema would be
/// `oneOf`, but nothing in a schema says that the two formats exclude each other.
pub(super) struct AnyErrorBody;

impl PartialSchema for AnyErrorBody {
    fn schema() -> RefOr<Schema> {
        let description = "An error in the format that the client reads: Anthropic’s with \
                           `anthropic-version`, else OpenAI’s";
        AnyOfBuilder::new()
            .description(Some(description))
            .item(Ref::from_schema_name(ErrorBody::name()))
            .item(Ref::from_schema_name(AnthropicErrorBody::name()))
            .into()
    }
}

impl ToSchema for AnyErrorBody {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((ErrorBody::name().into_owned(), ErrorBody::schema()));
        schemas.push((AnthropicErrorBody::name().into_owned(), AnthropicErrorBody::schema()));
        ErrorBody::schemas(schemas);
        AnthropicErrorBody::schemas(schemas);
    }
}

/// Endpoints that only check the key.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it only describes")]
pub(super) enum KeyErrors {
    /// Reason why the key was denied
    #[response(status = 401)]
    Unauthorized(AnyErrorBody),
    /// A limit that frees in more than a minute, or never for this call
    #[response(status = 402)]
    PaymentRequired(AnyErrorBody),
    /// `wrong_scope`, `ip_not_allowed`
    #[response(status = 403)]
    Forbidden(AnyErrorBody),
    /// A limit that frees within a minute, or `too_many_failures`
    #[response(status = 429)]
    TooManyRequests(AnyErrorBody),
    /// `unavailable`: the key cannot be checked
    #[response(status = 503)]
    ServiceUnavailable(AnyErrorBody),
}

/// Endpoints that call a model.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it only describes")]
pub(super) enum CallResponses {
    /// Response of the upstream
    #[response(status = 200)]
    Ok(serde_json::Value),
    /// `malformed` (not valid JSON, more than 256 top-level fields, or nested too deeply) or
    /// `invalid`
    #[response(status = 400)]
    BadRequest(ErrorBody),
    /// `missing_key`, `malformed_key`, `unknown_key`, `revoked_key`, `expired_key`, `disabled_key`
    #[response(status = 401)]
    Unauthorized(ErrorBody),
    /// A limit that frees in more than a minute, or never for this call: `token_rate_limited`,
    /// `request_budget_exhausted`, `token_budget_exhausted`, `spend_limit_reached`,
    /// `quota_exceeded`
    #[response(status = 402)]
    PaymentRequired(ErrorBody),
    /// `wrong_scope`, `ip_not_allowed`, `model_not_allowed`, `model_not_priced`
    #[response(status = 403)]
    Forbidden(ErrorBody),
    /// `model_not_found`; `previous_response_not_found`, or `not_found` for anything else that the
    /// request points at and that was not made through this gateway by the same project
    #[response(status = 404)]
    NotFound(ErrorBody),
    /// `endpoint_not_supported`: the upstreams of the model do not serve this endpoint
    #[response(status = 405)]
    MethodNotAllowed(ErrorBody),
    /// `timeout`: the body took too long to arrive
    #[response(status = 408)]
    RequestTimeout(ErrorBody),
    /// `too_large`: the body exceeds 10 MiB, or 32 MiB for responses
    #[response(status = 413)]
    PayloadTooLarge(ErrorBody),
    /// A limit that frees within a minute: `rate_limited`, `token_rate_limited`,
    /// `too_many_parallel_requests`, `request_budget_exhausted`, `token_budget_exhausted`,
    /// `spend_limit_reached`, `quota_exceeded`; or `upstream_rate_limited`, `too_many_failures`
    #[response(status = 429)]
    TooManyRequests(ErrorBody),
    /// `upstream_unreachable`, `upstream_error`
    #[response(status = 502)]
    BadGateway(ErrorBody),
    /// `unavailable`
    #[response(status = 503)]
    ServiceUnavailable(ErrorBody),
    /// `upstream_timeout`
    #[response(status = 504)]
    GatewayTimeout(ErrorBody),
}
