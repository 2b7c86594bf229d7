//! `POST /ingest/logs`.

use axum::extract::State;
use latchkey_domain::api::{Accepted, LogBatch};
use latchkey_services::{Services, telemetry};

use super::KeySource;
use super::responses::SdkRefusals;
use super::sdk::SdkBody;
use crate::http::problem::Refusal;

/// Send logs
///
/// Items that cannot be stored are counted in `rejected`, and the first 20 are listed in `errors`;
/// all others are stored. Duplicate items are stored once. Messages and `meta` are truncated to 64
/// KiB, which is reported in `errors` too. The key determines the application. The body can be
/// compressed with `Content-Encoding: gzip`, `deflate` or `zstd`.
#[utoipa::path(
    post,
    path = "/ingest/logs",
    operation_id = "ingest_logs",
    tag = "Ingest",
    request_body(content = LogBatch),
    responses(
        (status = 200, description = "Items that are not counted in `rejected` are stored", body = Accepted),
        SdkRefusals,
    ),
    security(("key" = [])),
)]
pub(crate) async fn logs(
    State(services): State<Services>,
    KeySource(source): KeySource,
    body: SdkBody,
) -> Result<axum::Json<Accepted>, Refusal> {
    let permit = source.permit(&services, body.len()).await?;
    let incoming = permit.run(move || body.logs()).await?;
    let stored = telemetry::ingest_logs(&services, &source, permit, incoming).await?;
    Ok(axum::Json(stored.into()))
}
