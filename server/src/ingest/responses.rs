//! What the endpoints of the SDKs' own form refuse.

use crate::http::responses::refusals;

refusals! {
    /// Nothing of the request is stored.
    SdkRefusals {
        400: "`malformed`",
        401: "`missing_key`, `malformed_key`, `unknown_key`, `revoked_key`, `expired_key`, `disabled_key`",
        403: "`wrong_scope`",
        409: "`limit_reached`: the project’s telemetry has reached the maximum size of its plan",
        413: "`too_large`: the body exceeds 4 MiB, compressed or decompressed",
        415: "`unsupported_media_type`: the body is not JSON, or its encoding is not gzip, deflate or zstd",
        422: "`invalid`: the body is not an object with the required list",
        429: "`rate_limited`, `token_rate_limited`, `request_budget_exhausted`, `token_budget_exhausted`, `spend_limit_reached` or `quota_exceeded`; `limit` tells which limit it was; or `too_many_failures` in place of `malformed_key` and `unknown_key`, after 60 such failures per minute from one IP address. See `Retry-After`",
        503: "`unavailable`: the key cannot be checked, or too many items are waiting to be stored. See `Retry-After`",
    }
}
