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
/// Items that can’t be stored are counted in `rejected`, and the first 20 told in `errors`; all
/// others are stored. An item that was sent before is stored once. Of a message and of `meta` the
/// first 64 KiB are kept; what was cut off is said in `errors` too. The key tells the application.
/// The body may come with `Content-Encoding: gzip`, `deflate` or `zstd`.
#[utoipa::path(
    post,
    path = "/ingest/traces",
    operation_id = "ingest_traces",
    tag = "Ingest",
    request_body(content = TraceBatch),
    responses(
        (status = 200, description = "Stored, but for what `rejected` counts", body = Accepted),
        (status = 400, description = "`malformed`", body = Problem),
        (status = 401, description = "`missing_key`, `malformed_key`, `unknown_key`, `revoked_key`,                                       `expired_key`", body = Problem),
        (status = 403, description = "`wrong_scope`", body = Problem),
        (status = 409, description = "`limit_reached`: the project’s telemetry takes as much room as its plan has", body = Problem),
        (status = 413, description = "`too_large`: over 4 MiB, sent or unpacked", body = Problem),
        (status = 415, description = "`unsupported_media_type`: no JSON, or another encoding than gzip, deflate and zstd", body = Problem),
        (status = 422, description = "`invalid`: no object with the list", body = Problem),
        (status = 429, description = "`rate_limited`, `token_rate_limited`, `token_budget_exhausted`, `quota_exceeded`; or `too_many_failures`, instead of `malformed_key` and `unknown_key`, after 60 of these from this address in a minute. With `Retry-After`", body = Problem),
        (status = 503, description = "`unavailable`: also when too much is waiting to be stored. With `Retry-After`", body = Problem),
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
