//! `POST /ingest/logs`.

use axum::extract::State;
use latchkey_domain::api::{Accepted, LogBatch};
use latchkey_domain::problem::Problem;
use latchkey_services::{Services, telemetry};

use super::KeySource;
use crate::http::json::JsonBody;
use crate::http::problem::Refusal;

/// Send logs
///
/// All items are stored or none. The key tells the application. Of a message and of `meta` the
/// first 64 KiB are kept; what was cut off is said in `errors`.
#[utoipa::path(
    post,
    path = "/ingest/logs",
    operation_id = "ingest_logs",
    tag = "Ingest",
    request_body(content = LogBatch),
    responses(
        (status = 200, description = "All items are stored", body = Accepted),
        (status = 400, description = "`malformed`", body = Problem),
        (status = 401, description = "`missing_key`, `malformed_key`, `unknown_key`, `revoked_key`,                                       `expired_key`", body = Problem),
        (status = 403, description = "`wrong_scope`", body = Problem),
        (status = 409, description = "`limit_reached`: the project’s telemetry takes as much room as its plan has", body = Problem),
        (status = 413, description = "`too_large`: over 4 MiB", body = Problem),
        (status = 422, description = "`invalid`", body = Problem),
        (status = 429, description = "`rate_limited`, `token_rate_limited`, `token_budget_exhausted`, `quota_exceeded`; or `too_many_failures`, instead of `malformed_key` and `unknown_key`, after 60 of these from this address in a minute. With `Retry-After`", body = Problem),
        (status = 503, description = "`unavailable`: also when too much is waiting to be stored. With `Retry-After`", body = Problem),
    ),
    security(("key" = [])),
)]
pub(crate) async fn logs(
    State(services): State<Services>,
    KeySource(source): KeySource,
    body: JsonBody,
) -> Result<axum::Json<Accepted>, Refusal> {
    let turn = source.turn(&services, body.len()).await?;
    let batch: LogBatch = turn.run(move || body.parse()).await?;
    let stored = telemetry::ingest_logs(&services, &source, turn, batch.logs).await?;
    Ok(axum::Json(stored.into()))
}
