//! What the OTLP calls share in the API's description.

use latchkey_domain::id::ApplicationId;
use utoipa::IntoParams;

use crate::http::responses::refusals;

/// Headers of an OTLP request.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes; the extractors read")]
pub(super) struct OtlpHeaders {
    /// Compression of the body.
    #[param(rename = "content-encoding", inline)]
    content_encoding: Option<Packing>,
    /// ID of the application. Required if the key is valid for the whole project.
    #[param(rename = "x-application-id")]
    application: Option<ApplicationId>,
}

/// A `Content-Encoding` that the server accepts.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the same")]
enum Packing {
    Gzip,
    Deflate,
    Zstd,
}

refusals! {
    /// Nothing of the request is stored.
    OtlpRefusals {
        400: "`malformed`: the body is not valid OTLP or cannot be decompressed",
        401: "`missing_key`, `malformed_key`, `unknown_key`, `revoked_key`, `expired_key`",
        403: "`wrong_scope`: the key is for another application",
        409: "`limit_reached`: the project’s telemetry has reached the maximum size of its plan",
        413: "`too_large`: the body exceeds 20 MiB, compressed or decompressed",
        415: "`unsupported_media_type`: the body is neither protobuf nor JSON, or its encoding is not gzip, deflate or zstd",
        422: "`invalid`: the body has no list of resources, or the application is missing",
        429: "`rate_limited`, `token_rate_limited`, `token_budget_exhausted` or `quota_exceeded`; or `too_many_failures` in place of `malformed_key` and `unknown_key`, after 60 such failures per minute from one IP address. See `Retry-After`",
        503: "`unavailable`: the key cannot be checked, or too many items are waiting to be stored. See `Retry-After`",
    }
}
