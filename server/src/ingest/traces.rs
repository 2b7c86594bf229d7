//! `POST /ingest/traces`.

use axum::extract::State;
use latchkey_domain::api::{Accepted, TraceBatch};
use latchkey_services::{Services, telemetry};

use super::KeySource;
use super::responses::SdkRefusals;
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
        SdkRefusals,
    ),
    security(("key" = [])),
)]
pub(crate) async fn traces(
    State(services): State<Services>,
    KeySource(source): KeySource,
    body: SdkBody,
) -> Result<axum::Json<Accepted>, Refusal> {
    let permit = source.permit(&services, body.len()).await?;
    let incoming = permit.run(move || body.traces()).await?;
    let stored = telemetry::ingest_traces(&services, &source, permit, incoming).await?;
    Ok(axum::Json(stored.into()))
}
