//! What the OTLP calls share in the API's description.

use latchkey_domain::id::ApplicationId;
use latchkey_domain::problem::Problem;
use utoipa::{IntoParams, IntoResponses};

/// The headers of a batch.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes; the extractors read")]
pub(super) struct OtlpHeaders {
    /// How the body is packed, if it is.
    #[param(rename = "content-encoding", inline)]
    content_encoding: Option<Packing>,
    /// The application, if the key is for the whole project.
    #[param(rename = "x-application-id")]
    application: Option<ApplicationId>,
}

/// A `Content-Encoding` that is unpacked.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the same")]
enum Packing {
    Gzip,
    Deflate,
    Zstd,
}

/// What a batch may be refused with.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes; a `Refusal` is what answers")]
pub(super) enum OtlpRefusals {
    /// `malformed`
    #[response(status = 400)]
    BadRequest(Problem),
    /// `missing_key`, `malformed_key`, `unknown_key`, `revoked_key`, `expired_key`
    #[response(status = 401)]
    Unauthorized(Problem),
    /// `wrong_scope`
    #[response(status = 403)]
    Forbidden(Problem),
    /// `limit_reached`: the project’s telemetry takes as much room as its plan has
    #[response(status = 409)]
    Conflict(Problem),
    /// `too_large`: over 20 MiB, sent or unpacked
    #[response(status = 413)]
    PayloadTooLarge(Problem),
    /// `unsupported_media_type`: neither protobuf nor JSON, or another encoding than gzip, deflate
    /// and zstd
    #[response(status = 415)]
    UnsupportedMediaType(Problem),
    /// `invalid`: no list of resources, or no application
    #[response(status = 422)]
    UnprocessableContent(Problem),
    /// `rate_limited`, `token_rate_limited`, `token_budget_exhausted`, `quota_exceeded`; or
    /// `too_many_failures`, instead of `malformed_key` and `unknown_key`, after 60 of these from
    /// this address in a minute. With `Retry-After`
    #[response(status = 429)]
    TooManyRequests(Problem),
    /// `unavailable`: also when too much is waiting to be stored. With `Retry-After`
    #[response(status = 503)]
    ServiceUnavailable(Problem),
}
