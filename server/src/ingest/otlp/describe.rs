//! What the OTLP calls share in the API's description.

use latchkey_domain::id::ApplicationId;
use utoipa::openapi::{Content, Ref, Response};
use utoipa::{IntoParams, IntoResponses, ToSchema};

use crate::http::responses::{ResponseMap, refusals};

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
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the same")]
enum Packing {
    Gzip,
    Deflate,
    Zstd,
}

/// An OTLP message in protobuf.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes what is read and written as bytes")]
pub(crate) struct OtlpMessage(Vec<u8>);

/// Response of an OTLP endpoint. Empty if everything was stored.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the JSON that is written by hand for both encodings")]
pub(crate) struct OtlpResponse {
    /// What was not stored. Absent if everything was stored.
    partial_success: Option<OtlpPartialSuccess>,
}

/// Items of the request that were not stored.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the JSON that is written by hand for both encodings")]
pub(crate) struct OtlpPartialSuccess {
    /// Number of rejected spans as a string. Only in responses of `/v1/traces`.
    rejected_spans: Option<String>,
    /// Number of rejected log records as a string. Only in responses of `/v1/logs`.
    rejected_log_records: Option<String>,
    /// Number of rejected data points as a string. Only in responses of `/v1/metrics`.
    rejected_data_points: Option<String>,
    /// The first errors, each with its reason.
    error_message: String,
}

/// All that can be stored is stored.
pub(super) enum OtlpStored {}

impl IntoResponses for OtlpStored {
    fn responses() -> ResponseMap {
        let content = |name: &str| Content::new(Some(Ref::from_schema_name(name)));
        let stored = Response::builder()
            .description("Items that are not counted in `partial_success` are stored")
            .content("application/json", content(&OtlpResponse::name()))
            .content("application/x-protobuf", content(&OtlpMessage::name()))
            .build();
        [("200".to_owned(), stored.into())].into()
    }
}

refusals! {
    /// Nothing of the request is stored.
    OtlpRefusals {
        400: "`malformed`: the body is not valid OTLP or cannot be decompressed",
        401: "`missing_key`, `malformed_key`, `unknown_key`, `revoked_key`, `expired_key`, `disabled_key`",
        403: "`wrong_scope`: the key is for another application",
        409: "`limit_reached`: the project’s telemetry has reached the maximum size of its plan",
        413: "`too_large`: the body exceeds 20 MiB, compressed or decompressed",
        415: "`unsupported_media_type`: the body is neither protobuf nor JSON, or its encoding is not gzip, deflate or zstd",
        422: "`invalid`: the body has no list of resources, or the application is missing",
        429: "`rate_limited`, `token_rate_limited`, `request_budget_exhausted`, `token_budget_exhausted`, `spend_limit_reached` or `quota_exceeded`; `limit` tells which limit it was; or `too_many_failures` in place of `malformed_key` and `unknown_key`, after 60 such failures per minute from one IP address. See `Retry-After`",
        503: "`unavailable`: the key cannot be checked, or too many items are waiting to be stored. See `Retry-After`",
    }
}
