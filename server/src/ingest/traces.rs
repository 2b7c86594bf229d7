//! `POST /ingest/traces`.

use axum::extract::State;
use latchkey_domain::api::{Accepted, TraceBatch};
use latchkey_domain::problem::Problem;
use latchkey_services::{Services, telemetry};

use super::KeySource;
use super::sdk::SdkBody;
use crate::http::problem::Refusal;

/// Send traces
///
/// Items that cannot be stored are counted in `rejected`, and the first 20 are listed in `errors`;
/// all others are stored. Duplicate items are stored once. `meta` is truncated to 64 KiB, which is
/// reported in `errors` too. The key determines the application. The body can be compressed with
/// `Content-Encoding: gzip`, `deflate` or `zstd`.
#[utoipa::path(
    post,
    path = "/ingest/traces",
    operation_id = "ingest_traces",
    tag = "Ingest",
    request_body(content = TraceBatch),
    responses(
        (status = 200, description = "Items that are not counted in `rejected` are stored", body = Accepted),
        (status = 400, description = "`malformed`", body = Problem),
        (status = 401, description = "`missing_key`, `malformed_key`, `unknown_key`, `revoked_key`, `expired_key`", body = Problem),
        (status = 403, description = "`wrong_scope`", body = Problem),
        (status = 409, description = "`limit_reached`: the project’s telemetry has reached the maximum size of its plan", body = Problem),
        (status = 413, description = "`too_large`: the body exceeds 4 MiB, compressed or decompressed", body = Problem),
        (status = 415, description = "`unsupported_media_type`: the body is not JSON, or its encoding is not gzip, deflate or zstd", body = Problem),
        (status = 422, description = "`invalid`: the body is not an object with the required list", body = Problem),
        (status = 429, description = "`rate_limited`, `token_rate_limited`, `token_budget_exhausted` or `quota_exceeded`; or `too_many_failures` in place of `malformed_key` and `unknown_key`, after 60 such failures per minute from one IP address. See `Retry-After`", body = Problem),
        (status = 503, description = "`unavailable`: the key cannot be checked, or too many items are waiting to be stored. See `Retry-After`", body = Problem),
    ),
    security(("key" = [])),
)]
pub(crate) async fn traces(
    State(services): State<Services>,
    KeySource(source): KeySource,
    body: SdkBody,
) -> Result<axum::Json<Accepted>, Refusal> {
    let turn = source.turn(&services, body.len()).await?;
    let incoming = turn.run(move || body.traces()).await?;
    let stored = telemetry::ingest_traces(&services, &source, turn, incoming).await?;
    Ok(axum::Json(stored.into()))
}
