//! `POST /ingest/logs`.

use axum::extract::State;
use latchkey_domain::api::{Accepted, LogBatch};
use latchkey_domain::problem::Problem;
use latchkey_services::{Services, telemetry};

use super::KeySource;
use super::sdk::SdkBody;
use crate::http::problem::Refusal;

/// Send logs
///
/// Items that can’t be stored are counted in `rejected`, and the first 20 told in `errors`; all
/// others are stored. An item that was sent before is stored once. Of a message and of `meta` the
/// first 64 KiB are kept; what was cut off is said in `errors` too. The key tells the application.
/// The body may come with `Content-Encoding: gzip`, `deflate` or `zstd`.
#[utoipa::path(
    post,
    path = "/ingest/logs",
    operation_id = "ingest_logs",
    tag = "Ingest",
    request_body(content = LogBatch),
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
pub(crate) async fn logs(
    State(services): State<Services>,
    KeySource(source): KeySource,
    body: SdkBody,
) -> Result<axum::Json<Accepted>, Refusal> {
    let turn = source.turn(&services, body.len()).await?;
    let incoming = turn.run(move || body.logs()).await?;
    let stored = telemetry::ingest_logs(&services, &source, turn, incoming).await?;
    Ok(axum::Json(stored.into()))
}
